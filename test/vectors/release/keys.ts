/**
 * Keys, signatures and wrapped keys from a seed: values that are random elsewhere are the same each time
 * here.
 */
import {
  createCipheriv,
  createECDH,
  createHash,
  createPrivateKey,
  diffieHellman,
  type KeyObject,
} from 'node:crypto'
import { fromBase64url, sha256, sha384, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { Ed25519Jwk, exportJwk, importJwk, P256Jwk, P384Jwk, type RsaJwk, thumbprint } from '#core/jwk.ts'
import { keySigner, type Signer } from '#core/jws.ts'
import { seeded } from '../sealed/seeded.ts'

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')
/** Order of P-384 (FIPS 186-5). */
const N = 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n

export function ed25519(seed: string): { readonly signer: Signer; readonly jwk: Ed25519Jwk } {
  const der = Buffer.concat([PKCS8_ED25519, seeded(seed)(32)])
  const signer = keySigner(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
  return { signer, jwk: Ed25519Jwk.parse(signer.jwk) }
}

/** ES384 with a secret number from seed and message. */
export function p384(seed: string): { readonly signer: Signer; readonly jwk: P384Jwk } {
  const d = scalar(seed, 48)
  const jwk = P384Jwk.parse({ kty: 'EC', crv: 'P-384', ...pointOf('secp384r1', d) })
  const sign = async (message: Uint8Array): Promise<Buffer> => {
    const k = scalar(`${seed} signs ${toHex(sha256(message))}`, 48)
    const r = numberOf(fromBase64url(pointOf('secp384r1', k).x)) % N
    const s = (inverse(numberOf(k)) * (numberOf(sha384(message)) + r * numberOf(d))) % N
    return Buffer.from([r, s].map((value) => value.toString(16).padStart(96, '0')).join(''), 'hex')
  }
  return { signer: { jwk, sign }, jwk }
}

export function p256(seed: string): { readonly privateKey: KeyObject; readonly jwk: P256Jwk } {
  const d = scalar(seed, 32)
  const key = { kty: 'EC', crv: 'P-256', ...pointOf('prime256v1', d), d: toBase64url(d) }
  const privateKey = createPrivateKey({ key, format: 'jwk' })
  return { privateKey, jwk: P256Jwk.parse(exportJwk(privateKey)) }
}

/** A modulus of the right length without a known factor. */
export function rsaJwk(seed: string): RsaJwk {
  const n = seeded(seed)(256)
  n.writeUInt8(n.readUInt8(0) | 0x80, 0)
  n.writeUInt8(n.readUInt8(255) | 1, 255)
  return { kty: 'RSA', n: toBase64url(n), e: 'AQAB' }
}

/**
 * docs/formats/release.md §7, independent of the implementation: ephemeral key, CEK and IV come from the
 * seed.
 */
export function wrapSeeded(
  seed: string,
  plaintext: Uint8Array,
  recipient: P256Jwk,
  { apu, apv }: { readonly apu: Uint8Array; readonly apv: Uint8Array },
  /** What its header says besides. */
  said: object = {},
): string {
  const ephemeral = p256(`${seed} epk`)
  const header = toBase64url(
    canonicalBytes({
      alg: 'ECDH-ES+A256KW',
      apu: toBase64url(apu),
      apv: toBase64url(apv),
      enc: 'A256GCM',
      epk: ephemeral.jwk,
      kid: thumbprint(recipient),
      ...said,
    }),
  )
  const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: importJwk(recipient) })
  const info = [utf8('ECDH-ES+A256KW'), apu, apv].flatMap((part) => [u32(part.byteLength), part])
  const kek = createHash('sha256')
    .update(Buffer.concat([u32(1), shared, ...info, u32(256)]))
    .digest()
  const cek = seeded(`${seed} cek`)(32)
  const wrap = createCipheriv('id-aes256-wrap', kek, Buffer.alloc(8, 0xa6))
  const iv = seeded(`${seed} iv`)(12)
  const cipher = createCipheriv('aes-256-gcm', cek, iv)
  cipher.setAAD(utf8(header))
  const parts = [
    Buffer.concat([wrap.update(cek), wrap.final()]),
    iv,
    Buffer.concat([cipher.update(plaintext), cipher.final()]),
    cipher.getAuthTag(),
  ]
  return [header, ...parts.map(toBase64url)].join('.')
}

function scalar(seed: string, bytes: number): Buffer {
  const d = seeded(seed)(bytes)
  // Below the order of either curve.
  d.writeUInt8(d.readUInt8(0) & 0x7f, 0)
  return d
}

function pointOf(curve: 'prime256v1' | 'secp384r1', d: Buffer): { readonly x: string; readonly y: string } {
  const ecdh = createECDH(curve)
  ecdh.setPrivateKey(d)
  const point = ecdh.getPublicKey()
  const half = (point.byteLength - 1) / 2
  return { x: toBase64url(point.subarray(1, 1 + half)), y: toBase64url(point.subarray(1 + half)) }
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`)
}

/** Fermat: N is prime. */
function inverse(value: bigint): bigint {
  let result = 1n
  let base = value % N
  for (let exponent = N - 2n; exponent > 0n; exponent >>= 1n) {
    if ((exponent & 1n) === 1n) result = (result * base) % N
    base = (base * base) % N
  }
  return result
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
