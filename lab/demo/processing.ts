/** The life of one object (docs/architecture.md), step by step, with what each step shows of itself. */
import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { toHex } from '#core/bytes.ts'
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError, isErrorCode } from '#core/errors.ts'
import { etag, objectName, resultId, sealId } from '#core/fields.ts'
import { type Job, jobIdOf } from '#core/job/job.ts'
import type { Deployment } from './deployment.ts'
import { expectRoom } from './folders.ts'
import type { LogWatch, Said } from './logWatch.ts'
import type { MemoryWatch } from './metrics.ts'
import { PROVIDER } from './names.ts'
import type { DemoOptions } from './options.ts'
import { formatBytes, type Narrator } from './output.ts'
import { generatePopulation } from './population.ts'
import { within } from './program.ts'

const WAIT_MILLISECONDS = 60_000
/** The slowest machine that is waited for. */
const SLOWEST_BYTES_A_MILLISECOND = 2000
const PROGRESS_MILLISECONDS = 5000

const Sealed = z.looseObject({
  file: z.string(),
  sealId,
  object: objectName,
  size: z.int(),
  sealedSize: z.int(),
})
const Uploaded = z.looseObject({ etag, object: objectName, size: z.int(), record: z.string() })
export type Sealed = z.output<typeof Sealed>

type Stage = {
  readonly deployment: Deployment
  readonly narrate: Narrator
  readonly watch: LogWatch
  readonly memory: MemoryWatch
}

/** The file to seal: the user's own, or one that is made up. */
export async function prepareInput(
  { input, patients, seed }: DemoOptions,
  { deployment, narrate }: Stage,
): Promise<string> {
  if (input !== undefined) {
    await expectRoom(deployment.folders, (await stat(input)).size)
    await narrate(
      'hospital',
      `takes ${basename(input)}`,
      () => stat(input),
      ({ size }) => formatBytes(size),
    )
    return input
  }
  const file = join(deployment.folders.root, 'input.ndjson')
  await narrate(
    'hospital',
    `makes up a FHIR export of ${patients} patients (seed ${JSON.stringify(seed)})`,
    async () => {
      const { signal } = deployment
      await pipeline(generatePopulation({ seed, patients }), createWriteStream(file, { flags: 'wx' }), {
        signal,
      })
      return await stat(file)
    },
    ({ size }) => formatBytes(size),
  )
  return file
}

export async function sealAndUpload(file: string, stage: Stage): Promise<{ sealed: Sealed; job: Job }> {
  const { narrate, deployment } = stage
  const { configOf, command, folders } = deployment
  const sealed = await narrate(
    'hospital',
    'seals it under a data key of its own Vault',
    async (progress) => {
      const out = join(folders.root, 'object.sealed')
      const parameters = ['seal', file, '--config', configOf('seal'), '--out', out, '--json']
      return readAnswer(Sealed, await command(parameters, progress))
    },
    ({ sealedSize }) => `${formatBytes(sealedSize)}, still on its own machine`,
  )
  const uploaded = await narrate(
    'hospital',
    'uploads it and signs a record of that',
    async (progress) => {
      const parameters = ['upload', sealed.file, '--config', configOf('seal'), '--json']
      return readAnswer(Uploaded, await command(parameters, progress))
    },
    ({ object }) => `outbox/${object}`,
  )
  const place = {
    namespace: PROVIDER.namespace,
    bucket: 'outbox',
    object: uploaded.object,
    etag: uploaded.etag,
  }
  const job = {
    v: 1 as const,
    jobId: jobIdOf(place),
    eventId: 'by-hand',
    ...place,
    size: uploaded.size,
    traceparent: `00-${toHex(randomBytes(16))}-${toHex(randomBytes(8))}-01`,
    enqueuedAt: Math.floor(Date.now() / 1000),
    notBefore: 0,
  }
  return { sealed, job }
}

export type Processed = { readonly resultId: string; readonly worker: string; readonly releaseId: string }

/** From the event to the result. Throws the code of a job that ended without one. */
export async function follow({ jobId, size }: Job, stage: Stage): Promise<Processed> {
  const { narrate, deployment, watch, memory } = stage
  const patience = WAIT_MILLISECONDS + size / SLOWEST_BYTES_A_MILLISECOND
  const wait = <T>(work: Promise<T>, what: string) => deployment.guard(within(work, patience, what))

  await narrate(
    'function',
    'hears of it by an event and puts a job on the stream',
    () => wait(watch.saying('event.decided', { jobId }), 'no event has become a job'),
    () => `job ${jobId}`,
  )
  const released = await narrate(
    'workers',
    'one leases the job, attests, and is granted the key',
    () => wait(watch.saying('released', { jobId }), 'no worker was granted the key'),
    ({ program, line }) => `${program}, ${String(line['assurance'])}, release ${String(line['releaseId'])}`,
  )
  const id = await narrate(
    released.program,
    'opens it, keeps the minimum, computes, seals the result',
    async (progress) => {
      const started = Date.now()
      const ticking = setInterval(() => {
        const bytes = memory.peaks.get(released.program) ?? 0
        progress(`working for ${Math.round((Date.now() - started) / 1000)} s, ${formatBytes(bytes)} resident`)
      }, PROGRESS_MILLISECONDS)
      try {
        return resultOf(await wait(watch.saying('ended', { jobId }), 'no result has come'))
      } finally {
        clearInterval(ticking)
      }
    },
    (id) => `result ${id.slice(0, 32)}…`,
  )
  return { resultId: id, worker: released.program, releaseId: String(released.line['releaseId']) }
}

/** Throws the code of a job that ended without a result. */
function resultOf({ program, line }: Said): string {
  const { outcome, code, detail } = line
  if (outcome === 'visible') return checkShape(resultId, detail, 'result id', 'internal.fault')
  throw new CodedError(
    typeof code === 'string' && isErrorCode(code) ? code : 'internal.fault',
    `the job ended without a result, as ${String(outcome)}; ${program}.log says more`,
  )
}

function readAnswer<Schema extends z.ZodType>(schema: Schema, stdout: string): z.output<Schema> {
  return checkShape(schema, parseJson(Buffer.from(stdout), 'answer'), 'answer of a command', 'internal.fault')
}
