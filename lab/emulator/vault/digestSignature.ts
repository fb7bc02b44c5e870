/**
 * ECDSA over a given digest (FIPS 186-5 §6.4.1), because node:crypto only signs messages. OpenSSL multiplies
 * the point (through ECDH); the rest is arithmetic modulo the order. It does not run in constant time, which
 * only an emulator can afford.
 */
import { createECDH, type KeyObject, randomBytes } from 'node:crypto'

const CURVES = {
  NIST_P256: {
    name: 'prime256v1',
    bytes: 32,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  NIST_P384: {
    name: 'secp384r1',
    bytes: 48,
    order:
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
} as const

export type DigestCurve = keyof typeof CURVES

/** Returns DER, as the Vault does. The digest must be as long as the order. */
export function signDigest(curve: DigestCurve, key: KeyObject, digest: Uint8Array): Buffer {
  const { name, bytes, order } = CURVES[curve]
  const secret = toInteger(Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url'))
  for (;;) {
    const nonce = toInteger(randomBytes(bytes))
    if (nonce === 0n || nonce >= order) continue
    const ecdh = createECDH(name)
    ecdh.setPrivateKey(Buffer.from(toHex(nonce, bytes), 'hex'))
    const r = toInteger(ecdh.getPublicKey().subarray(1, 1 + bytes)) % order
    const s = (inverse(nonce, order) * (toInteger(digest) + r * secret)) % order
    if (r !== 0n && s !== 0n) return toDer(r, s, bytes)
  }
}

/** By Fermat's little theorem; the order is prime. */
function inverse(value: bigint, order: bigint): bigint {
  let result = 1n
  let base = value % order
  for (let exponent = order - 2n; exponent > 0n; exponent >>= 1n) {
    if ((exponent & 1n) === 1n) result = (result * base) % order
    base = (base * base) % order
  }
  return result
}

function toDer(r: bigint, s: bigint, bytes: number): Buffer {
  const body = Buffer.concat([r, s].map((value) => toDerInteger(value, bytes)))
  return Buffer.concat([Buffer.of(0x30, body.byteLength), body])
}

function toDerInteger(value: bigint, bytes: number): Buffer {
  let magnitude = Buffer.from(toHex(value, bytes), 'hex')
  while (magnitude.byteLength > 1 && magnitude[0] === 0) magnitude = magnitude.subarray(1)
  const padded = (magnitude[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), magnitude]) : magnitude
  return Buffer.concat([Buffer.of(0x02, padded.byteLength), padded])
}

function toInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
}

function toHex(value: bigint, bytes: number): string {
  return value.toString(16).padStart(bytes * 2, '0')
}
