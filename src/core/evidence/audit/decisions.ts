/** A decision against the policy and the revocation list that it names. */
import type { Permission } from '../../policy/policy.ts'
import type { Anchors } from './anchors.ts'
import type { Findings } from './finding.ts'
import type { Lives, Placed } from './lives.ts'

/** An entry is written after its decision: one made in a permission's last second is recorded behind its end. */
const RECORDING_SECONDS = 60

/** What the policy in the decision's name says of it: the permission, or undefined where it says nothing. */
export function permissionOf(
  { entry }: Placed<'release.decided'>,
  { policies }: Anchors,
): Permission | undefined {
  return policies
    .get(entry.policySeq)
    ?.policy.datasets.find(({ id }) => id === entry.dataset)
    ?.permissions.find(({ id }) => id === entry.permission)
}

/** What a decision or a log names and nobody has: each document once, at its first mention. */
export class Missing {
  readonly #findings: Findings
  readonly #named = new Set<string>()

  constructor(findings: Findings) {
    this.#findings = findings
  }

  add(what: string, boot: string, index: number): void {
    if (this.#named.has(what)) return
    this.#named.add(what)
    this.#findings.add('policy.missing', boot, index, `entry ${index} names ${what}, which is not there`)
  }
}

export function judgeDecision(
  decided: Placed<'release.decided'>,
  anchors: Anchors,
  missing: Missing,
  findings: Findings,
): void {
  const { boot, index, entry } = decided
  const policy = anchors.policies.get(entry.policySeq)?.policy
  const revocation = anchors.revocations.get(entry.revocationSeq)
  if (revocation === undefined && entry.revocationSeq > 0)
    missing.add(`revocation list ${entry.revocationSeq}`, boot, index)
  if (policy === undefined) {
    missing.add(`policy ${entry.policySeq}`, boot, index)
    return
  }

  const permission = permissionOf(decided, anchors)
  const reference = policy.referenceValues.find(({ id }) => id === entry.reference)
  const dataset = policy.datasets.find(({ id }) => id === entry.dataset)
  const within = (from: number, to: number): boolean =>
    from <= entry.time && entry.time < to + RECORDING_SECONDS
  const rules: readonly (readonly [boolean, string])[] = [
    [within(policy.issuedAt, policy.expiresAt), 'the policy was not in force'],
    [permission !== undefined, `${entry.dataset} has no permission ${entry.permission}`],
    [permission?.client === entry.client, `the permission is not for ${entry.client}`],
    [permission?.purpose === entry.purpose, `the permission is not for ${entry.purpose}`],
    [within(permission?.notBefore ?? 0, permission?.notAfter ?? 0), 'the permission was not in force'],
    [
      reference?.measurements.includes(entry.measurement) === true,
      `${entry.reference} has another measurement`,
    ],
    [reference?.assurance === entry.assurance, `${entry.reference} does not give ${entry.assurance}`],
    [
      dataset?.assurance.level === 'platform' || entry.assurance === 'measured',
      `${entry.dataset} demands a measured worker`,
    ],
    [revocation?.referenceValues.includes(entry.reference) !== true, `${entry.reference} was revoked`],
    [revocation?.permissions.includes(entry.permission) !== true, `${entry.permission} was revoked`],
    [revocation?.boots.includes(entry.boot) !== true, `${entry.boot} was revoked`],
  ]
  const broken = rules.filter(([holds]) => !holds).map(([, text]) => text)
  if (broken.length > 0)
    findings.add('decision.unfounded', boot, index, `release ${entry.releaseId}: ${broken.join('; ')}`)
}

/** Each `boot.registered` against its registration, each `policy.loaded` against its policy. */
export function judgeStatements(
  { registered, loaded }: Lives,
  anchors: Anchors,
  missing: Missing,
  findings: Findings,
): void {
  for (const { boot, index, entry } of registered) {
    const attestation = anchors.registrations.get(entry.boot)?.attestation
    if (attestation === undefined)
      findings.add('registration.missing', boot, index, `the registration of ${entry.boot} is not there`)
    else if (
      attestation?.runtimeDataDigest !== entry.runtimeDataDigest ||
      attestation.reportDigest !== entry.reportDigest ||
      attestation.measurement !== entry.measurement
    )
      findings.add(
        'registration.unverified',
        boot,
        index,
        `the registration of ${entry.boot} is of other evidence`,
      )
  }
  for (const { boot, index, entry } of loaded) {
    const policy = anchors.policies.get(entry.policySeq)
    if (policy === undefined) missing.add(`policy ${entry.policySeq}`, boot, index)
    else if (policy.digest !== entry.policyDigest)
      findings.add(
        'policy.unverified',
        boot,
        index,
        `policy ${entry.policySeq} is not the one that was loaded`,
      )
    if (entry.revocationSeq > 0 && !anchors.revocations.has(entry.revocationSeq))
      missing.add(`revocation list ${entry.revocationSeq}`, boot, index)
  }
}
