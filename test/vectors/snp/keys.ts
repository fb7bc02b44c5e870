/**
 * The signer's keys and signatures, all from a seed: values that are random elsewhere must be the same on
 * each run here.
 */
import {
  constants,
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  privateEncrypt,
  sign,
} from 'node:crypto'
import { sha256, toBase64url, toHex } from '#core/bytes.ts'
import { FIELDS, P384_ORDER, SCALAR_BYTES, SIGNED_BYTES } from '#core/snp/layout.ts'
import type { SignatureScheme } from '#lab/amd/certificate.ts'
import { explicit, integer, nothing, oid, sequence } from '#lab/amd/der.ts'
import { seeded } from '../sealed/seeded.ts'

/**
 * RSA keys: the indices of the first primes in the seed's stream of numbers. Another seed needs another
 * search, which takes some seconds. With a number that is not prime no signature verifies, so no vector would
 * be accepted.
 */
const PRIMES = {
  ark: { p: 629, q: 220, bytes: 256 },
  ask: { p: 696, q: 1307, bytes: 256 },
  asvk: { p: 901, q: 1683, bytes: 256 },
  stranger: { p: 806, q: 150, bytes: 256 },
  /** An RSA key of 2048 bits. */
  short: { p: 340, q: 392, bytes: 128 },
} as const
const E = 65_537n

export function rsaKey(name: keyof typeof PRIMES): KeyObject {
  const row = PRIMES[name]
  const [p, q] = [primeOf(`${name} p`, row.p, row.bytes), primeOf(`${name} q`, row.q, row.bytes)]
  const d = inverse(E, (p - 1n) * (q - 1n))
  const numbers = { n: p * q, e: E, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) }
  const encoded = Object.entries(numbers).map(([field, value]) => [field, toBase64url(bytesOf(value))])
  const key = createPrivateKey({ key: { kty: 'RSA', ...Object.fromEntries(encoded) }, format: 'jwk' })
  keyNames.set(key, name)
  return key
}

const keyNames = new Map<KeyObject, string>()

function primeOf(seed: string, index: number, bytes: number): bigint {
  const candidate = seeded(`snp vectors, RSA, ${seed}, candidate ${index}`)(bytes)
  candidate.writeUInt8(candidate.readUInt8(0) | 0xc0, 0)
  candidate.writeUInt8(candidate.readUInt8(bytes - 1) | 1, bytes - 1)
  return numberOf(candidate)
}

export const SHA256 = '2.16.840.1.101.3.4.2.1'
export const SHA384 = '2.16.840.1.101.3.4.2.2'
export const PSS = '1.2.840.113549.1.1.10'
export const MGF1 = '1.2.840.113549.1.1.8'
const NAMES = { [SHA256]: 'sha256', [SHA384]: 'sha384' } as const

export type PssChoice = {
  readonly hash?: keyof typeof NAMES
  readonly mgfHash?: keyof typeof NAMES
  readonly salt?: number
  /** The algorithm that the certificate states; absent: the true one. */
  readonly algorithm?: Buffer
}

export const hashOf = (name: string): Buffer => sequence(oid(name), nothing())

/** An AlgorithmIdentifier with RSASSA-PSS-params of these parts. */
export function pssAlgorithm(
  parts: {
    readonly hash?: Buffer
    readonly mask?: Buffer
    readonly salt?: Buffer
    readonly more?: readonly Buffer[]
  } = {},
): Buffer {
  const {
    hash = hashOf(SHA384),
    mask = sequence(oid(MGF1), hashOf(SHA384)),
    salt = integer(48),
    more = [],
  } = parts
  return sequence(oid(PSS), sequence(explicit(0, hash), explicit(1, mask), explicit(2, salt), ...more))
}

/** RSASSA-PSS (RFC 8017 §8.1) with a salt that is derived from the message. The defaults are AMD's. */
export function pss(key: KeyObject, choice: PssChoice = {}): SignatureScheme {
  const { hash = SHA384, mgfHash = SHA384, salt = 48 } = choice
  const algorithm =
    choice.algorithm ??
    pssAlgorithm({ hash: hashOf(hash), mask: sequence(oid(MGF1), hashOf(mgfHash)), salt: integer(salt) })
  return {
    algorithm,
    sign: (tbs) => {
      // Cached, since the signature is always the same and slow to make.
      const signed = `${keyNames.get(key)} ${hash} ${mgfHash} ${salt} ${toHex(sha256(tbs))}`
      const signature = signatures.get(signed) ?? signPss(key, tbs, NAMES[hash], NAMES[mgfHash], salt)
      signatures.set(signed, signature)
      return signature
    },
  }
}

