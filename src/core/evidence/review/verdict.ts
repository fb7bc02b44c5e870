/** Compares the entry on a worker with its appraisal, made again. */
import type { AcceptedRequester, RefusedRequester } from '../../release/requester.ts'
import { MAX_NEAREST } from '../entry.ts'
import type { RecordedCase } from './case.ts'

/** Reasons that depend on objects of the day: markers of nonces, and the registration. */
const OF_STATE: ReadonlySet<string> = new Set(['nonce', 'boot'])

type Difference = {
  readonly code: 'appraisal.contradicted' | 'decision.contradicted'
  readonly text: string
}

export function reviewVerdict(
  { entry }: RecordedCase['worker'],
  requester: AcceptedRequester | RefusedRequester,
): readonly Difference[] {
  if (entry.event === 'worker.accepted') {
    if (requester.kind === 'refused')
      return [
        { code: codeOf(requester), text: `appraised again, it is refused: ${codesOf(requester.reasons)}` },
      ]
    const { reference, assurance } = requester.verdict
    return reference === entry.reference && assurance === entry.assurance
      ? []
      : [{ code: 'appraisal.contradicted', text: `appraised again, it matches ${reference} (${assurance})` }]
  }
  const [first] = entry.reasons
  if (requester.kind === 'accepted')
    return isOfState(entry.reasons)
      ? []
      : [
          {
            code: 'decision.contradicted',
            text: `decided again, it is accepted, not refused with ${first?.code}`,
          },
        ]
  const isNearest =
    requester.distances
      .slice(0, MAX_NEAREST)
      .map(({ reference, fields }) => `${reference} ${fields.length}`)
      .join() === entry.nearest.map(({ reference, differences }) => `${reference} ${differences}`).join()
  const isSame =
    isNearest && codesOf(requester.reasons.slice(0, entry.reasons.length)) === codesOf(entry.reasons)
  return isSame || isOfState(entry.reasons)
    ? []
    : [{ code: codeOf(requester), text: `decided again, it is refused with ${codesOf(requester.reasons)}` }]
}

function isOfState(reasons: readonly { readonly field: string }[]): boolean {
  return reasons.length === 1 && reasons.every(({ field }) => OF_STATE.has(field))
}

/** Whether the machine is the reason, or what it asks for. */
function codeOf({ distances }: RefusedRequester): Difference['code'] {
  return distances.length > 0 ? 'appraisal.contradicted' : 'decision.contradicted'
}

export function codesOf(reasons: readonly { readonly code: string }[]): string {
  return reasons.map(({ code }) => code).join(', ')
}
