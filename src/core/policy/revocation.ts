/**
 * The revocation list v1. One signer is enough to revoke. Only a quorum takes a list back, by the digest of
 * it; so nothing that one signer publishes, and no order of numbers, ends what another has revoked.
 */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { boot, name, sealId, sha256Digest } from '../fields.ts'
import { defineSigned } from '../jws.ts'
import type { Kind } from './document.ts'
import { ENVELOPE } from './envelope.ts'

export const RevocationSchema = z.strictObject({
  ...ENVELOPE,
  /** SHA-256 of the payloads of the lists that this one replaces. Counts only if a quorum signs. */
  replaces: z.array(sha256Digest).max(4096),
  /** Ids of reference values in the policy. */
  referenceValues: z.array(name).max(1024),
  /** SealIds. */
  objects: z.array(sealId).max(65_536),
  boots: z.array(boot).max(65_536),
  permissions: z.array(name).max(1024),
})
export type Revocation = z.output<typeof RevocationSchema>

export const RevocationFormat = defineSigned(
  'cw-revocation',
  defineFormat({
    name: 'revocation list',
    maxBytes: 4 * 1024 * 1024,
    code: 'policy.invalid',
    schema: RevocationSchema,
  }),
)
export const REVOCATION: Kind<Revocation> = {
  folder: 'revocation',
  format: RevocationFormat,
  endsPredecessor: false,
}

/** What is revoked, over all lists in force. */
export type Revoked = Pick<Revocation, 'referenceValues' | 'objects' | 'boots' | 'permissions'>
