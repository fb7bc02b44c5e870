/** The two kinds of public key in AMD's certificates, in their one form each, and what they verify. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { sameBytes } from '../bytes.ts'
import { Malformed } from './der.ts'

/**
 * As PEM for a key that is used once, as a KeyObject for one that is kept. Nothing is ever said beside the key (its encoding,
 * a padding): for a key inside an object of options node:crypto throws and catches up to four errors, whose
 * stacks cost as much as a tenth of an ECDSA check. So the key says it all by itself.
 */
export type PublicKey = KeyObject | string

/** SubjectPublicKeyInfo in DER: the algorithm, what comes before the number that differs, how long that is, what follows. */
type KeyForm = {
  readonly algorithm: Buffer
  readonly before: Buffer
  readonly bytes: number
  readonly after: Buffer
}
/** rsaEncryption; a modulus of 4096 bits, the exponent 65537. */
const RSA_4096: KeyForm = {
  algorithm: Buffer.from('30820222300d06092a864886f70d0101010500', 'hex'),
  before: Buffer.from('0382020f003082020a0282020100', 'hex'),
  bytes: 512,
  after: Buffer.from('0203010001', 'hex'),
}
/** id-ecPublicKey on secp384r1; an uncompressed point. */
const P384: KeyForm = {
  algorithm: Buffer.from('3076301006072a8648ce3d020106052b81040022', 'hex'),
  before: Buffer.from('03620004', 'hex'),
  bytes: 96,
  after: Buffer.alloc(0),
}
/** In the place of rsaEncryption: id-RSASSA-PSS with SHA-384, MGF1 over SHA-384, and a salt of 48 bytes (RFC 4055 §3). */
const PSS_SHA384 = Buffer.from(
  '30820256304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d0101' +
    '08300d06096086480165030402020500a203020130',
  'hex',
)
const TOP_BIT = 0x80

/**
 * Of an authority: a key that verifies RSASSA-PSS with SHA-384, MGF1 over SHA-384 and a salt of 48 bytes, and nothing else,
 * whatever a certificate says. Throws `Malformed`.
 */
export function rsa4096Of(spki: Buffer): PublicKey {
  const { algorithm, before } = RSA_4096
  if (!hasForm(spki, RSA_4096) || spki.readUInt8(algorithm.byteLength + before.byteLength) < TOP_BIT)
    throw new Malformed('of an authority has a key that is not RSA of 4096 bits')
  return pemOf(Buffer.concat([PSS_SHA384, spki.subarray(algorithm.byteLength)]))
}

/** Of a VCEK or VLEK. Whether the point is on the curve is seen when it is used. Throws `Malformed`. */
export function p384Of(spki: Buffer): PublicKey {
  if (!hasForm(spki, P384)) throw new Malformed('of an endorsement key has a key that is not on P-384')
  return pemOf(spki)
}

/** Throws `Malformed`. */
export function importKey(key: PublicKey): KeyObject {
  return typeof key === 'string' ? using(() => createPublicKey(key)) : key
}

/**
 * With SHA-384. An RSA key takes a signature of RSASSA-PSS, a key on P-384 an Ecdsa-Sig-Value (RFC 3279 §2.2.3). Throws
 * `Malformed` for a key that is none.
 */
export function isSignature(signature: Buffer, message: Buffer, key: PublicKey): boolean {
  return using(() => verify('sha384', message, key, signature))
}

/** Ecdsa-Sig-Value of r ‖ s, both from 1 and of the same width. */
export function ecdsaSigValueOf(scalars: Buffer): Buffer {
  const width = scalars.byteLength / 2
  const numbers = [integerOf(scalars.subarray(0, width)), integerOf(scalars.subarray(width))]
  const content = Buffer.concat(numbers)
  return Buffer.concat([Buffer.of(0x30, content.byteLength), content])
}

/** A DER INTEGER: no zero to spare, and one in front where the top bit would make it negative. */
function integerOf(scalar: Buffer): Buffer {
  const value = scalar.subarray(scalar.findIndex((byte) => byte !== 0))
  const sign = value.readUInt8(0) < TOP_BIT ? [] : [0]
  return Buffer.concat([Buffer.of(0x02, value.byteLength + sign.length, ...sign), value])
}

function pemOf(spki: Buffer): string {
  return `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64')}\n-----END PUBLIC KEY-----\n`
}

function hasForm(spki: Buffer, { algorithm, before, bytes, after }: KeyForm): boolean {
  const head = Buffer.concat([algorithm, before])
  const from = head.byteLength + bytes
  return (
    spki.byteLength === from + after.byteLength &&
    sameBytes(spki.subarray(0, head.byteLength), head) &&
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
