/**
 * Compares each `boot.registered` with its registration, and the other way round, and each `policy.loaded` with
 * its policy and with the one before.
 */
import type { Context, Rule } from '../context.ts'
import type { Logged } from '../log/log.ts'

export function statements({ anchors, logs, findings }: Context): Rule {
  // Of each log: the numbers that it loaded last.
  const loaded = new Map<string, { readonly policySeq: number; readonly revocationSeq: number }>()
  const announced = new Set<string>()
  const withReleases = new Set<string>()
  return {
    entry: (logged) => {
      const { boot, entry } = logged
      if (entry.event === 'policy.loaded') judgeLoaded({ ...logged, entry })
      if (entry.event === 'boot.registered') judgeRegistered({ ...logged, entry })
      if (entry.event === 'key.received') withReleases.add(boot)
    },
    end: () => {
      const verifiers = [...anchors.registrations.values()].filter(({ role }) => role === 'verifier')
      // The log that says it may be the one that is absent, which is a finding.
      if (verifiers.some(({ boot }) => logs.isMissing(boot))) return
      for (const boot of withReleases)
        if (!announced.has(boot))
          findings.of(boot)('registration.unannounced', null, `no boot.registered is about ${boot}`)
    },
  }

  function judgeLoaded(logged: Logged<'policy.loaded'>): void {
    const { boot, entry } = logged
    const before = loaded.get(boot)
    for (const number of ['policySeq', 'revocationSeq'] as const)
      if (before !== undefined && entry[number] < before[number])
        findings.at(logged)('policy.rolled-back', `${number} is ${entry[number]} after ${before[number]}`)
    loaded.set(boot, entry)
    anchors.governed.load(logged, findings)
  }

  function judgeRegistered(registered: Logged<'boot.registered'>): void {
    announced.add(registered.entry.boot)
    const { boot, runtimeDataDigest, reportDigest, measurement } = registered.entry
    const attestation = anchors.registrations.get(boot)?.attestation
    const find = findings.at(registered, `the registration of ${boot}`)
    if (attestation === undefined) find('registration.missing', 'it is absent')
    else if (
      attestation?.runtimeDataDigest !== runtimeDataDigest ||
      attestation.reportDigest !== reportDigest ||
      attestation.measurement !== measurement
    )
      find('registration.unverified', 'it is about other evidence')
  }
}
