/**
 * `worker --config FILE`: leases jobs until SIGTERM. One JSON line on stderr says `ready`. `--trust` prints
 * the trust anchors and their digest, for the provider's policy. `--job FILE` runs one job from a file
 * instead of the stream and prints how it ended.
 */
import '#adapters/system/endWhileLoading.ts'
import { publishReplicas } from '#adapters/http/replicas.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { publishClockSkew } from '#adapters/system/clockSkew.ts'
import { readFileUpTo } from '#adapters/system/files.ts'
import type { Log } from '#adapters/system/log.ts'
import { createRegistry, startMonitor } from '#adapters/system/monitor.ts'
import type { Notifier } from '#adapters/system/notify.ts'
import { untilAvailable } from '#adapters/system/outage.ts'
import { type Started, startProgram } from '#adapters/system/program.ts'
import type { Shutdown } from '#adapters/system/shutdown.ts'
import { softwareName } from '#adapters/system/software.ts'
import { publishExpiries, watchTlsFiles } from '#adapters/system/tlsWatch.ts'
import { toBase64url } from '#core/bytes.ts'
import { JobFormat } from '#core/job/job.ts'
import { type Boot, openBoot } from './boot.ts'
import { WorkerConfig } from './config.ts'
import { consume } from './loop.ts'
import { type Material, readMaterial, readTrust } from './material.ts'
import { untilAdmitted } from './parking.ts'
import { ownConsumer } from './places.ts'
import { runOne } from './single.ts'

/** More than a job has, so that its format says what is wrong with a longer one. */
const MAX_JOB_FILE_BYTES = 65_536

const ABOUT =
  'Takes jobs from the stream, proves to the Verifier with an attestation report what it is, opens the objects whose keys the Verifier releases to it, and seals the results. It runs until SIGTERM, which lets current jobs finish.'

await startProgram(
  {
    name: 'worker',
    help: {
      about: ABOUT,
      examples: [
        'confidential-worker worker --print-config > worker.json',
        'confidential-worker worker --config worker.json --check-config',
        'confidential-worker worker --config worker.json --trust',
        'confidential-worker worker --config /etc/confidential-worker/worker.json',
      ],
      exitCodes: [
        [0, 'ended in order: drained after SIGTERM, or the one job has its result'],
        [1, 'with --job: the worker or the job was refused'],
        [2, 'wrong command line or malformed job'],
        [75, 'ended early; starting it again may help'],
        [78, 'the configuration must be changed first; starting it again does not help'],
      ],
    },
    schema: WorkerConfig,
    options: [
      {
        name: 'trust',
        meaning: 'print the trust anchors and their digest, which the policy must list, and end',
        print: printTrust,
      },
      { name: 'job', value: 'file', meaning: 'run the one job in this file instead of the stream, and end' },
    ],
    logLevel: ({ trust }) => trust.logLevel,
    drainMilliseconds: ({ drainSeconds }) => drainSeconds * 1000,
    prepare: (config, log) => readMaterial(config, systemClock, log),
    run,
  },
  { parameters: process.argv.slice(2), environment: process.env },
)

async function printTrust(config: WorkerConfig): Promise<string> {
  const { anchors, digest } = await readTrust(config)
  return JSON.stringify({ anchors, digest: toBase64url(digest) })
}

async function run(started: Started<WorkerConfig, Material>): Promise<number> {
  const { config, material, values, log, notifier, shutdown, reload } = started
  if (config.trust.simulation)
    log.warn('simulation: reports come from a simulated platform; synthetic data only')
  const registry = createRegistry()
  publishClockSkew(registry, material.skew, ['oci', 'verifier'])
  publishExpiries(registry, material.tls, systemClock)
  publishReplicas(registry, material.service)
  void watchTlsFiles(material.tls, { clock: systemClock, log, reload, signal: shutdown.signal })
  const open = () =>
    openBoot(config, material, {
      software: softwareName(),
      clock: systemClock,
      log,
      registry,
      signal: shutdown.signal,
    })
  const { job } = values
  try {
    if (job === undefined) return await serve(config, open, material, { log, registry, shutdown, notifier })
    const boot = await open()
    const exit = await runOne(
      JobFormat.decode(await readFileUpTo(job, MAX_JOB_FILE_BYTES, 'input.unreadable')),
      boot,
      shutdown.signal,
    )
    await boot.evidence.close('drained')
    return exit
  } catch (error) {
    // A single job has no result then, which its exit code must say.
    if (shutdown.signal.aborted && error === shutdown.signal.reason) return job === undefined ? 0 : 75
    throw error
  } finally {
    material.service.close()
    material.oci.close()
  }
}

async function serve(
  config: WorkerConfig,
  open: () => Promise<Boot>,
  { oci, reports }: Pick<Material, 'oci' | 'reports'>,
  around: {
    readonly log: Log
    readonly registry: ReturnType<typeof createRegistry>
    readonly shutdown: Shutdown
    readonly notifier: Notifier
  },
): Promise<number> {
  const { log, registry, shutdown, notifier } = around
  const { signal } = shutdown
  let joined = false
  const attests = () => reports.lost() === undefined
  const monitor = await startMonitor(config.monitor, registry, {
    alive: attests,
    ready: () => joined && attests(),
  })
  notifier.ready()
  const unwatch = notifier.watch(() => true)
  log.info('ready', { monitor: monitor.url })
  try {
    const boot = await open()
    const id = boot.evidence.boot
    log.info('opened', { boot: id })
    notifier.status(`boot ${id}`)
    await consume(boot, {
      consumer: ownConsumer(
        oci.streamConsumer({
          streamId: config.stream.id,
          group: config.stream.group,
          instance: id,
          reservationMs: config.stream.reservationMs,
        }),
      ),
      maxJobs: config.batch.maxJobs,
      heartbeatMs: Math.floor(config.stream.reservationMs / 3),
      stopping: signal,
      joined: (is) => {
        joined = is
      },
    })
    notifier.stopping()
    // The log is closed even if the drain began in an outage: the limit of the drain ends the wait.
    const always = new AbortController().signal
    const close = () => untilAvailable(() => boot.evidence.close('drained'), boot, always)
    await untilAdmitted(close, boot, always)
    log.info('stopped', { boot: id })
    return 0
  } finally {
    unwatch()
    await monitor.close()
  }
}
