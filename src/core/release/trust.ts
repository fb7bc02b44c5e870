/** The trust digest: the part of a worker's configuration that could weaken it, in one value that the policy lists. */
import { z } from 'zod'
import { sha256 } from '../bytes.ts'
import { canonicalBytes } from '../canonical.ts'
import { SigningJwk } from '../jwk.ts'

export const TrustAnchors = z.strictObject({
  /** The policy signers: the worker's only pin. */
  providerRoot: z.strictObject({
    keys: z
      .array(z.strictObject({ person: z.string().min(1).max(64), jwk: SigningJwk }))
      .min(2)
      .max(16),
    threshold: z.int().min(2).max(16),
  }),
  simulation: z.boolean(),
  /** `name@<hex SHA-256>` of each workload that this worker carries, sorted. */
  workloads: z.array(z.string().regex(/^[a-z0-9.-]{1,64}@[0-9a-f]{64}$/)).max(64),
  sandbox: z.enum(['none', 'bwrap', 'systemd']),
  logLevel: z.enum(['info', 'warn', 'error']),
})
export type TrustAnchors = z.output<typeof TrustAnchors>

export function trustDigest(anchors: TrustAnchors): Buffer {
  return sha256(canonicalBytes({ ...anchors, workloads: [...anchors.workloads].sort() }))
}
