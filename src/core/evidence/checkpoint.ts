/**
 * Checkpoints (c2sp.org/tlog-checkpoint): a signed note over origin, size and root, without extension lines.
 */
import type { KeyObject } from 'node:crypto'
import { CodedError } from '../errors.ts'
import { fromBase64, type NoteKey, openNote, signNote } from './note.ts'
import { HASH_BYTES } from './tree.ts'

const SIZE = /^(?:0|[1-9][0-9]{0,15})$/

export type Checkpoint = { readonly origin: string; readonly size: number; readonly root: Buffer }

export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`
}

/** Parses the text of a note as a checkpoint. Throws `evidence.malformed`. */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', root = '', ...rest] = text.split('\n')
  const hash = fromBase64(root)
  if (origin === '' || !SIZE.test(size) || !Number.isSafeInteger(Number(size)))
    throw new CodedError('evidence.malformed', 'a checkpoint does not begin with origin and size')
  if (hash?.byteLength !== HASH_BYTES || rest.length !== 1 || rest[0] !== '')
    throw new CodedError('evidence.malformed', 'a checkpoint does not end with the root')
  return { origin, size: Number(size), root: hash }
}

/** The note of a checkpoint, signed under the name of its origin. */
export function signCheckpoint(checkpoint: Checkpoint, key: KeyObject): string {
  return signNote(formatCheckpoint(checkpoint), checkpoint.origin, key)
}

/**
 * Throws `evidence.malformed`, or `evidence.inconsistent` if `key` has not signed it or it belongs to another
 * log.
 */
export function openCheckpoint(note: string, key: NoteKey): Checkpoint {
  const checkpoint = parseCheckpoint(openNote(note, [key]).text)
  if (checkpoint.origin !== key.name)
    throw new CodedError('evidence.inconsistent', `the checkpoint belongs to the log ${checkpoint.origin}`)
  return checkpoint
}

/** Its name within the log. Retention forbids overwriting, so each size has an object of its own. */
export function checkpointName(size: number): string {
  return `checkpoint/${String(size).padStart(20, '0')}`
}

/** The size in a checkpoint's name, or undefined for any other name. */
export function parseCheckpointName(name: string): number | undefined {
  const [, digits] = /^checkpoint\/([0-9]{20})$/.exec(name) ?? []
  const size = Number(digits)
  return Number.isSafeInteger(size) ? size : undefined
}
