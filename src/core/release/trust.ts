/** The trust digest covers the part of a worker's configuration that could weaken it. The policy lists it. */
import { z } from 'zod'
import { sha256 } from '../bytes.ts'
import { canonicalBytes } from '../canonical.ts'
import { audience, name, purpose } from '../fields.ts'
import { SigningJwk } from '../jwk.ts'

/** Not keys yet: an example that has not been edited does not load. */
const EXAMPLE_SIGNERS = [
  { person: 'ada', jwk: { kty: 'OKP', crv: 'Ed25519', x: '…' } },
  { person: 'ben', jwk: { kty: 'EC', crv: 'P-384', x: '…', y: '…' } },
]

/** A name that is printed beside its key. Control characters could overwrite the key on a terminal. */
const person = z
  .string()
  .regex(/^(?! )[\x20-\x7e]{1,64}(?<! )$/, 'must be 1 to 64 printable ASCII characters')

export const TrustAnchors = z.strictObject({
  providerRoot: z
    .strictObject({
      keys: z
        .array(z.strictObject({ person, jwk: SigningJwk }))
        .min(2)
        .max(16)
        .meta({
          description: "The policy signers' public keys, Ed25519 or P-384, 2 to 16.",
          example: EXAMPLE_SIGNERS,
        }),
      threshold: z.int().min(2).max(16).meta({
        description: 'How many persons must sign a policy, 2 or more.',
        example: 2,
      }),
    })
    .meta({ description: 'The pin: what a quorum of these persons signs is in force, and nothing else.' }),
  audience: audience.meta({
    description: "The Verifier's name, as nonces and grants state it.",
    example: 'https://verifier.hospital.example',
  }),
  client: name.meta({
    description: "This organisation's name in the provider's policy.",
    example: 'research',
  }),
  purpose: purpose.meta({ description: 'The purpose of use.', example: 'HRESCH' }),
  simulation: z.boolean().meta({
    description:
      'True accepts simulated processors, and plain http on loopback. Only for synthetic data: nothing is confidential then.',
    example: false,
  }),
  /** `name@<hex SHA-256>` of each workload that this worker carries, sorted. */
  workloads: z.array(z.string().regex(/^[a-z0-9.-]{1,64}@[0-9a-f]{64}$/)).max(64),
  sandbox: z.enum(['none', 'bwrap', 'systemd']).meta({
    description:
      'For workloads of kind `exec`: none, bwrap or systemd. This version has only built-in workloads.',
    example: 'none',
  }),
  logLevel: z.enum(['info', 'warn', 'error']).meta({ description: 'info, warn or error.', example: 'info' }),
})
export type TrustAnchors = z.output<typeof TrustAnchors>

export function trustDigest(anchors: TrustAnchors): Buffer {
  return sha256(canonicalBytes({ ...anchors, workloads: [...anchors.workloads].sort() }))
}
