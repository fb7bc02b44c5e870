/** The boot: one start of a program. Its id, and the origin of its log. */
import { fromBase64url, sha256, toBase32 } from '../bytes.ts'
import type { Ed25519Jwk } from '../jwk.ts'

/** 130 bits of the digest of the evidence key that this start has generated. */
export function bootOf(evidenceKey: Ed25519Jwk): string {
  return toBase32(sha256(fromBase64url(evidenceKey.x, 'evidence key'))).slice(0, 26)
}

export type Role = 'worker' | 'verifier'

export function logOrigin(role: Role, id: string): string {
  return `confidential-worker/${role}/${id}`
}
