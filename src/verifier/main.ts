/**
 * `verifier --config FILE`: answers challenges and release requests until SIGTERM. One JSON line on stderr
 * says `ready` with the addresses.
 */
import '#adapters/system/endWhileLoading.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { publishClockSkew } from '#adapters/system/clockSkew.ts'
import { createRegistry, startMonitor } from '#adapters/system/monitor.ts'
import { type Started, startProgram } from '#adapters/system/program.ts'
import { softwareName } from '#adapters/system/software.ts'
import { publishExpiries, watchTlsFiles } from '#adapters/system/tlsWatch.ts'
import { errorRow } from '#core/errors.ts'
import { VerifierConfig } from './config.ts'
import { readMaterial, type VerifierMaterial } from './material.ts'
import { startVerifier, type Verifier } from './verifier.ts'

const ABOUT =
  'Answers challenges and release requests of workers over TLS 1.3. It checks report, client and policy, and writes its decision to its log. Only then has the Vault open the key, which it wraps to the worker. It runs until SIGTERM, which lets current requests finish.'

await startProgram(
  {
    name: 'verifier',
    help: {
      about: ABOUT,
      examples: [
        'confidential-worker verifier --print-config > verifier.json',
        'confidential-worker verifier --config verifier.json --check-config',
        'confidential-worker verifier --config /etc/confidential-verifier/verifier.json',
      ],
      exitCodes: [
        [0, 'ended in order after SIGTERM'],
        [2, 'wrong command line'],
        [75, 'ended early; starting it again may help'],
        [78, 'the configuration must be changed first; starting it again does not help'],
      ],
    },
    schema: VerifierConfig,
    logLevel: ({ logLevel }) => logLevel,
    drainMilliseconds: ({ drainSeconds }) => drainSeconds * 1000,
    prepare: (config, log) => readMaterial(config, systemClock, log),
    run,
    // It waits for OCI itself. Whatever else ends it, only another configuration makes a restart useless.
    exitOf: (code) => (errorRow(code).exit === 78 ? 78 : 75),
  },
  { parameters: process.argv.slice(2), environment: process.env },
)

async function run(started: Started<VerifierConfig, VerifierMaterial>): Promise<number> {
  const { config, material, log, notifier, shutdown, reload } = started
  const { signal } = shutdown
  if (config.simulation) log.warn('simulation: simulated roots are accepted; synthetic data only')
  if (config.tls.clientCertificates === 'at-gateway')
    log.warn('at-gateway: client certificates are not asked for; only the gateway may reach this port', {
      listen: `${config.listen.host}:${config.listen.port}`,
    })
  const registry = createRegistry()
  publishClockSkew(registry, material.skew, ['oci'])
  publishExpiries(registry, material.tls, systemClock)
  void watchTlsFiles(material.tls, { clock: systemClock, log, reload, signal })
  let verifier: Verifier | undefined
  let exit = 0
  // Up from here on, so that the wait for OCI can be watched: alive, and not ready.
  const monitor = await startMonitor(config.monitor, registry, {
    alive: () => true,
    ready: () => verifier?.ready() ?? false,
  })
  notifier.ready()
  notifier.status('starting')
  const unwatch = notifier.watch(() => true)
  log.info('starting', { monitor: monitor.url })
  try {
    verifier = await startVerifier(config, material, {
      software: softwareName(),
      clock: systemClock,
      log,
      registry,
      signal,
      requestEnd: (reason) => {
        exit = 75
        shutdown.request(reason)
      },
    })
    const { url, boot } = verifier
    notifier.status(`boot ${boot}`)
    log.info('ready', { url, monitor: monitor.url, boot })
    await shutdown.requested
    notifier.stopping()
    await verifier.stop()
    log.info('stopped', { boot })
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error
    log.info('stopped')
  } finally {
    unwatch()
    material.oci.close()
    await monitor.close()
  }
  return exit
}
