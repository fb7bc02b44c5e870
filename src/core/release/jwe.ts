/**
 * JSON Web Encryption (RFC 7516), compact, in one suite without negotiation: ECDH-ES+A256KW over P-256,
 * A256GCM. The protected header has a fixed set of members. Every failure to open gives the same code (RFC
 * 7516 §11.5).
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto'
import { z } from 'zod'
import { fromBase64url, toBase64url, utf8 } from '../bytes.ts'
import { canonicalBytes, checkShape, parseJson } from '../canonical.ts'
import { CodedError } from '../errors.ts'
import { exportJwk, importJwk, P256Jwk, thumbprint } from '../jwk.ts'

const ALG = 'ECDH-ES+A256KW'
const KEK_BYTES = 32
const CEK_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
/** RFC 3394 §2.2.3.1. */
const KEY_WRAP_IV = Buffer.alloc(8, 0xa6)
/** A missing part. */
const NONE = Buffer.alloc(0)

/** `apu` and `apv` of RFC 7518 §4.6.1, both or neither. Each side must already know them. */
type Context = { readonly apu: Uint8Array; readonly apv: Uint8Array } | undefined

/** Texts are compared with the expected ones. */
const Header = z.strictObject({
  alg: z.literal(ALG),
  apu: z.string().optional(),
  apv: z.string().optional(),
  enc: z.literal('A256GCM'),
  epk: P256Jwk,
  kid: z.string(),
})

/** A compact JWE that only the holder of `recipient` can open. */
export function sealTo(recipient: P256Jwk, plaintext: Uint8Array, context?: Context): string {
  const ephemeral = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const header = toBase64url(
    canonicalBytes({
      alg: ALG,
      ...textOf(context),
      enc: 'A256GCM',
      epk: exportJwk(ephemeral.publicKey),
      kid: thumbprint(recipient),
    }),
  )
  const kek = deriveKek(ephemeral.privateKey, importJwk(recipient), context)
  const cek = randomBytes(CEK_BYTES)
  try {
    const iv = randomBytes(IV_BYTES)
    const wrap = createCipheriv('id-aes256-wrap', kek, KEY_WRAP_IV)
    const encryptedKey = Buffer.concat([wrap.update(cek), wrap.final()])
    const cipher = createCipheriv('aes-256-gcm', cek, iv, { authTagLength: TAG_BYTES })
    cipher.setAAD(utf8(header))
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
    return [header, ...[encryptedKey, iv, ciphertext, cipher.getAuthTag()].map(toBase64url)].join('.')
  } finally {
    kek.fill(0)
    cek.fill(0)
  }
}

/** The plaintext, which the caller owns and wipes. Every failure throws `key.unopened`. */
export function openSealed(jwe: string, privateKey: KeyObject, context?: Context): Buffer {
  const keys: Buffer[] = []
  try {
    const parts = jwe.split('.')
    if (parts.length !== 5) throw new CodedError('key.unopened', 'a compact JWE has five parts')
    const [header = '', ...rest] = parts
    const [encryptedKey = NONE, iv = NONE, ciphertext = NONE, tag = NONE] = rest.map((part) =>
      fromBase64url(part),
    )
    // node:crypto refuses a key or a tag of another length, but GCM takes an IV of any.
    if (iv.byteLength !== IV_BYTES) throw new CodedError('key.unopened', 'the IV has the wrong length')

    const { epk } = expectHeader(header, exportJwk(privateKey), context)
    const kek = deriveKek(privateKey, importJwk(epk), context)
    keys.push(kek)
    const unwrap = createDecipheriv('id-aes256-wrap', kek, KEY_WRAP_IV)
    const cek = Buffer.concat([unwrap.update(encryptedKey), unwrap.final()])
    keys.push(cek)
    return decryptContent(cek, iv, utf8(header), ciphertext, tag)
  } catch (cause) {
    throw new CodedError('key.unopened', 'the JWE does not open with this key and context', { cause })
  } finally {
    for (const key of keys) key.fill(0)
  }
}

function expectHeader(text: string, own: unknown, context: Context): z.output<typeof Header> {
  // Members may come in any order, as other implementations write them. The header is authenticated as
  // additional data, and a grant names the digest of the whole JWE.
  const header = checkShape(Header, parseJson(fromBase64url(text)), 'JWE header', 'key.unopened')
  const { apu, apv } = textOf(context)
  if (header.kid !== thumbprint(P256Jwk.parse(own)) || header.apu !== apu || header.apv !== apv)
    throw new CodedError('key.unopened', 'the JWE is for another key or context')
  return header
}

function decryptContent(
  cek: Uint8Array,
  iv: Uint8Array,
  additional: Uint8Array,
  ciphertext: Uint8Array,
  tag: Uint8Array,
): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', cek, iv, { authTagLength: TAG_BYTES })
  decipher.setAAD(additional)
  decipher.setAuthTag(tag)
  const plaintext = decipher.update(ciphertext)
  try {
    decipher.final()
    return plaintext
  } catch (cause) {
    plaintext.fill(0)
    throw cause
  }
}

/**
 * Concat KDF, RFC 7518 §4.6.2, in one round: SHA-256 gives exactly the 256 bits of the key-encryption key.
 */
function deriveKek(privateKey: KeyObject, publicKey: KeyObject, context: Context): Buffer {
  const shared = diffieHellman({ privateKey, publicKey })
  try {
    return createHash('sha256')
      .update(u32(1))
      .update(shared)
      .update(sized(utf8(ALG)))
      .update(sized(context?.apu ?? new Uint8Array()))
      .update(sized(context?.apv ?? new Uint8Array()))
      .update(u32(KEK_BYTES * 8))
      .digest()
  } finally {
    shared.fill(0)
  }
}

function textOf(context: Context): { apu?: string; apv?: string } {
  return context === undefined ? {} : { apu: toBase64url(context.apu), apv: toBase64url(context.apv) }
}

function sized(bytes: Uint8Array): Buffer {
  return Buffer.concat([u32(bytes.byteLength), bytes])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
