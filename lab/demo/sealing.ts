/** The hospital's part of the demo: takes or generates a file, seals it and uploads it. */
import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { z } from 'zod'
import { formatBytes } from '#cli/terminal.ts'
import { toHex } from '#core/bytes.ts'
import { checkShape, parseJson } from '#core/canonical.ts'
import { etag, objectName, sealId } from '#core/fields.ts'
import { type Job, jobIdOf } from '#core/job/job.ts'
import type { Deployment } from './deployment.ts'
import { expectRoom } from './folders.ts'
import { PROVIDER } from './names.ts'
import type { DemoOptions } from './options.ts'
import type { RunStep } from './output.ts'
import { generatePopulation } from './population.ts'

const Sealed = z.looseObject({
  file: z.string(),
  sealId,
  object: objectName,
  size: z.int(),
  sealedSize: z.int(),
})
const Uploaded = z.looseObject({ etag, object: objectName, size: z.int(), record: z.string() })
export type Sealed = z.output<typeof Sealed>

/** Returns the file to seal: the user's own, or a generated one. */
export async function prepareInput(
  { input, patients, seed }: DemoOptions,
  deployment: Deployment,
  step: RunStep,
): Promise<string> {
  if (input !== undefined) {
    await expectRoom(deployment.folders, (await stat(input)).size)
    await step(
      'hospital',
      `takes ${basename(input)}`,
      () => stat(input),
      ({ size }) => formatBytes(size),
    )
    return input
  }
  const file = join(deployment.folders.root, 'input.ndjson')
  await step(
    'hospital',
    `generates a FHIR export of ${patients} patients (seed ${JSON.stringify(seed)})`,
    async () => {
      const { signal } = deployment
      const target = createWriteStream(file, { flags: 'wx' })
      await pipeline(generatePopulation({ seed, patients }), target, { signal })
      return await stat(file)
    },
    ({ size }) => formatBytes(size),
  )
  return file
}

export async function sealAndUpload(
  file: string,
  { configOf, command, folders }: Deployment,
  step: RunStep,
): Promise<{ sealed: Sealed; job: Job }> {
  const sealed = await step(
    'hospital',
    'seals it on its own machine, under a data key from its Vault',
    async (progress) => {
      const out = join(folders.root, 'object.sealed')
      const parameters = ['seal', file, '--config', configOf('seal'), '--out', out, '--json']
      return readResult(Sealed, await command(parameters, progress))
    },
    ({ sealedSize }) => formatBytes(sealedSize),
  )
  const uploaded = await step(
    'hospital',
    'uploads the sealed object with a signed record',
    async (progress) => {
      const parameters = ['upload', sealed.file, '--config', configOf('seal'), '--json']
      return readResult(Uploaded, await command(parameters, progress))
    },
    ({ object }) => `outbox/${object}`,
  )
  return { sealed, job: jobOf(uploaded) }
}

/** The job that the ingest function makes of this upload. The probes ask for the same object with it. */
function jobOf({ object, etag, size }: z.output<typeof Uploaded>): Job {
  const source = { namespace: PROVIDER.namespace, bucket: 'outbox', object, etag }
  return {
    v: 1,
    jobId: jobIdOf(source),
    eventId: 'by-hand',
    ...source,
    size,
    traceparent: `00-${toHex(randomBytes(16))}-${toHex(randomBytes(8))}-01`,
    enqueuedAt: Math.floor(Date.now() / 1000),
    notBefore: 0,
  }
}

function readResult<Schema extends z.ZodType>(schema: Schema, stdout: string): z.output<Schema> {
  return checkShape(schema, parseJson(Buffer.from(stdout), 'result'), 'result of a command', 'internal.fault')
}
