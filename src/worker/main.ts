/**
 * `worker --config FILE [--check-config | --trust | --job FILE]`: leases jobs until SIGTERM. One JSON line on stderr says
 * `ready`. `--trust` prints the trust anchors and their digest, for the provider's policy. `--job FILE` runs one job that a
 * file gives instead of the stream and prints how it ended.
 *
 * Ends with 0 after a drain or a result, 1 where the worker or the job was refused, 2 on usage, 75 where another try may
 * help, 78 where the configuration has to be mended first.
 */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { systemClock } from '#adapters/system/clock.ts'
import { readConfig } from '#adapters/system/configFile.ts'
import { createLog, errorFields, type Log } from '#adapters/system/log.ts'
import { createRegistry, startMonitor } from '#adapters/system/monitor.ts'
import { createNotifier } from '#adapters/system/notify.ts'
import { listenForShutdown } from '#adapters/system/shutdown.ts'
import { softwareName } from '#adapters/system/software.ts'
import { toBase64url } from '#core/bytes.ts'
import { CodedError, codeOf, errorRow } from '#core/errors.ts'
import { JobFormat } from '#core/job/job.ts'
import { type Crew, untilAvailable, WorkerRefused } from './batch.ts'
import { WorkerConfig } from './config.ts'
import { consume } from './loop.ts'
import { type Material, readMaterial, readTrust } from './material.ts'
import { runOne } from './single.ts'
import { openWorker } from './worker.ts'

const USAGE = 'usage: worker --config FILE [--check-config | --trust | --job FILE]'

type Arguments = {
  readonly config: string
  readonly checkOnly: boolean
  readonly trust: boolean
  readonly job: string | undefined
}

function readArguments(): Arguments {
  try {
    const { values } = parseArgs({
      options: {
        config: { type: 'string' },
        'check-config': { type: 'boolean', default: false },
        trust: { type: 'boolean', default: false },
        job: { type: 'string' },
      },
    })
    if (values.config === undefined) throw new Error('--config is absent')
    return { config: values.config, checkOnly: values['check-config'], trust: values.trust, job: values.job }
  } catch (cause) {
    throw new CodedError('usage.invalid', USAGE, { cause })
  }
}

async function main(): Promise<number> {
  const { config: path, checkOnly, trust, job } = readArguments()
  const config = await readConfig(path, WorkerConfig, 'worker')
  if (trust) {
    const { anchors, digest } = await readTrust(config)
    process.stdout.write(`${JSON.stringify({ anchors, digest: toBase64url(digest) })}\n`)
    return 0
  }
  const log = createLog('worker', config.trust.logLevel)
  const material = await readMaterial(config, systemClock, log)
  if (checkOnly) return 0

  if (config.trust.simulation)
    log.warn('simulation: reports come from a simulated platform; synthetic data only')
  const shutdown = listenForShutdown(config.drainSeconds * 1000, (reason) => log.info('stopping', { reason }))
  const registry = createRegistry()
  const open = () =>
    openWorker(config, material, {
      software: softwareName(),
      clock: systemClock,
      log,
      registry,
      signal: shutdown.signal,
    })
  try {
    if (job === undefined) return await serve(config, open, material, { log, registry, shutdown })
    const crew = await open()
    const exit = await runOne(JobFormat.decode(await readJob(job)), crew, shutdown.signal)
    await crew.desk.evidence.close('drained')
    return exit
  } finally {
    material.service.close()
    material.oci.close()
  }
}

async function serve(
  config: WorkerConfig,
  open: () => Promise<Crew>,
  { oci, reports }: Pick<Material, 'oci' | 'reports'>,
  around: {
    readonly log: Log
    readonly registry: ReturnType<typeof createRegistry>
    readonly shutdown: ReturnType<typeof listenForShutdown>
  },
): Promise<number> {
  const { log, registry, shutdown } = around
  const { signal } = shutdown
  let joined = false
  const attests = () => reports.lost() === undefined
  const monitor = await startMonitor(config.monitor, registry, {
    alive: attests,
    ready: () => joined && attests(),
  })
  const notifier = createNotifier({
    NOTIFY_SOCKET: process.env['NOTIFY_SOCKET'],
    WATCHDOG_USEC: process.env['WATCHDOG_USEC'],
  })
  notifier.ready()
  const unwatch = notifier.watch(() => true)
  log.info('ready', { monitor: monitor.url })
  try {
    const crew = await open()
    const { boot } = crew.desk.evidence
    log.info('opened', { boot })
    notifier.status(`boot ${boot}`)
    await consume(crew, {
      consumer: oci.streamConsumer({
        streamId: config.stream.id,
        group: config.stream.group,
        instance: boot,
        reservationMs: config.stream.reservationMs,
      }),
      maxJobs: config.batch.maxJobs,
      heartbeatMs: Math.floor(config.stream.reservationMs / 3),
      stopping: signal,
      joined: (is) => {
        joined = is
      },
    })
    notifier.stopping()
    // The log is closed even where the drain was asked for in an outage: systemd's own limit ends the wait.
    await untilAvailable(() => crew.desk.evidence.close('drained'), crew, new AbortController().signal)
    log.info('stopped', { boot })
    return 0
  } catch (error) {
    if (signal.aborted && error === signal.reason) return 0
    throw error
  } finally {
    unwatch()
    await monitor.close()
  }
}

async function readJob(path: string): Promise<Buffer> {
  return await readFile(path).catch((cause: unknown) => {
    throw new CodedError('input.unreadable', `${path} cannot be read`, { cause })
  })
}

main().then(
  (exit) => process.exit(exit),
  (error: unknown) => {
    const denial = error instanceof WorkerRefused ? { denialId: error.denialId } : {}
    createLog('worker', 'error').error('failed', { ...errorFields(error), ...denial })
    process.exit(errorRow(codeOf(error)).exit)
  },
)
