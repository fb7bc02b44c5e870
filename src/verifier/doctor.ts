/** `doctor verifier --config FILE`: says what works for this Verifier, and what does not. */
import { runDoctor } from '#adapters/doctor/doctor.ts'
import { readGoverned } from '#adapters/doctor/governance.ts'
import { once } from '#adapters/doctor/once.ts'
import { readerOf } from '#adapters/evidence/collection.ts'
import { createOci } from '#adapters/oci/clients.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { createClockSkew } from '#adapters/system/clockSkew.ts'
import { VerifierConfig } from './config.ts'
import { VERIFIER_CHECKS, type VerifierContext } from './doctorChecks.ts'

const ABOUT =
  "Tries what a Verifier needs, and what it must be refused, as this Verifier: run it on its machine, by its user, also beside the running program. Opens the datasets' identity keys and forgets them; opens no data key."

process.exit(
  await runDoctor<VerifierConfig, VerifierContext>(
    {
      name: 'verifier',
      about: ABOUT,
      schema: VerifierConfig,
      options: [],
      checks: VERIFIER_CHECKS,
      leaves: [
        "whether workers can reach the port: a worker's doctor tries that",
        "the workers' evidence: its bucket is not in this configuration",
        'sealing keys: the policy has their public halves and not their OCIDs',
      ],
      open: (config) => {
        const skew = createClockSkew(systemClock)
        const oci = createOci(config.oci, { allowPlainHttp: config.simulation, clock: systemClock, skew })
        const { namespace, buckets, providerRoot: root, tenant, audience } = config
        const governed = once(() =>
          readGoverned(
            readerOf(oci.objectStore(), { namespace, bucket: buckets.governance }),
            { root, deployment: { tenant, audience } },
            systemClock.now(),
          ),
        )
        return { context: { config, oci, skew, clock: systemClock, governed }, close: oci.close }
      },
    },
    process.argv.slice(2),
  ),
)
