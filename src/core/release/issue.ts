/** The grant over a decision: its terms, its end, and the digests that bind the keys to it. */
import { sha256, toBase64url, utf8 } from '../bytes.ts'
import type { Policy } from '../policy/policy.ts'
import { grantedTerms } from '../policy/terms.ts'
import { addSeconds, type UnixSeconds } from '../time.ts'
import type { Asker } from './assertion.ts'
import type { GrantedJob } from './decide.ts'
import type { Grant, GrantedConsent } from './grant.ts'

/**
 * A grant is for work that begins now. After it the TEE starts no object, and the Verifier cosigns no result.
 */
const GRANT_LIFETIME_SECONDS = 3600

/** The end of a grant: its lifetime, cut by everything that it depends on. */
export function grantExpiry(now: UnixSeconds, ...limits: readonly number[]): UnixSeconds {
  return addSeconds(now, Math.min(GRANT_LIFETIME_SECONDS, ...limits.map((limit) => limit - now)))
}

/** The end of a grant of this decision, which is also the last moment to give it. */
export function endOfGrant(
  { permission, verdict }: Pick<GrantedJob, 'permission' | 'verdict'>,
  { expiresAt, referenceValues }: Pick<Policy, 'expiresAt' | 'referenceValues'>,
  /** The end of the grant key, and of the verifier keys that certify its grant CA. */
  keys: { readonly grantKey: number; readonly verifierKeys: number },
  now: UnixSeconds,
): UnixSeconds {
  return grantExpiry(
    now,
    permission.notAfter,
    expiresAt,
    // Reference values include their last second; a grant excludes it.
    ...referenceValues.filter(({ id }) => id === verdict.reference).map(({ notAfter }) => notAfter + 1),
    keys.grantKey,
    keys.verifierKeys,
  )
}

export function grantOf(
  granted: GrantedJob,
  issuance: {
    readonly asker: Asker
    readonly policy: Pick<Policy, 'audience' | 'tenant' | 'auditKey' | 'seq'>
    readonly now: UnixSeconds
    readonly releaseId: string
    readonly nonce: string
    readonly boot: string
    readonly wrapKey: string
    readonly expiry: UnixSeconds
    readonly revocationSeq: number
    /** One JWE per object, in order. */
    readonly keys: readonly string[]
    /** Where the consent lists are, and the JWE of their keys; null if the dataset has none. */
    readonly consent: { readonly place: ConsentPlace; readonly keys: string } | null
    readonly log: Grant['log']
  },
): Grant {
  const { verdict, dataset, permission, set, objects, disclosure } = granted
  const { terms, termsDigest } = grantedTerms(permission)
  const { asker, policy } = issuance
  return {
    v: 1,
    releaseId: issuance.releaseId,
    nonce: issuance.nonce,
    aud: policy.audience,
    iat: issuance.now,
    exp: issuance.expiry,
    client: asker.client,
    purpose: asker.purpose,
    permission: permission.id,
    tenant: policy.tenant,
    dataset: dataset.id,
    boot: issuance.boot,
    wrapKey: issuance.wrapKey,
    set,
    objects: objects.map(({ reference, header, headerDigest }, index) => ({
      sealId: header.sealId,
      headerDigest: toBase64url(headerDigest),
      bucket: reference.bucket,
      name: reference.name,
      etag: reference.etag,
      keyDigest: keyDigest(issuance.keys[index] ?? ''),
    })),
    ...terms,
    termsDigest,
    consent: grantedConsent(granted, issuance.consent),
    auditKey: policy.auditKey,
    reference: verdict.reference,
    assurance: verdict.assurance,
    disclosure,
    simulation: verdict.simulated,
    policySeq: policy.seq,
    revocationSeq: issuance.revocationSeq,
    log: issuance.log,
  }
}

/** The bucket of governance. */
export type ConsentPlace = Pick<GrantedConsent, 'namespace' | 'bucket'>

function grantedConsent(
  { consent }: GrantedJob,
  issued: { readonly place: ConsentPlace; readonly keys: string } | null,
): GrantedConsent | null {
  if (consent === null || issued === null) return null
  const { seq, digest, inForce } = consent
  const lists = inForce.map(({ list: { id, digest: sealed, bytes } }) => ({ id, digest: sealed, bytes }))
  return { seq, digest, ...issued.place, lists, keyDigest: keyDigest(issued.keys) }
}

/** SHA-256 of the ASCII of a JWE, as a grant names it. */
export function keyDigest(jwe: string): string {
  return toBase64url(sha256(utf8(jwe)))
}

/** SHA-256 of the compact JWS of a grant, as evidence and manifests name it. */
export function grantDigest(grant: string): string {
  return toBase64url(sha256(utf8(grant)))
}
