/**
 * The Verifier keys v1: the quorum's statement that one Vault key is the grant CA, and which key signs
 * freshness statements. It contains no rules.
 */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { ocid, time } from '../fields.ts'
import { P384Jwk, SigningJwk, thumbprint } from '../jwk.ts'
import { defineSigned, type GeneralJws, type QuorumRoot } from '../jws.ts'
import { type GovernanceDocument, type Kind, personsOf } from './document.ts'
import { type Deployment, ENVELOPE, isFor } from './envelope.ts'

/** Grant CAs are replaced about once a year. */
export const MAX_EARLIER = 16

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

/**
 * Every grant CA that a quorum has ever certified, for this deployment if one is given: it registered boots in
 * its time.
 */
export function grantCasOf(
  documents: readonly GovernanceDocument<VerifierKeys>[],
  { threshold }: QuorumRoot,
  deployment?: Deployment,
): readonly GrantCa[] {
  return documents.flatMap((document) =>
    document.content !== undefined &&
    personsOf(document, NONE) >= threshold &&
    (deployment === undefined || isFor(document, deployment))
      ? [{ jwk: document.content.grantCa.jwk, exp: document.content.exp }]
      : [],
  )
}

/**
 * The documents of before `current` that certified other grant CAs, for the same deployment: for each CA the
 * one that certified it longest, the newest first.
 */
export function earlierKeys(
  documents: readonly GovernanceDocument<VerifierKeys>[],
  current: VerifierKeys,
  { threshold }: QuorumRoot,
): readonly GeneralJws[] {
  const longest = new Map<string, { readonly content: VerifierKeys; readonly signed: GeneralJws }>()
  for (const document of documents) {
    const { content, signed } = document
    if (content === undefined || content.seq >= current.seq || personsOf(document, NONE) < threshold) continue
    if (!isFor(document, current)) continue
    const ca = thumbprint(content.grantCa.jwk)
    if (ca !== thumbprint(current.grantCa.jwk) && content.exp > (longest.get(ca)?.content.exp ?? 0))
      longest.set(ca, { content, signed })
  }
  return [...longest.values()]
    .sort((a, b) => b.content.seq - a.content.seq)
    .slice(0, MAX_EARLIER)
    .map(({ signed }) => signed)
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
