/**
 * The proof of one entry in a file of its own: the entry, the checkpoint over it, the hashes between them, and
 * the documents that lead from the writer's key to the provider's root. It shows nothing else of the log.
 */
import { z } from 'zod'
import { logOrigin } from '../boot/boot.ts'
import { type Registration, readRegistration, registrationName } from '../boot/registration.ts'
import { fromBase64url, toBase64url, utf8 } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import { CodedError, codeOf } from '../errors.ts'
import { base64urlBytes, boot, compactJws, count, objectName, sha256Digest, version1 } from '../fields.ts'
import type { QuorumRoot } from '../jws.ts'
import { maxStoredBytes, readDocument } from '../policy/document.ts'
import { type GrantCa, grantCasOf, VERIFIER_KEYS } from '../policy/verifierKeys.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint.ts'
import { type Entry, EntryFormat } from './entry.ts'
import { noteKey } from './note.ts'
import { inclusionProof, verifyInclusion } from './proof.ts'
import { leafHash } from './tree.ts'

/** Verifier keys of a provider over the years. */
export const MAX_KEYS = 64
const MAX_NOTE = 16_384

const Schema = z.strictObject({
  v: version1,
  role: z.enum(['worker', 'verifier']),
  boot,
  index: count,
  /** Its bytes, as they were hashed. */
  entry: base64urlBytes(2, EntryFormat.maxBytes),
  /** RFC 9162 §2.1.3: from the leaf to the root. */
  path: z.array(sha256Digest).max(53),
  /** The signed note. */
  checkpoint: z.string().min(1).max(MAX_NOTE),
  registration: compactJws,
  /** The verifier keys that may have certified the registration, as they are stored. */
  verifierKeys: z
    .array(z.strictObject({ name: objectName, signed: z.string().min(1).max(maxStoredBytes(VERIFIER_KEYS)) }))
    .max(MAX_KEYS),
})
export type EntryProof = z.output<typeof Schema>

export const EntryProofFormat = defineFormat({
  name: 'proof of an entry',
  maxBytes: 4 * 1024 * 1024,
  code: 'evidence.malformed',
  schema: Schema,
})

/** The part of a proof that the log itself gives. `leaves`: the hashes of all entries under the checkpoint. */
export function proofOf(
  entry: Uint8Array,
  leaves: readonly Buffer[],
  index: number,
): Pick<EntryProof, 'index' | 'entry' | 'path'> {
  return { index, entry: toBase64url(entry), path: inclusionProof(leaves, index).map(toBase64url) }
}

export type ProvenEntry = {
  readonly entry: Entry
  readonly index: number
  readonly registration: Registration
  readonly checkpoint: Checkpoint
}

/**
 * Checks everything from the root to the entry. Throws `evidence.malformed`, or `evidence.inconsistent` if a
 * step of it does not hold.
 */
export function checkProof(proof: EntryProof, root: QuorumRoot): ProvenEntry {
  const { role, index } = proof
  const name = registrationName(proof.boot)
  const registration = readRegistration(utf8(proof.registration), name, grantCas(proof, root))
  if (registration.role !== role)
    throw new CodedError('evidence.inconsistent', `${proof.boot} is registered as ${registration.role}`)
  const key = noteKey(logOrigin(role, proof.boot), registration.key)
  const checkpoint = openCheckpoint(proof.checkpoint, key)
  const bytes = fromBase64url(proof.entry)
  if (
    !verifyInclusion(
      leafHash(bytes),
      index,
      checkpoint,
      proof.path.map((hash) => fromBase64url(hash)),
    )
  )
    throw new CodedError(
      'evidence.inconsistent',
      `the path does not lead from entry ${index} to the root of checkpoint ${checkpoint.size}`,
    )
  return { entry: EntryFormat.decode(bytes), index, registration, checkpoint }
}

/** Those that the root's quorum certified. Other documents do not count. */
function grantCas({ verifierKeys }: EntryProof, root: QuorumRoot): readonly GrantCa[] {
  const documents = verifierKeys.flatMap(({ name, signed }) => {
    try {
      return [readDocument(VERIFIER_KEYS, name, utf8(signed), root)]
    } catch (error) {
      if (codeOf(error) === 'internal.fault') throw error
      return []
    }
  })
  const certified = grantCasOf(documents, root)
  if (certified.length === 0)
    throw new CodedError('evidence.inconsistent', 'no verifier keys in the proof are of this root')
  return certified
}
