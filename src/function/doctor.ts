/** `doctor function --config FILE`: says what works for the ingest function, and what does not. */
import type { Check } from '#adapters/doctor/check.ts'
import { clockCheck } from '#adapters/doctor/clocks.ts'
import { runDoctor } from '#adapters/doctor/doctor.ts'
import { bucketChecks, refused } from '#adapters/doctor/permissions.ts'
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { type ClockSkew, createClockSkew } from '#adapters/system/clockSkew.ts'
import { FunctionConfig } from './config.ts'

type Context = { readonly config: FunctionConfig; readonly oci: Oci; readonly skew: ClockSkew }

const ABOUT =
  "Tries what the ingest function needs, and what it must be refused. It signs as the function, so run it in the function's container, where the platform sets OCI_RESOURCE_PRINCIPAL_*. Publishes no job. Of the allowed buckets it tries the first."
const GROUP = 'dynamic-group ingest'

const CHECKS: readonly Check<Context>[] = [
  clockCheck('oci', ({ oci, config }) => oci.probes().mayWrite({ ...config.records, name: 'doctor' })),
  ...bucketChecks<Context>(GROUP, {
    id: 'allowed',
    place: ({ config }) => config.allowed[0],
    policy: 'provider.policy and consumer.policy',
    may: [{ verb: 'list' }, { verb: 'read' }],
    mustNot: [{ verb: 'create' }, { verb: 'overwrite' }, { verb: 'delete' }],
  }),
  ...bucketChecks<Context>(GROUP, {
    id: 'records',
    place: ({ config }) => config.records,
    policy: 'consumer.policy',
    may: [{ verb: 'list' }, { verb: 'create' }],
    mustNot: [{ verb: 'overwrite' }, { verb: 'delete' }],
  }),
  refused(
    {
      id: 'stream.jobs.consume',
      tries: 'asks for a cursor and reads nothing',
      remedy: `take stream-pull on jobsStreamId away from ${GROUP}: it only publishes`,
    },
    ({ oci, config }) => oci.probes().mayConsume(config.jobsStreamId),
  ),
]

process.exit(
  await runDoctor<FunctionConfig, Context>(
    {
      name: 'function',
      about: ABOUT,
      schema: FunctionConfig,
      options: [],
      checks: CHECKS,
      leaves: [
        'publishing to the stream: a message cannot be taken back; the first upload shows it',
        "the event rule: it is not the function's, and the first upload shows it",
      ],
      open: (config) => {
        const skew = createClockSkew(systemClock)
        const options = { allowPlainHttp: config.simulation, clock: systemClock, skew }
        const oci = createOci(config.oci, options)
        return { context: { config, oci, skew }, close: oci.close }
      },
    },
    process.argv.slice(2),
  ),
)
