/**
 * The firmware as a filter: a request of 96 bytes (struct snp_report_req) on stdin, the report of 1184 bytes on stdout. For a
 * fake device that forwards its ioctl: `node lab/amd/hook.ts STATE_DIR GUEST`. Exit 1 where the
 * firmware would answer INVALID_PARAM, 2 where the guest is unknown.
 */
import { buffer } from 'node:stream/consumers'
import { openGuest } from './guest.ts'

const [stateDir = '', name = ''] = process.argv.slice(2)
try {
  const guest = await openGuest(stateDir, name)
  const report = guest.report(await buffer(process.stdin))
  if (report === undefined) process.exitCode = 1
  else process.stdout.write(report)
} catch (error) {
  process.stderr.write(`hook: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
