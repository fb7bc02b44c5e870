/**
 * The ingest function: Fn's development kit in front, `ingest` behind it. The kit answers 502 with the text
 * of any error, so every error thrown to it is the same sentence; the reason is in the log.
 */
import '#adapters/system/endWhileLoading.ts'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { handle } from '@fnproject/fdk'
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { createClockSkew } from '#adapters/system/clockSkew.ts'
import { errorFields, type Log } from '#adapters/system/log.ts'
import { type Started, startProgram } from '#adapters/system/program.ts'
import { FunctionConfig } from './config.ts'
import { type IngestAnswer, type IngestDeps, ingest } from './ingest.ts'

const ABOUT =
  'Answers calls of OCI Functions on a unix socket: looks at the object that an event names, records its decision, and publishes a job for the object. OCI Functions starts it and sets its environment.'
const DRAIN_MS = 10_000
const POLL_MS = 5

await startProgram(
  {
    name: 'function',
    help: {
      about: ABOUT,
      environment: [
        ['CW_CONFIG', 'the configuration file, if --config does not name it'],
        ['FN_FORMAT', 'http-stream'],
        ['FN_LISTENER', 'the unix socket to answer on: unix:/path'],
        ['OCI_RESOURCE_PRINCIPAL_*', 'who the function is, from the platform'],
      ],
      examples: [
        'confidential-worker function --print-config > function.json',
        'confidential-worker function --config function.json --check-config',
        'CW_CONFIG=function.json FN_FORMAT=http-stream FN_LISTENER=unix:/tmp/fn/lsnr.sock \\',
        '  confidential-worker function',
      ],
      exitCodes: [
        [0, 'ended in order after SIGTERM'],
        [2, 'wrong command line'],
        [75, 'ended early; starting it again may help'],
        [78, 'the configuration must be changed first; starting it again does not help'],
      ],
    },
    configVariable: 'CW_CONFIG',
    schema: FunctionConfig,
    logLevel: ({ logLevel }) => logLevel,
    drainMilliseconds: () => DRAIN_MS,
    prepare: async ({ oci, simulation }, log) =>
      createOci(oci, {
        allowPlainHttp: simulation,
        clock: systemClock,
        skew: createClockSkew(systemClock, log),
      }),
    run: (started) => serve(started, (process.env['FN_LISTENER'] ?? '').replace(/^unix:/, '')),
  },
  { parameters: process.argv.slice(2), environment: process.env },
)

/** Returns when it listens. The process ends after `stop`, when the last call is answered. */
async function serve(
  { config, material: oci, log, shutdown }: Started<FunctionConfig, Oci>,
  socket: string,
): Promise<undefined> {
  const deps: IngestDeps = {
    allowed: config.allowed,
    records: config.records,
    store: oci.objectStore(),
    jobs: oci.streamProducer({ streamId: config.jobsStreamId }),
    clock: systemClock,
  }
  await removeStaleSocket(socket)
  const stop = handle((body) => answer(body, deps, log), { inputMode: 'buffer' })
  await waitForSocket(socket)
  log.info('ready')
  void shutdown.requested.then(() => {
    stop()
    oci.close()
  })
  return undefined
}

/** The kit does not say when it listens; the link is the last thing that it makes. */
async function waitForSocket(socket: string): Promise<void> {
  while (!existsSync(socket)) await systemClock.sleep(POLL_MS)
}

/** A killed process leaves its socket and the link to it, and the kit fails if they exist. */
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