const signatures = new Map<string, Buffer>()

/** EMSA-PSS-ENCODE (RFC 8017 §9.1.1) for a modulus of whole bytes, and the bare RSA operation on it. */
function signPss(key: KeyObject, message: Buffer, hash: string, mgfHash: string, saltBytes: number): Buffer {
  const digest = (...parts: readonly Buffer[]) => createHash(hash).update(Buffer.concat(parts)).digest()
  const salt = seeded(`salt of ${toHex(sha256(message))}`)(saltBytes)
  const inner = digest(Buffer.alloc(8), digest(message), salt)
  const size = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8 - inner.byteLength - 1
  const block = Buffer.concat([Buffer.alloc(size - salt.byteLength - 1), Buffer.of(1), salt])
  const mask = mgf1(mgfHash, inner, size)
  const masked = block.map((byte, index) => byte ^ mask.readUInt8(index))
  masked[0] = (masked[0] ?? 0) & 0x7f
  const encoded = Buffer.concat([masked, inner, Buffer.of(0xbc)])
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, encoded)
}

function mgf1(hash: string, seed: Buffer, size: number): Buffer {
  const blocks: Buffer[] = []
  for (let counter = 0; blocks.length * 32 < size; counter += 1) {
    const number = Buffer.alloc(4)
    number.writeUInt32BE(counter)
    blocks.push(createHash(hash).update(seed).update(number).digest())
  }
  return Buffer.concat(blocks).subarray(0, size)
}

/** RSASSA-PKCS1-v1_5 over SHA-384, which is deterministic. */
export function pkcs1(
  key: KeyObject,
  algorithm = sequence(oid('1.2.840.113549.1.1.12'), nothing()),
): SignatureScheme {
  return { algorithm, sign: (tbs) => sign('sha384', tbs, key) }
}

/** A key on P-384. */
export type EcKey = { readonly d: bigint; readonly privateKey: KeyObject; readonly publicKey: KeyObject }

export function ecKey(seed: string): EcKey {
  const d = scalarOf(seed)
  const { x, y } = pointOf(d)
  const key = {
    kty: 'EC',
    crv: 'P-384',
    x: toBase64url(x),
    y: toBase64url(y),
    d: toBase64url(scalarBytes(d)),
  }
  const privateKey = createPrivateKey({ key, format: 'jwk' })
  return { d, privateKey, publicKey: createPublicKey(privateKey) }
}

/**
 * Signs the covered bytes of a report without any check. The secret number is derived from key and message.
 */
export function signReport(report: Buffer, { d }: EcKey): Buffer {
  const signed = report.subarray(0, SIGNED_BYTES)
  const k = scalarOf(`${d} signs ${toHex(sha256(signed))}`)
  const r = numberOf(pointOf(k).x) % P384_ORDER
  const e = numberOf(createHash('sha384').update(signed).digest())
  const s = (inverse(k, P384_ORDER) * (e + r * d)) % P384_ORDER
  report.set(scalarBytes(r).reverse(), FIELDS.signatureR.at)
  report.set(scalarBytes(s).reverse(), FIELDS.signatureS.at)
  return report
}

export function scalarBytes(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(2 * SCALAR_BYTES, '0'), 'hex')
}

function scalarOf(seed: string): bigint {
  return (numberOf(seeded(seed)(SCALAR_BYTES)) % (P384_ORDER - 1n)) + 1n
}

function pointOf(d: bigint): { readonly x: Buffer; readonly y: Buffer } {
  const ecdh = createECDH('secp384r1')
  ecdh.setPrivateKey(scalarBytes(d))
  const point = ecdh.getPublicKey()
  return { x: point.subarray(1, 1 + SCALAR_BYTES), y: point.subarray(1 + SCALAR_BYTES) }
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`)
}

function bytesOf(value: bigint): Buffer {
  const hex = value.toString(16)
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
}

/** The modular inverse by the extended Euclidean algorithm. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [value % modulus, modulus, 1n, 0n]
  while (a !== 0n) {
    const quotient = b / a
    ;[a, b] = [b % a, a]
    ;[x, y] = [y - quotient * x, x]
  }
  return ((y % modulus) + modulus) % modulus
}
