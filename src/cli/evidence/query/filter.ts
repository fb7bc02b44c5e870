/** Which entries a query asks for. All of its conditions must hold. */
import { CodedError } from '#core/errors.ts'
import type { Entry } from '#core/evidence/entry.ts'
import { ENTRY_FIELDS } from '#core/evidence/entry.ts'
import { parseRfc3339 } from '#core/time.ts'
import type { FactKind, Facts } from './facts.ts'

export type QueryOptions = Readonly<Partial<Record<FactKind | 'from' | 'to' | 'event', string>>>

const FACTS: readonly FactKind[] = [
  'client',
  'purpose',
  'dataset',
  'permission',
  'code',
  'trace',
  'boot',
  'id',
]

/** Throws `usage.invalid` for a time or an event that there is not. */
export function filterOf(options: QueryOptions): (entry: Entry, facts: Facts) => boolean {
  const from = timeOf('--from', options.from) ?? 0
  const to = timeOf('--to', options.to) ?? Number.POSITIVE_INFINITY
  const { event } = options
  if (event !== undefined && !(ENTRY_FIELDS as ReadonlyMap<string, unknown>).has(event))
    throw new CodedError(
      'usage.invalid',
      `--event: there is no event ${event}; docs/formats/evidence.md has them`,
    )
  const asked = FACTS.flatMap((kind) => {
    const value = options[kind]
    return value === undefined ? [] : [[kind, kind === 'trace' ? traceOf(value) : value] as const]
  })
  return (entry, facts) =>
    from <= entry.time &&
    entry.time < to &&
    (event === undefined || entry.event === event) &&
    asked.every(([kind, value]) => facts[kind].has(value))
}

function timeOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  try {
    return parseRfc3339(text, name)
  } catch (cause) {
    throw new CodedError('usage.invalid', `${name} is not a UTC time such as 2026-01-31T12:00:00Z`, { cause })
  }
}

/** A trace id, or the traceparent that has it. */
function traceOf(text: string): string {
  return /^00-([0-9a-f]{32})-/.exec(text)?.[1] ?? text
}
