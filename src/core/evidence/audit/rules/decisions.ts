/** Compares each decision with the policy and the revocation list that it names. */
import type { Permission, Policy } from '../../../policy/policy.ts'
import { isDisclosure } from '../../../release/platformRules.ts'
import type { Anchors } from '../anchors.ts'
import type { Context, Rule } from '../context.ts'
import type { Decided } from '../life.ts'

/**
 * An entry is written after its decision. A decision in a permission's last second is recorded after its end.
 */
export const RECORDING_SECONDS = 60

/** The policy that a decision names; undefined if it is absent. */
export function policyOf(decided: Decided, { governed }: Anchors): Policy | undefined {
  return governed.policyOf(decided, decided.accepted?.policySeq ?? 0)
}

/** The permission that a decision names, in the policy that it names; undefined if there is none. */
export function permissionOf(decided: Decided, anchors: Anchors): Permission | undefined {
  const { entry } = decided
  return policyOf(decided, anchors)
    ?.datasets.find(({ id }) => id === entry.dataset)
    ?.permissions.find(({ id }) => id === entry.permission)
}

export function decisions(context: Context): Rule {
  return { decision: (decided) => judgeDecision(decided, context) }
}

function judgeDecision(decided: Decided, { anchors, findings }: Context): void {
  const { accepted } = decided
  if (accepted === undefined) return
  const entry = { ...accepted, ...decided.entry }
  const { governed } = anchors
  const policy = governed.policyOf(decided, entry.policySeq)
  if (policy === undefined) {
    findings.missing(`policy ${entry.policySeq}`, decided)
    return
  }
  const revocation = governed.revokedFor(decided, policy, entry.revocationSeq)
  if (revocation === undefined)
    findings.at(decided)('policy.contradicted', `its log never knew ${entry.revocationSeq} revocation lists`)

  const permission = permissionOf(decided, anchors)
  const reference = policy.referenceValues.find(({ id }) => id === entry.reference)
  const dataset = policy.datasets.find(({ id }) => id === entry.dataset)
  const measured = reference?.measurements.includes(entry.measurement)
  const within = (from: number, to: number): boolean =>
    from <= entry.time && entry.time < to + RECORDING_SECONDS
  const rules: readonly (readonly [boolean, string])[] = [
    [within(policy.issuedAt, policy.expiresAt), 'the policy was not in force'],
    [permission !== undefined, `${entry.dataset} has no permission ${entry.permission}`],
    [permission?.client === entry.client, `the permission is not for ${entry.client}`],
    [permission?.purpose === entry.purpose, `the permission is not for ${entry.purpose}`],
    [within(permission?.notBefore ?? 0, permission?.notAfter ?? 0), 'the permission was not in force'],
    [measured === true, `${entry.reference} has another measurement`],
    [reference?.assurance === entry.assurance, `${entry.reference} does not give ${entry.assurance}`],
    [
      dataset?.assurance.level === 'platform' || entry.assurance === 'measured',
      `${entry.dataset} requires a measured worker`,
    ],
    [revocation?.names.referenceValues.has(entry.reference) !== true, `${entry.reference} was revoked`],
    [revocation?.names.permissions.has(entry.permission) !== true, `${entry.permission} was revoked`],
    [revocation?.names.boots.has(entry.boot) !== true, `${entry.boot} was revoked`],
  ]
  if (dataset !== undefined && entry.disclosure !== isDisclosure(entry, dataset))
    findings.at(decided, `release ${entry.releaseId}`)(
      'decision.undisclosed',
      `it says disclosure: ${entry.disclosure}, and its policy says ${!entry.disclosure}`,
    )
  const broken = rules.filter(([holds]) => !holds).map(([, text]) => text)
  if (broken.length > 0)
    findings.at(decided, `release ${entry.releaseId}`)('decision.unfounded', broken.join('; '))
}
