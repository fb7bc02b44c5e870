/**
 * The two kinds of public key in AMD's certificates, each in its one accepted form, and signatures under
 * them.
 */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { sameBytes, viewOf } from '../bytes.ts'
import { Malformed } from './der.ts'

/**
 * A public key in a certificate: PEM if it is used once, imported if it is kept.
 *
 * The key states its scheme and is never passed inside an object of options (an encoding, a padding). With
 * such an object node:crypto throws and catches up to four errors, and their stacks cost a tenth of an ECDSA
 * verification.
 */
export class PublicKey {
  readonly #key: KeyObject | string

  private constructor(key: KeyObject | string) {
    this.#key = key
  }

  /** A key from the PEM of its SubjectPublicKeyInfo. An invalid key is refused at its first use. */
  static fromPem(pem: string): PublicKey {
    return new PublicKey(pem)
  }

  /** The same key in its imported form. Throws `Malformed` if the key is invalid. */
  imported(): PublicKey {
    const key = this.#key
    return typeof key === 'string' ? new PublicKey(using(() => createPublicKey(key))) : this
  }

  /**
   * True if the signature is valid for the message, with SHA-384. Throws `Malformed` if the key is invalid.
   */
  verifies(signature: Uint8Array, message: Uint8Array): boolean {
    return using(() => verify('sha384', message, this.#key, signature))
  }
}

/**
 * A SubjectPublicKeyInfo in DER: its algorithm, the fixed bytes before and after the number, and the number's
 * length.
 */
type KeyForm = {
  readonly algorithm: Buffer
  readonly before: Buffer
  readonly bytes: number
  readonly after: Buffer
}
/** rsaEncryption with a modulus of 4096 bits and the exponent 65537. */
const RSA_4096: KeyForm = {
  algorithm: Buffer.from('30820222300d06092a864886f70d0101010500', 'hex'),
  before: Buffer.from('0382020f003082020a0282020100', 'hex'),
  bytes: 512,
  after: Buffer.from('0203010001', 'hex'),
}
/** id-ecPublicKey on secp384r1 with an uncompressed point. */
const P384: KeyForm = {
  algorithm: Buffer.from('3076301006072a8648ce3d020106052b81040022', 'hex'),
  before: Buffer.from('03620004', 'hex'),
  bytes: 96,
  after: Buffer.alloc(0),
}
/**
 * Replaces rsaEncryption: id-RSASSA-PSS with SHA-384, MGF1 over SHA-384 and a salt of 48 bytes (RFC 4055 §3).
 */
const PSS_SHA384 = Buffer.from(
  '30820256304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d0101' +
    '08300d06096086480165030402020500a203020130',
  'hex',
)
const TOP_BIT = 0x80

/**
 * The key of an authority (ARK, ASK, ASVK) from its SubjectPublicKeyInfo in DER. Whatever a certificate says,
 * the key verifies only RSASSA-PSS with SHA-384, MGF1 over SHA-384 and a salt of 48 bytes. Throws
 * `Malformed`.
 */
export function rsa4096Of(spki: Uint8Array): PublicKey {
  const { algorithm, before } = RSA_4096
  if (!hasForm(spki, RSA_4096) || byteAt(spki, algorithm.byteLength + before.byteLength) < TOP_BIT)
    throw new Malformed(
      'has a public key that is not RSA-4096 with exponent 65537, as an authority must have',
    )
  return pemOf(Buffer.concat([PSS_SHA384, spki.subarray(algorithm.byteLength)]))
}

/**
 * The key of a VCEK or VLEK from its SubjectPublicKeyInfo in DER. Throws `Malformed`. A point that is not on
 * the curve is refused later, when the key is used.
 */
export function p384Of(spki: Uint8Array): PublicKey {
  if (!hasForm(spki, P384))
    throw new Malformed('has a public key that is not P-384, as a VCEK or VLEK must have')
  return pemOf(spki)
}

/** The key in its imported form, for repeated use. Throws `Malformed` if the key is invalid. */
export function importKey(key: PublicKey): PublicKey {
  return key.imported()
}

/**
 * True if `signature` is valid for `message` under `key`, with SHA-384. An RSA key takes an RSASSA-PSS
 * signature, a P-384 key an Ecdsa-Sig-Value (RFC 3279 §2.2.3). Throws `Malformed` if the key is invalid.
 */
export function isSignature(signature: Uint8Array, message: Uint8Array, key: PublicKey): boolean {
  return key.verifies(signature, message)
}

/** The DER of an Ecdsa-Sig-Value (RFC 3279 §2.2.3) from r ‖ s, which have equal width and are at least 1. */
export function ecdsaSigValueOf(scalars: Uint8Array): Uint8Array {
  const width = scalars.byteLength / 2
  const numbers = [integerOf(scalars.subarray(0, width)), integerOf(scalars.subarray(width))]
  const content = Buffer.concat(numbers)
  return Buffer.concat([Buffer.of(0x30, content.byteLength), content])
}

/** A DER INTEGER: no redundant zero, and a zero in front if the top bit would make the number negative. */
function integerOf(scalar: Uint8Array): Uint8Array {
  const value = scalar.subarray(scalar.findIndex((byte) => byte !== 0))
  const sign = byteAt(value, 0) < TOP_BIT ? [] : [0]
  return Buffer.concat([Buffer.of(0x02, value.byteLength + sign.length, ...sign), value])
}

function pemOf(spki: Uint8Array): PublicKey {
  return PublicKey.fromPem(
    `-----BEGIN PUBLIC KEY-----\n${Buffer.from(spki).toString('base64')}\n-----END PUBLIC KEY-----\n`,
  )
}

function hasForm(spki: Uint8Array, { algorithm, before, bytes, after }: KeyForm): boolean {
  const head = Buffer.concat([algorithm, before])
  const from = head.byteLength + bytes
  return (
    spki.byteLength === from + after.byteLength &&
    sameBytes(spki.subarray(0, head.byteLength), head) &&
    sameBytes(spki.subarray(from), after)
  )
}

function byteAt(bytes: Uint8Array, index: number): number {
  return viewOf(bytes).getUint8(index)
}

/** A wrong signature gives `false`; OpenSSL throws only about the key. */
function using<T>(use: () => T): T {
  try {
    return use()
  } catch {
    throw new Malformed('contains an invalid public key, such as a point that is not on its curve')
  }
}
