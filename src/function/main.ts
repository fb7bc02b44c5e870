/**
 * The ingest function: Fn's development kit in front, `ingest` behind. The kit answers 502 with the text of whatever is
 * thrown, so one constant sentence is; the reason is in the log.
 */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { handle } from '@fnproject/fdk'
import { createOci } from '#adapters/oci/clients.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { readConfig } from '#adapters/system/configFile.ts'
import { createLog, errorFields, type Log } from '#adapters/system/log.ts'
import { listenForShutdown } from '#adapters/system/shutdown.ts'
import { CodedError, codeOf, errorRow } from '#core/errors.ts'
import { FunctionConfig } from './config.ts'
import { type IngestAnswer, type IngestDeps, ingest } from './ingest.ts'

const DRAIN_MS = 10_000
const POLL_MS = 5

async function main(): Promise<void> {
  const path = process.env['CW_CONFIG']
  if (path === undefined) throw new CodedError('config.invalid', 'CW_CONFIG names no configuration file')
  const config = await readConfig(path, FunctionConfig, 'function')
  if (process.argv.includes('--check-config')) return
  const log = createLog('function', config.logLevel)
  const oci = createOci(config.oci, { allowPlainHttp: config.simulation, clock: systemClock })
  const deps: IngestDeps = {
    allowed: config.allowed,
    records: config.records,
    store: oci.objectStore(),
    jobs: oci.streamProducer({ streamId: config.jobsStreamId }),
    clock: systemClock,
  }
  const socket = (process.env['FN_LISTENER'] ?? '').replace(/^unix:/, '')
  await removeStaleSocket(socket)
  const stop = handle((body) => answer(body, deps, log), { inputMode: 'buffer' })
  listenForShutdown(DRAIN_MS, (reason) => {
    log.info('stopping', { reason })
    stop()
    oci.close()
  })
  await waitForSocket(socket)
  log.info('ready')
}

/** The kit does not say when it listens; the link is the last that it makes. */
async function waitForSocket(socket: string): Promise<void> {
  while (!existsSync(socket)) await systemClock.sleep(POLL_MS)
}

/** A process that was killed leaves its socket and the link to it, over which the kit would stumble. */
async function removeStaleSocket(socket: string): Promise<void> {
  if (socket === '') return
  await Promise.all([rm(socket, { force: true }), rm(`${socket}.tmp`, { force: true })])
}

async function answer(body: Buffer, deps: IngestDeps, log: Log): Promise<IngestAnswer> {
  const start = systemClock.monotonic()
  try {
    const result = await ingest(body, deps)
    log.info('event.decided', { ...result, elapsedMs: Math.round(systemClock.monotonic() - start) })
    return result
  } catch (error) {
    log.warn('event.postponed', {
      ...errorFields(error),
      elapsedMs: Math.round(systemClock.monotonic() - start),
    })
    throw new Error('try again')
  }
}

main().catch((error: unknown) => {
  createLog('function', 'info').error('failed', errorFields(error))
  process.exit(errorRow(codeOf(error)).exit)
})
