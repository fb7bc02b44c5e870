/**
 * The checks of a doctor: a table per role. Each row tries one thing, says what it expects, and how to mend
 * it. No check changes anything in the deployment.
 */
import { abandonable } from '#adapters/system/abandonable.ts'
import { CodedError, codeOf, type ErrorCode, errorRow } from '#core/errors.ts'
import { LAST_SECOND, toRfc3339, toUnixSeconds, type UnixSeconds } from '#core/time.ts'

/**
 * - `good`: as expected.
 * - `finding`: not as expected, or it soon will not be.
 * - `away`: a service did not answer, so nothing is known.
 * - `left`: not tried, and why.
 */
export type State = 'good' | 'finding' | 'away' | 'left'

/** `code`: of the error that said so. `until`: when it ends, as RFC 3339. */
export type Outcome = {
  readonly state: State
  readonly found: string
  readonly code?: ErrorCode
  readonly until?: string
}

export type Check<Context> = {
  /** Dotted words, stable: programs may look for it. */
  readonly id: string
  readonly tries: string
  readonly expects: string
  readonly remedy: string
  /** A row about several things gives an outcome for each. What it throws is an outcome, too. */
  readonly run: (context: Context, signal: AbortSignal) => Promise<Outcome | readonly Outcome[]>
}

export type Line = Outcome & { readonly check: string; readonly remedy: string | null }

export const good = (found: string): Outcome => ({ state: 'good', found })
export const finding = (found: string): Outcome => ({ state: 'finding', found })
export const left = (found: string): Outcome => ({ state: 'left', found })

const DAY = 86_400

/** A finding from `leastDays` before its end on. */
export function ends(what: string, end: number, now: UnixSeconds, leastDays: number): Outcome {
  const until = toRfc3339(toUnixSeconds(Math.min(Math.max(Math.floor(end), 0), LAST_SECOND)))
  const days = Math.floor((end - now) / DAY)
  if (end <= now) return { ...finding(`${what} ended at ${until}`), until }
  const found = `${what} ends at ${until}, in ${days} days`
  if (end - now < leastDays * DAY) return { ...finding(`${found}; renew it ${leastDays} days before`), until }
  return { ...good(found), until }
}

/** A service that cannot be asked. Anything else that is thrown is an answer. */
const AWAY: ReadonlySet<ErrorCode> = new Set([
  'service.unavailable',
  'verifier.unavailable',
  'kds.unavailable',
  'sev.busy',
  'process.interrupted',
])

/** The longest wait for one check. */
const PATIENCE_MS = 20_000

/** Runs all checks at once; the lines are in the order of the table. */
export async function runChecks<Context>(
  checks: readonly Check<Context>[],
  context: Context,
  patienceMs = PATIENCE_MS,
): Promise<readonly Line[]> {
  const lines = checks.map(async (check): Promise<readonly Line[]> => {
    const signal = AbortSignal.timeout(patienceMs)
    const outcomes = await abandonable(
      (async () => [await check.run(context, signal)].flat())(),
      signal,
    ).catch((error: unknown) => [outcomeOf(signal.aborted ? timeout(patienceMs) : error)])
    return outcomes.map((outcome) => ({
      check: check.id,
      ...outcome,
      remedy: outcome.state === 'good' || outcome.state === 'left' ? null : remedyOf(check, outcome),
    }))
  })
  return (await Promise.all(lines)).flat()
}

function timeout(patienceMs: number): CodedError {
  return new CodedError('service.unavailable', `no answer within ${patienceMs / 1000} seconds`)
}

function outcomeOf(error: unknown): Outcome {
  const code = codeOf(error)
  // Another error's text may quote data.
  const found = error instanceof CodedError ? error.message : 'an unexpected error'
  return { state: AWAY.has(code) ? 'away' : 'finding', found: `${found} (${code})`, code }
}

/** What is away is mended at its service, not where the check's row says. */
function remedyOf({ remedy }: Pick<Check<never>, 'remedy'>, { state, code }: Outcome): string {
  return state === 'away' && code !== undefined ? errorRow(code).remedy : remedy
}

/** 78: a file must be changed. 1: a finding. 75: something could not be asked. */
export function exitOf(lines: readonly Line[]): 0 | 1 | 75 | 78 {
  const findings = lines.filter(({ state }) => state === 'finding')
  if (findings.some(({ code }) => code === 'config.invalid')) return 78
  if (findings.length > 0) return 1
  return lines.some(({ state }) => state === 'away') ? 75 : 0
}
