/**
 * The Verifier keys v1: the quorum's statement that one Vault key is the grant CA, and which key signs
 * freshness statements. It contains no rules.
 */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { ocid, time } from '../fields.ts'
import { P384Jwk, SigningJwk } from '../jwk.ts'
import { defineSigned, type QuorumRoot } from '../jws.ts'
import { type GovernanceDocument, type Kind, personsOf } from './document.ts'
import { ENVELOPE } from './envelope.ts'

export const VerifierKeysSchema = z.strictObject({
  ...ENVELOPE,
  exp: time,
  grantCa: z.strictObject({ jwk: P384Jwk, keyId: ocid }),
  freshnessKey: SigningJwk,
})
export type VerifierKeys = z.output<typeof VerifierKeysSchema>

export const VerifierKeysFormat = defineSigned(
  'cw-verifier-keys',
  defineFormat({ name: 'verifier keys', maxBytes: 2048, code: 'grant.invalid', schema: VerifierKeysSchema }),
)
export const VERIFIER_KEYS: Kind<VerifierKeys> = {
  folder: 'verifier-keys',
  format: VerifierKeysFormat,
  endsPredecessor: true,
}

/** A key that registers boots, and the end of its certification. */
export type GrantCa = { readonly jwk: P384Jwk; readonly exp: number }

/** Every grant CA that a quorum has ever certified: it registered boots in its time. */
export function grantCasOf(
  documents: readonly GovernanceDocument<VerifierKeys>[],
  { threshold }: QuorumRoot,
): readonly GrantCa[] {
  return documents.flatMap((document) =>
    document.content !== undefined && personsOf(document, NONE) >= threshold
      ? [{ jwk: document.content.grantCa.jwk, exp: document.content.exp }]
      : [],
  )
}

const NONE: ReadonlySet<string> = new Set()

/** True if they certify this key under this id. */
export function certifies(
  { grantCa }: VerifierKeys,
  own: { readonly keyId: string; readonly jwk: SigningJwk },
): boolean {
  const { jwk, keyId } = own
  return grantCa.keyId === keyId && jwk.kty === 'EC' && grantCa.jwk.x === jwk.x && grantCa.jwk.y === jwk.y
}
