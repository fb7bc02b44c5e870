/**
 * Cosignatures of checkpoints (c2sp.org/tlog-cosignature, `cosignature/v1` with Ed25519): a witness states
 * that it has seen no other checkpoint that this one does not continue, and when. Other tools read them.
 */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { utf8, viewOf } from '../../bytes.ts'
import { CodedError } from '../../errors.ts'
import { type Ed25519Jwk, exportJwk, importJwk } from '../../jwk.ts'
import { toUnixSeconds, type UnixSeconds } from '../../time.ts'
import {
  formatSignature,
  formatTypedVkey,
  type NoteKey,
  parseTypedVkey,
  splitNote,
  typedNoteKey,
} from '../note.ts'

/** The signature type of the key id and of the verifier key. */
const COSIGNATURE_V1 = 0x04
const TIME_BYTES = 8
const SIGNATURE_BYTES = TIME_BYTES + 64

/** Throws `evidence.malformed` for a name with a space or a plus sign. */
export function cosignerKey(name: string, jwk: Ed25519Jwk): NoteKey {
  return typedNoteKey(name, jwk, COSIGNATURE_V1)
}

export function formatCosignerVkey(key: NoteKey): string {
  return formatTypedVkey(key, COSIGNATURE_V1)
}

export function parseCosignerVkey(vkey: string): NoteKey {
  return parseTypedVkey(vkey, COSIGNATURE_V1)
}

/** The note with one more signature line. */
export function cosign(note: string, name: string, time: UnixSeconds, privateKey: KeyObject): string {
  const { text } = splitNote(note)
  const jwk = exportJwk(createPublicKey(privateKey))
  if (jwk.kty !== 'OKP') throw malformed('a checkpoint is cosigned by an Ed25519 key')
  const stated = Buffer.alloc(TIME_BYTES)
  stated.writeBigUInt64BE(BigInt(time))
  const signature = Buffer.concat([stated, sign(null, messageOf(text, time), privateKey)])
  return `${note}${formatSignature(cosignerKey(name, jwk), signature)}`
}

/**
 * The time of the cosignature by `key`. Throws `evidence.malformed`, or `evidence.inconsistent` if there is
 * none or it does not verify.
 */
export function cosignedAt(note: string, key: NoteKey): UnixSeconds {
  const { text, signatures } = splitNote(note)
  const found = signatures.find(({ name, id }) => name === key.name && id.equals(key.id))
  if (found === undefined) throw inconsistent(`${key.name} has not cosigned the checkpoint`)
  const { signature } = found
  if (signature.byteLength !== SIGNATURE_BYTES) throw malformed('a cosignature is not time and signature')
  const time = viewOf(signature).getBigUint64(0)
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed('a cosignature has no time')
  const message = messageOf(text, Number(time))
  if (!verify(null, message, importJwk(key.jwk), signature.subarray(TIME_BYTES)))
    throw inconsistent(`the cosignature of ${key.name} does not verify`)
  return toUnixSeconds(Number(time))
}

function messageOf(text: string, time: number): Buffer {
  return utf8(`cosignature/v1\ntime ${time}\n${text}`)
}

function malformed(message: string): CodedError {
  return new CodedError('evidence.malformed', message)
}

function inconsistent(message: string): CodedError {
  return new CodedError('evidence.inconsistent', message)
}
