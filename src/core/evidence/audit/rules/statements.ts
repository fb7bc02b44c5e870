/** Compares each `boot.registered` with its registration, and each `policy.loaded` with its policy. */
import type { Context, Rule } from '../context.ts'
import type { Logged } from '../log/log.ts'

export function statements({ anchors, findings }: Context): Rule {
  return {
    entry: (logged) => {
      const { entry } = logged
      if (entry.event === 'policy.loaded') anchors.governed.load({ ...logged, entry }, findings)
      if (entry.event === 'boot.registered') judgeRegistered({ ...logged, entry })
    },
  }

  function judgeRegistered(registered: Logged<'boot.registered'>): void {
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
