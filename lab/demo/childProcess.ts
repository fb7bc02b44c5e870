/** A TypeScript program of this repository as a child process. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { nodeOptionsFor } from '#adapters/system/nodeOptions.ts'

const ROOT = new URL('../../', import.meta.url)
const END_WITH_PARENT = new URL('./endWithParent.ts', import.meta.url)

export type ChildOptions = {
  /** The main file, relative to the root of the repository. */
  readonly file: string
  readonly parameters: readonly string[]
  /** The whole environment. Absent: the child inherits ours. */
  readonly environment?: Readonly<Record<string, string>>
  /** Sends SIGTERM when aborted. */
  readonly signal?: AbortSignal
}

export function startChild({
  file,
  parameters,
  environment,
  signal,
}: ChildOptions): ChildProcessByStdio<Writable, Readable, Readable> {
  return spawn(
    process.execPath,
    [
      ...nodeOptionsFor(file),
      '--import',
      END_WITH_PARENT.href,
      fileURLToPath(new URL(file, ROOT)),
      ...parameters,
    ],
    {
      // Nothing is written to stdin. Its end says that we are gone.
      stdio: ['pipe', 'pipe', 'pipe'],
      // A process group of its own: Ctrl-C reaches only the demo, which stops its programs in order.
      detached: true,
      killSignal: 'SIGTERM',
      ...(environment !== undefined && { env: { ...environment } }),
      ...(signal !== undefined && { signal }),
    },
  )
}
