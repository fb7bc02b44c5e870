/** The terms of a permission, as a policy writes them and a grant carries them. */
import { z } from 'zod'
import { OutputContract } from '../egress/contract.ts'
import { name, ocid, scopeText, sha256Digest } from '../fields.ts'
import { RsaJwk } from '../jwk.ts'

export const TERMS = {
  /** SMART v2 system scopes. Loading the policy expands "*" by the pinned list of R4. */
  scopes: z.array(scopeText).min(1).max(64),
  view: z.enum(['minimal']),
  /** Sensitive categories that are included. Empty: none. */
  sensitive: z.array(z.string().regex(/^[A-Z]{2,12}$/)).max(64),
  workload: z.strictObject({ name, digest: sha256Digest }),
  output: OutputContract,
  recipient: z.strictObject({ jwk: RsaJwk, keyId: ocid, keyVersionId: ocid }),
}
