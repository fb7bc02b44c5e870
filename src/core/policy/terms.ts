/**
 * The terms of a permission: the question that the provider allows. A policy writes them, a grant carries
 * them, and a requester can change none of them. A field with one possible value waits for the code that gives
 * it others.
 */
import { z } from 'zod'
import { sha256, toBase64url } from '../bytes.ts'
import { canonicalBytes } from '../canonical.ts'
import { OutputContract } from '../egress/contract.ts'
import { expandScopes, MAX_WRITTEN_SCOPES, scopesDigest } from '../fhir/scope.ts'
import { name, ocid, scopeText, sequence, sha256Digest } from '../fields.ts'
import { RsaJwk } from '../jwk.ts'

export const TERMS = {
  /** Raised by the provider to let the same question be answered anew. */
  edition: sequence,
  /** SMART v2 system scopes. Loading the policy expands "*" by the pinned list of R4. */
  scopes: z.array(scopeText).min(1).max(MAX_WRITTEN_SCOPES),
  projection: z.strictObject({
    view: z.enum(['minimal']),
    /** RFC 9396 details of single elements beyond the view: none in this version. */
    details: z.array(z.never()).max(0),
  }),
  /** Sensitive categories that are included. Empty: none. */
  sensitive: z.array(z.string().regex(/^[A-Z]{2,12}$/)).max(64),
  /** The table that says which codes are sensitive (`core/fhir/codeTable.ts`). */
  codeTable: sha256Digest,
  workload: z.strictObject({
    name,
    digest: sha256Digest,
    /** The workload of this version takes none. */
    parameters: z.strictObject({}),
  }),
  output: OutputContract,
  recipient: z.strictObject({ jwk: RsaJwk, keyId: ocid, keyVersionId: ocid }),
}
const Terms = z.strictObject(TERMS)
export type Terms = z.output<typeof Terms>

/** The terms as a grant carries them, with their digests. */
export type GrantedTerms = {
  /** The scopes are expanded. */
  readonly terms: Terms
  /** In canonical JSON, whose SHA-256 is `termsDigest`. */
  readonly termsBytes: Buffer
  readonly termsDigest: string
  /** Of the expanded scopes, as a request that names scopes must ask for them. */
  readonly scopesDigest: string
}

/** By the permission or grant that has them: scopes are expanded once, not for every request. */
const GRANTED = new WeakMap<Terms, GrantedTerms>()

/** From a permission or a grant. Throws `scope.invalid`. */
export function grantedTerms(from: Terms): GrantedTerms {
  const known = GRANTED.get(from)
  if (known !== undefined) return known
  const { edition, projection, sensitive, codeTable, workload, output, recipient } = from
  const scopes = [...expandScopes(from.scopes)]
  const terms = { edition, scopes, projection, sensitive, codeTable, workload, output, recipient }
  const termsBytes = canonicalBytes(terms)
  const granted = {
    terms,
    termsBytes,
    termsDigest: toBase64url(sha256(termsBytes)),
    scopesDigest: scopesDigest(scopes),
  }
  GRANTED.set(from, granted)
  return granted
}
