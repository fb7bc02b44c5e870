/**
 * Whose a resource is, as far as consent needs it. Under consent lists a resource passes only if it names a
 * patient, and none of the patients that it names has withdrawn. What cannot be told is withheld: a subject by
 * business identifier, a group, an encounter alone, a contained patient.
 */
import type { PatientIds } from './patientIds.ts'
import type { SliceScanner } from './slice.ts'
import { sameSlice, type WordTable } from './words.ts'

const PATIENT = Buffer.from('Patient/')
const URN = Buffer.from('urn:')
const MAX_ID_LENGTH = 64
const SLASH = 0x2f
const COLON = 0x3a
/** What may follow the id in a reference: a version, a query, a fragment, a canonical's version. */
const ENDS_ID: ReadonlySet<number> = new Set(Buffer.from('/?#|'))

/** The member names that it reads. */
export const CONSENT_NAMES = ['id', 'reference']

/** True if the scanned resource must not pass. */
export type IsWithdrawn = (resource: SliceScanner, type: string) => boolean

export function compileConsent(withdrawn: PatientIds, names: WordTable): IsWithdrawn {
  const id = names.idOf('id')
  const reference = names.idOf('reference')
  return (resource, type) => {
    const { bytes, count, name, start, end } = resource
    let isNamed = false
    if (type === 'Patient') {
      const own = resource.member(0, id)
      if (own < 0 || !resource.isText(own)) return true
      const text = plainOf(resource, own)
      if (withdrawn.has(text ?? bytes, text ? 0 : (start[own] ?? 0), text?.length ?? end[own] ?? 0))
        return true
      isNamed = true
    }
    if (resource.occurs[reference] !== 1) return !isNamed
    for (let value = 1; value < count; value++) {
      if (name[value] !== reference || !resource.isText(value)) continue
      const text = plainOf(resource, value)
      const named = text
        ? patientIn(text, 0, text.length, withdrawn)
        : patientIn(bytes, start[value] ?? 0, end[value] ?? 0, withdrawn)
      if (named === 'withdrawn') return true
      isNamed ||= named === 'other'
    }
    return !isNamed
  }
}

/** A string with escapes, resolved; undefined if its bytes are its text. */
function plainOf(resource: SliceScanner, value: number): Buffer | undefined {
  return resource.isEscaped(value) ? Buffer.from(resource.text(value)) : undefined
}

/** `withdrawn` also for a reference to a patient that cannot be read. */
function patientIn(
  bytes: Uint8Array,
  start: number,
  end: number,
  withdrawn: PatientIds,
): 'withdrawn' | 'other' | 'none' {
  if (sameSlice(bytes, start, URN, 0, URN.length)) {
    const from = bytes.subarray(start, end).lastIndexOf(COLON) + start + 1
    return withdrawn.has(bytes, from, end) ? 'withdrawn' : 'none'
  }
  let isNamed = false
  for (let at = start; at + PATIENT.length <= end; at++) {
    // Relative, or at the end of a base URL.
    if (at > start && bytes[at - 1] !== SLASH) continue
    if (!sameSlice(bytes, at, PATIENT, 0, PATIENT.length)) continue
    const from = at + PATIENT.length
    const to = endOfId(bytes, from, end)
    const isId = to > from && to - from <= MAX_ID_LENGTH && (to === end || ENDS_ID.has(bytes[to] ?? 0))
    if (!isId || withdrawn.has(bytes, from, to)) return 'withdrawn'
    isNamed = true
  }
  return isNamed ? 'other' : 'none'
}

/** `[A-Za-z0-9.-]*` */
function endOfId(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  for (; at < end; at++) {
    const byte = bytes[at] ?? 0
    const letter = byte | 0x20
    const isLetter = letter >= 0x61 && letter <= 0x7a
    const isDigit = byte >= 0x30 && byte <= 0x39
    if (!isLetter && !isDigit && byte !== 0x2e && byte !== 0x2d) break
  }
  return at
}
