/** Public keys as JSON Web Keys (RFC 7517, RFC 8037), in the few shapes that this project uses. */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { canonicalText } from './canonical.ts'
import { CodedError } from './errors.ts'

const base64urlOf = (bytes: number) =>
  z
    .string()
    .regex(
      new RegExp(`^[A-Za-z0-9_-]{${Math.ceil((bytes * 4) / 3)}}$`),
      `must be ${bytes} bytes in base64url`,
    )

export const P256Jwk = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: base64urlOf(32),
  y: base64urlOf(32),
})
export const P384Jwk = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-384'),
  x: base64urlOf(48),
  y: base64urlOf(48),
})
export const Ed25519Jwk = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: base64urlOf(32),
})
export const RsaJwk = z.strictObject({
  kty: z.literal('RSA'),
  n: z.string().regex(/^[A-Za-z0-9_-]{342,683}$/, 'must be a modulus of 2048 to 4096 bits'),
  e: z.literal('AQAB'),
})

/**
 * A key that may sign our documents: Ed25519 (`EdDSA`), or P-384 (`ES384`) if the private half is in a Vault.
 */
export const SigningJwk = z.union([Ed25519Jwk, P384Jwk])
export type P256Jwk = z.output<typeof P256Jwk>
export type P384Jwk = z.output<typeof P384Jwk>
export type Ed25519Jwk = z.output<typeof Ed25519Jwk>
export type RsaJwk = z.output<typeof RsaJwk>
export type SigningJwk = z.output<typeof SigningJwk>
export type PublicJwk = P256Jwk | P384Jwk | Ed25519Jwk | RsaJwk

/** RFC 7638. Every shape above has exactly its required members, so the whole key is the input. */
export function thumbprint(jwk: PublicJwk): string {
  return createHash('sha256').update(canonicalText(jwk)).digest('base64url')
}

// Few keys sign most of what is verified, and importing one takes as long as a signature of Ed25519.
const IMPORTED = new WeakMap<PublicJwk, KeyObject>()

/** Throws `encoding.invalid` for a point off its curve. */
export function importJwk(jwk: PublicJwk): KeyObject {
  try {
    const imported = IMPORTED.get(jwk) ?? createPublicKey({ key: { ...jwk }, format: 'jwk' })
    IMPORTED.set(jwk, imported)
    return imported
  } catch (cause) {
    throw new CodedError('encoding.invalid', `a ${jwk.kty} key is not a valid public key`, { cause })
  }
}

/**
 * The public half of any key object, in one of the shapes above. Throws `encoding.invalid` for any other
 * kind.
 */
export function exportJwk(key: KeyObject): PublicJwk {
  // A private half never becomes a text.
  const { kty, crv, x, y, n, e } = (key.type === 'private' ? createPublicKey(key) : key).export({
    format: 'jwk',
  })
  const parsed = z
    .union([P256Jwk, P384Jwk, Ed25519Jwk, RsaJwk])
    .safeParse(JSON.parse(JSON.stringify({ kty, crv, x, y, n, e })))
  if (!parsed.success)
    throw new CodedError('encoding.invalid', `a ${kty} ${crv ?? ''} key is of an unsupported kind`)
  return parsed.data
}
