/** The terms of a permission, as a policy writes them and a grant carries them. */
import { z } from 'zod'
import { OutputContract } from '../egress/contract.ts'
import { name, ocid, scopeText, sha256Digest } from '../fields.ts'
import { RsaJwk } from '../jwk.ts'

export const TERMS = {
  /** SMART v2 system scopes; "*" is expanded against the pinned R4 list when the policy loads. */
  scopes: z.array(scopeText).min(1).max(64),
  view: z.enum(['minimal']),
  /** Sensitive categories that are let through; empty lets none. */
  sensitive: z.array(z.string().regex(/^[A-Z]{2,12}$/)).max(64),
  workload: z.strictObject({ name, digest: sha256Digest }),
  output: OutputContract,
  recipient: z.strictObject({ jwk: RsaJwk, keyId: ocid, keyVersionId: ocid }),
}
