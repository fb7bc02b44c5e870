/** One thread of an audit: runs the tasks that it is sent, and answers each with its number. */
import { parentPort } from 'node:worker_threads'
import { runTask, type TaskName } from '#core/evidence/audit/tasks.ts'

/** `id` numbers the tasks of one thread. */
export type Asked = { readonly id: number; readonly name: TaskName; readonly task: unknown }
export type Answered = { readonly id: number; readonly result?: unknown; readonly fault?: unknown }

parentPort?.on('message', ({ id, name, task }: Asked) => {
  let answer: Answered
  try {
    answer = { id, result: runTask(name, task) }
  } catch (fault) {
    answer = { id, fault }
  }
  parentPort?.postMessage(answer)
})
