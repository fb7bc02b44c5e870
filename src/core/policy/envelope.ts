/** What every governance document says of itself, whatever else it contains. */
import { z } from 'zod'
import { checkShape, parseCanonical } from '../canonical.ts'
import { under } from '../errors.ts'
import { audience, name, sequence, time, version1 } from '../fields.ts'

/** The provider and the Verifiers that a document is for. One for others is junk here. */
export type Deployment = { readonly tenant: string; readonly audience: string }

export function isFor({ tenant, audience }: Deployment, deployment: Deployment): boolean {
  return tenant === deployment.tenant && audience === deployment.audience
}

/** The first fields of each kind's schema. */
export const ENVELOPE = { v: version1, seq: sequence, tenant: name, audience, issuedAt: time }

/**
 * Read even if the rest does not match: a document of a later version ends its predecessor, too. Therefore
 * without `v`, and with whatever else there is.
 */
const Envelope = z.looseObject({ seq: sequence, tenant: name, audience, issuedAt: time })
export type Envelope = z.output<typeof Envelope>

/** Throws `policy.invalid`. */
export function readEnvelope(payload: Uint8Array): Envelope {
  const value = under('policy.invalid', () => parseCanonical(payload, 'governance document'))
  return checkShape(Envelope, value, 'governance document', 'policy.invalid')
}
