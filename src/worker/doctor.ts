/** `doctor worker --config FILE`: says what works for this worker, and what does not. */
import { runDoctor } from '#adapters/doctor/doctor.ts'
import { foreignKeys, NEVER_KEY } from '#adapters/doctor/foreignKeys.ts'
import { once } from '#adapters/doctor/once.ts'
import { createReleaseService } from '#adapters/http/releaseService.ts'
import { createOci } from '#adapters/oci/clients.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { createClockSkew } from '#adapters/system/clockSkew.ts'
import { readTlsFiles } from '#adapters/system/tlsFiles.ts'
import type { Challenge } from '#core/release/nonce.ts'
import { WorkerConfig } from './config.ts'
import { WORKER_CHECKS, type WorkerContext } from './doctorChecks.ts'
import { verifierFiles } from './material.ts'

const ABOUT =
  "Tries what a worker needs, and what it must be refused, as this worker: run it on the worker's machine, by the worker's user. Takes no job, and asks for no key."
const CHALLENGE_MS = 10_000

process.exit(
  await runDoctor<WorkerConfig, WorkerContext>(
    {
      name: 'worker',
      about: ABOUT,
      schema: WorkerConfig,
      options: [NEVER_KEY],
      checks: WORKER_CHECKS,
      leaves: [
        'publishing to the streams: a message cannot be taken back; the first job shows it',
        'sealed objects: their buckets are named by jobs, not by this configuration',
        'freshness statements: each answer has one, and this asks for no answer; a worker logs grant.stale',
        "the policy: a worker may not read it. The provider's doctor says what is in force; compare the thumbprint of key.client with it",
        'memory and its locks: they are those of the unit; --check-config tries them there',
      ],
      open: (config, values) => {
        const { trust, oci: ociConfig } = config
        const skew = createClockSkew(systemClock)
        const options = { allowPlainHttp: trust.simulation, clock: systemClock, skew }
        const oci = createOci(ociConfig, options)
        const foreign = foreignKeys(values['never-key'], ociConfig, options)
        return {
          context: {
            config,
            oci,
            skew,
            clock: systemClock,
            foreign,
            challenges: once(() => challengesOf(config, skew)),
          },
          close: () => {
            for (const each of [oci, ...foreign.map((key) => key.oci)]) each.close()
          },
        }
      },
    },
    process.argv.slice(2),
  ),
)

/** One challenge of each address, in order. The first that fails is thrown, and its message names it. */
async function challengesOf(
  config: WorkerConfig,
  skew: WorkerContext['skew'],
): Promise<readonly Challenge[]> {
  const tls = await readTlsFiles(verifierFiles(config))
  const challenges: Challenge[] = []
  for (const url of config.verifier.urls) {
    const service = createReleaseService({ url, tls: tls.current, timeoutMs: CHALLENGE_MS, skew })
    try {
      challenges.push(await service.challenge())
    } finally {
      service.close()
    }
  }
  return challenges
}
