/** The revocation list v1. One signer is enough to revoke; only a quorum restores. */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { CodedError } from '../errors.ts'
import { name, sealId, sequence, time, version1 } from '../fields.ts'
import { defineSigned, parseGeneral, type QuorumRoot, verifyQuorum } from '../jws.ts'
import { expectName, numberedName } from './objectName.ts'

const RevocationSchema = z.strictObject({
  v: version1,
  seq: sequence,
  issuedAt: time,
  /** Ids of reference values in the policy. */
  referenceValues: z.array(name).max(1024),
  /** SealIds. */
  objects: z.array(sealId).max(65_536),
  boots: z.array(z.string().length(26)).max(65_536),
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

export function revocationName(seq: number): string {
  return numberedName('revocation', seq)
}

/**
 * One signer is enough, unless the list lacks a name of `current`, the list in force: that needs the quorum.
 * `current` must have a lower number. Throws `policy.invalid`.
 */
export function readRevocation(
  bytes: Uint8Array,
  object: string,
  root: QuorumRoot,
  current: Revocation | undefined,
): Revocation {
  const signed = parseGeneral(bytes, 'policy.invalid')
  const { payload: revocation, persons } = verifyQuorum(
    RevocationFormat,
    signed,
    { ...root, threshold: 1 },
    'policy.invalid',
  )
  expectName(object, revocationName(revocation.seq))
  const restored = current === undefined ? [] : restoredBy(revocation, current)
  if (restored.length > 0 && persons.length < root.threshold)
    throw new CodedError(
      'policy.invalid',
      `${object} restores ${restored.length} revoked names with ${persons.length} signatures, ${root.threshold} are required`,
    )
  return revocation
}

const LISTS = ['referenceValues', 'objects', 'boots', 'permissions'] as const

function restoredBy(next: Revocation, current: Revocation): string[] {
  return LISTS.flatMap((list) => {
    const kept = new Set(next[list])
    return current[list].filter((name) => !kept.has(name))
  })
}
