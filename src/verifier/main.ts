/**
 * `verifier --config FILE [--check-config]`: answers challenges and releases until SIGTERM. One JSON line on stderr says
 * `ready` with the addresses. Ends with 0 after a drain, 2 on usage, 75 where another try may help, 78 where the
 * configuration or a permission has to be mended first.
 */
import { parseArgs } from 'node:util'
import { systemClock } from '#adapters/system/clock.ts'
import { readConfig } from '#adapters/system/configFile.ts'
import { createLog, errorFields } from '#adapters/system/log.ts'
import { createNotifier } from '#adapters/system/notify.ts'
import { listenForShutdown } from '#adapters/system/shutdown.ts'
import { softwareName } from '#adapters/system/software.ts'
import { CodedError, codeOf, errorRow } from '#core/errors.ts'
import { VerifierConfig } from './config.ts'
import { readMaterial } from './material.ts'
import { startVerifier } from './verifier.ts'

function readArguments(): { readonly config: string; readonly checkOnly: boolean } {
  try {
    const { values } = parseArgs({
      options: { config: { type: 'string' }, 'check-config': { type: 'boolean', default: false } },
    })
    if (values.config === undefined) throw new Error('--config is absent')
    return { config: values.config, checkOnly: values['check-config'] }
  } catch (cause) {
    throw new CodedError('usage.invalid', 'usage: verifier --config FILE [--check-config]', { cause })
  }
}

async function main(): Promise<void> {
  const { config: path, checkOnly } = readArguments()
  const config = await readConfig(path, VerifierConfig, 'verifier')
  const clock = systemClock
  const material = await readMaterial(config, clock)
  if (checkOnly) return

  const log = createLog('verifier', config.logLevel)
  const notifier = createNotifier({
    NOTIFY_SOCKET: process.env['NOTIFY_SOCKET'],
    WATCHDOG_USEC: process.env['WATCHDOG_USEC'],
  })
  if (config.simulation) log.warn('simulation: simulated roots are let in; synthetic data only')
  const shutdown = listenForShutdown(config.drainSeconds * 1000, (reason) => log.info('stopping', { reason }))
  const verifier = await startVerifier(config, material, {
    software: softwareName(),
    clock,
    log,
    doom: (reason) => {
      process.exitCode = 75
      shutdown.request(reason)
    },
  })
  const { signal } = shutdown
  const ended = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  notifier.ready()
  const unwatch = notifier.watch(() => true)
  log.info('ready', { url: verifier.url, monitor: verifier.monitorUrl, boot: verifier.boot })
  await ended
  notifier.stopping()
  await verifier.stop()
  unwatch()
  log.info('stopped', { boot: verifier.boot })
}

/** Nothing was answered yet: what waiting does not mend is the configuration or a permission. */
function exitOf(error: unknown): number {
  const code = codeOf(error)
  if (code === 'usage.invalid') return 2
  return errorRow(code).exit === 75 ? 75 : 78
}

main().catch((error: unknown) => {
  createLog('verifier', 'error').error('failed', errorFields(error))
  process.exit(exitOf(error))
})
