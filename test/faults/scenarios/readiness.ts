/** Whether every program serves: each worker has joined the group, each Verifier has what it decides by. */
import { messageOf } from '#lab/demo/logLine.ts'
import type { Site } from '../site.ts'

const PROBE_MS = 5000

/** The wanted workers and Verifiers whose probe does not answer 200, in words; undefined if all do. */
export async function notReady({ system, pool }: Site): Promise<string | undefined> {
  const monitored = pool.wanted.filter((name) => /^(worker|verifier)/.test(name))
  const ready = await Promise.all(
    monitored.map((name) => isReady(system.linesOf(name).findLast(isReadyLine))),
  )
  const absent = monitored.filter((_, index) => !ready[index])
  return absent.length === 0 ? undefined : `${absent.join(', ')} not ready`
}

function isReadyLine(line: Readonly<Record<string, unknown>>): boolean {
  return messageOf(line) === 'ready'
}

async function isReady(line: Readonly<Record<string, unknown>> | undefined): Promise<boolean> {
  const probe = fetch(`${line?.['monitor']}/readyz`, { signal: AbortSignal.timeout(PROBE_MS) })
  return await probe.then(
    async (answer) => {
      await answer.arrayBuffer()
      return answer.status === 200
    },
    () => false,
  )
}
