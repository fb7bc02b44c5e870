/** The name of one boot of a program: the evidence key is born with it and dies with it. */
import { fromBase64url, sha256, toBase32 } from '#core/bytes.ts'
import type { Ed25519Jwk } from '#core/jwk.ts'

const BOOT_CHARACTERS = 26

/** The first 26 characters of base32(SHA-256(the 32 raw bytes of the evidence key)). */
export function bootOf(evidenceKey: Ed25519Jwk): string {
  return toBase32(sha256(fromBase64url(evidenceKey.x))).slice(0, BOOT_CHARACTERS)
}
