/** The two kinds of public key in AMD's certificates, in their one form each, and what they verify. */
import { constants, createPublicKey, KeyObject, type VerifyKeyObjectInput, verify } from 'node:crypto'
import { sameBytes } from '#core/bytes.ts'
import { Malformed } from './der.ts'

/**
 * As bytes for a key that verifies once: importing costs as much as a tenth of an ECDSA check, and more than half of an RSA one.
 * As a KeyObject for one that is kept.
 */
export type PublicKey = KeyObject | DerKey
type DerKey = { readonly key: Buffer; readonly format: 'der'; readonly type: 'spki' }

/** SubjectPublicKeyInfo in DER: what comes before the number that differs, how long that is, what follows. */
type KeyForm = { readonly before: Buffer; readonly bytes: number; readonly after: Buffer }
/** rsaEncryption; a modulus of 4096 bits, the exponent 65537. */
const RSA_4096: KeyForm = {
  before: Buffer.from('30820222300d06092a864886f70d01010105000382020f003082020a0282020100', 'hex'),
  bytes: 512,
  after: Buffer.from('0203010001', 'hex'),
}
/** id-ecPublicKey on secp384r1; an uncompressed point. */
const P384: KeyForm = {
  before: Buffer.from('3076301006072a8648ce3d020106052b8104002203620004', 'hex'),
  bytes: 96,
  after: Buffer.alloc(0),
}
const TOP_BIT = 0x80
export const SALT_BYTES = 48

/** Of an authority. Throws `Malformed`. */
export function rsa4096Of(spki: Buffer): PublicKey {
  const isLong = ((spki[RSA_4096.before.byteLength] ?? 0) & TOP_BIT) !== 0
  if (!hasForm(spki, RSA_4096) || !isLong)
    throw new Malformed('of an authority has a key that is not RSA of 4096 bits')
  return { key: spki, format: 'der', type: 'spki' }
}

/** Of a VCEK or VLEK. Whether the point is on the curve is seen when it is used. Throws `Malformed`. */
export function p384Of(spki: Buffer): PublicKey {
  if (!hasForm(spki, P384)) throw new Malformed('of an endorsement key has a key that is not on P-384')
  return { key: spki, format: 'der', type: 'spki' }
}

/** Throws `Malformed`. */
export function importKey(key: PublicKey): KeyObject {
  return key instanceof KeyObject ? key : using(() => createPublicKey(key))
}

/** RSASSA-PSS with SHA-384, MGF1 over SHA-384 and a salt of 48 bytes. Throws `Malformed` for a key that is none. */
export function verifyPss(key: PublicKey, message: Buffer, signature: Buffer): boolean {
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: SALT_BYTES }
  return using(() => verify('sha384', message, { ...inputOf(key), ...padding }, signature))
}

/** ECDSA on P-384 with SHA-384; the signature is r ‖ s. Throws `Malformed` for a key that is none. */
export function verifyEcdsa(key: PublicKey, message: Buffer, signature: Buffer): boolean {
  return using(() => verify('sha384', message, { ...inputOf(key), dsaEncoding: 'ieee-p1363' }, signature))
}

function inputOf(key: PublicKey): DerKey | VerifyKeyObjectInput {
  return key instanceof KeyObject ? { key } : key
}

function hasForm(spki: Buffer, { before, bytes, after }: KeyForm): boolean {
  const from = before.byteLength + bytes
  return (
    spki.byteLength === from + after.byteLength &&
    sameBytes(spki.subarray(0, before.byteLength), before) &&
    sameBytes(spki.subarray(from), after)
  )
}

/** A wrong signature is an answer; what OpenSSL throws is about the key. */
function using<T>(use: () => T): T {
  try {
    return use()
  } catch {
    throw new Malformed('has a key that is none, such as a point that is not on its curve')
  }
}
