/**
 * Loaded into each program of the demo before its main file: the program ends with the demo, even if SIGKILL
 * ends the demo. Then stdin ends, because the demo held its other side.
 */
import { Socket } from 'node:net'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) {
  const stdin = new Socket({ fd: 0, readable: true, writable: false })
  const end = () => process.kill(process.pid, 'SIGKILL')
  stdin.once('error', end).once('end', end).resume().unref()
}
