/** The objects of a run: sealed before it begins, so that only their upload meets its faults. */
import { createHash } from 'node:crypto'
import { codeOf } from '#core/errors.ts'
import { jobIdOf } from '#core/job/job.ts'
import { PROVIDER } from '#lab/demo/names.ts'
import { BAD_OBJECTS } from '../e2e/badObjects.ts'
import type { SystemUnderTest } from '../e2e/systemUnderTest.ts'
import type { UploadedObject } from './oracle/world.ts'
import type { PlannedObject } from './schedule.ts'

const OUTBOX = { namespace: PROVIDER.namespace, bucket: 'outbox' }
const PATIENTS = 2
const KILLED = 'job.exhausted'

/** May be repeated until it succeeds. */
export type Upload = () => Promise<UploadedObject>

/** `lines`: its content; without it, a few synthetic patients. */
type GoodObject = Pick<PlannedObject, 'name' | 'kills'> & {
  readonly lines?: string | undefined
  /** Its processing ends every worker. */
  readonly exhausts?: boolean
}

export function prepareObject(system: SystemUnderTest, planned: PlannedObject): Promise<Upload> {
  return planned.bad === undefined ? prepareGood(system, planned) : prepareBad(system, planned, planned.bad)
}

export async function prepareGood(
  system: SystemUnderTest,
  { name, kills, lines, exhausts = false }: GoodObject,
): Promise<Upload> {
  const content = lines === undefined ? { patients: PATIENTS } : { lines }
  const { file, headerDigest, dek } = await system.seal(name, content)
  return async () => {
    const uploaded = await system.upload(file)
    const { namespace, bucket, object, etag, objectDigest: sha256 } = uploaded
    // A killer that is faster than its SIGKILL has its result.
    const expected = { result: !exhausts, deadLetter: kills || exhausts ? [KILLED] : [] }
    const jobId = jobIdOf(uploaded)
    return { name, namespace, bucket, object, etag, jobId, sha256, headerDigest, dek, expected }
  }
}

async function prepareBad(system: SystemUnderTest, { name }: PlannedObject, index: number): Promise<Upload> {
  const bad = BAD_OBJECTS[index % BAD_OBJECTS.length]
  if (bad === undefined) throw new RangeError('there are no bad objects')
  const { object, bytes } = await bad.make(system)
  const store = system.sealer.objectStore()
  const ref = { ...OUTBOX, name: object }
  const sha256 = createHash('sha256').update(bytes).digest('base64url')
  return async () => {
    const { etag } = await store.create(ref, bytes).catch((error: unknown) => {
      // The answer to an earlier try was lost.
      if (codeOf(error) === 'service.conflict') return store.head(ref)
      throw error
    })
    const jobId = jobIdOf({ ...OUTBOX, object, etag })
    const expected = { result: false, deadLetter: [bad.code] }
    return { name, ...OUTBOX, object, etag, jobId, sha256, headerDigest: '', expected }
  }
}
