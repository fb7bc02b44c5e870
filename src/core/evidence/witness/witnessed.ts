/**
 * The objects that hold what Verifiers cosigned of one log: `witnessed/<boot>/<size before>` is the cosigned
 * checkpoint that follows that size. A size has one successor, so replicas agree, and a fork gets none.
 */
import type { Registration } from '../../boot/registration.ts'
import { fromUtf8 } from '../../bytes.ts'
import { CodedError } from '../../errors.ts'
import { type Checkpoint, openCheckpoint } from '../checkpoint.ts'
import { formatSignature, noteKey, splitNote } from '../note.ts'

export const WITNESSED = 'witnessed/'
const NAME = /^witnessed\/([a-z2-7]{26})\/([0-9]{20})$/

export function witnessedName(boot: string, before: number): string {
  return `${WITNESSED}${boot}/${String(before).padStart(20, '0')}`
}

/** Undefined for any other name. */
export function parseWitnessedName(
  name: string,
): { readonly boot: string; readonly before: number } | undefined {
  const [, boot = '', digits] = NAME.exec(name) ?? []
  const before = Number(digits)
  return Number.isSafeInteger(before) ? { boot, before } : undefined
}

type LogKey = Pick<Registration, 'origin' | 'key'>

/** A checkpoint that the owner of the log signed. Throws `evidence.malformed` or `evidence.inconsistent`. */
export function openWitnessed(bytes: Uint8Array, before: number, owner: LogKey) {
  const note = fromUtf8(bytes)
  const checkpoint = openCheckpoint(note, noteKey(owner.origin, owner.key))
  if (checkpoint.size <= before)
    throw new CodedError('evidence.inconsistent', `a checkpoint of size ${checkpoint.size} follows ${before}`)
  return { note, checkpoint }
}

/** The checkpoint, and its note with the signature of the log's owner only. Throws as `openWitnessed`. */
export function ownNote(
  note: string,
  owner: LogKey,
): { readonly note: string; readonly checkpoint: Checkpoint } {
  const key = noteKey(owner.origin, owner.key)
  const checkpoint = openCheckpoint(note, key)
  const { text, signatures } = splitNote(note)
  const own = signatures.find(({ name, id }) => name === key.name && id.equals(key.id))
  if (own === undefined) throw new CodedError('evidence.inconsistent', `${key.name} has not signed the note`)
  return { note: `${text}\n${formatSignature(key, own.signature)}`, checkpoint }
}
