/**
 * Attempts are counted right: nobody claims a job that three attempts have used up, and what is called done
 * has a manifest.
 */
import type { Traces } from '../traces.ts'
import type { Violation } from '../world.ts'

const LIMIT = 3
const CLAIM = /^attempt\/([^/]+)\/(\d+)\/(\d+)\/claim$/

type Attempt = { readonly number: number; readonly boot: string; readonly end: string | undefined }

export async function judgeAttempts({ workerState, manifests }: Traces): Promise<readonly Violation[]> {
  const rounds = new Map<string, Attempt[]>()
  const violations: Violation[] = []
  const names = new Set(manifests.map(({ name }) => name))
  for (const { name, bytes } of workerState.values()) {
    const text = (await bytes()).toString('latin1')
    if (name.startsWith('done/') && !names.has(`r/${text}/result`))
      violations.push({ invariant: 'done.without-result', subject: name, text: `no manifest of ${text}` })
    const [, jobId, round, number] = CLAIM.exec(name) ?? []
    if (number === undefined) continue
    const key = `${jobId}/${round}`
    const end = (await workerState.get(name.replace(/claim$/, 'end'))?.bytes())?.toString('latin1')
    const attempts = rounds.get(key) ?? []
    rounds.set(key, [...attempts, { number: Number(number), boot: text.split('/')[0] ?? '', end }])
  }
  for (const [round, attempts] of rounds) violations.push(...judgeRound(round, attempts))
  return violations
}

/** A boot knows that its own attempt without an end has not killed it. */
function judgeRound(round: string, attempts: readonly Attempt[]): readonly Violation[] {
  return attempts.flatMap(({ number, boot }) => {
    const used = attempts.filter(
      (before) =>
        before.number < number &&
        (before.end === undefined ? before.boot !== boot : before.end.startsWith('failed')),
    )
    if (used.length < LIMIT) return []
    const text = `attempt ${number} was claimed after ${used.length} that count`
    return [{ invariant: 'attempt.beyond', subject: round, text }]
  })
}
