import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemClock } from '#adapters/system/clock.ts'
import { createRegistry } from '#adapters/system/monitor.ts'
import { CodedError } from '#core/errors.ts'
import { asideName, doneName, endName } from '#core/job/attempt.ts'
import { JobFormat, jobIdOf } from '#core/job/job.ts'
import { LIFE } from '#core/job/life.ts'
import { manifestName } from '#core/sealed/manifest.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { OpenAttempts } from '../../src/worker/attempts.ts'
import type { WorkOutcome } from '../../src/worker/ending.ts'
import { createWorkerMetrics } from '../../src/worker/metrics.ts'
import { settle } from '../../src/worker/settlement.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'
import { NOW } from '../core/release/releaseWorld.ts'
import { linesOf } from '../log.ts'
import { folderStore, publicationBootOf } from './workerBoot.ts'

const place = { namespace: 'hospital', bucket: 'outbox', object: 'ab/cd', etag: 'e-1' }
const jobId = jobIdOf(place)
const job = {
  v: 1 as const,
  jobId,
  eventId: 'event-1',
  ...place,
  size: 12,
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
  enqueuedAt: NOW,
  notBefore: 0,
}
const leased = { job, message: JobFormat.encode(job) }
const RESULT_ID = 'cd'.repeat(32)
const RELEASE_ID = 'ab'.repeat(16)
const history = { next: 1, counted: 0, suspect: false, givenBack: [] }

/** A boot that holds an attempt, and everything that it makes durable, in order. */
async function holding() {
  const files = folderStore(await temporaryFolder())
  const writes: string[] = []
  const store: ObjectStore = {
    ...files,
    create: async (object, bytes, aborted) => {
      aborted?.throwIfAborted()
      const created = await files.create(object, bytes, aborted)
      if (object.name === doneName(jobId)) writes.push('done')
      if (object.name === asideName(jobId, 0)) writes.push('aside')
      if (object.name === endName(jobId, 0, 1)) writes.push(`end ${Buffer.from(bytes)}`)
      return created
    },
  }
  const base = await publicationBootOf(store)
  const producer = (what: string) => ({
    publish: async () => {
      writes.push(what)
    },
  })
  const { log } = linesOf()
  const boot = {
    ...base,
    jobs: producer('message'),
    deadLetters: producer('dead letter'),
    evidence: {
      ...base.evidence,
      append: (body: Parameters<typeof base.evidence.append>[0]) => {
        writes.push(body.event)
        return base.evidence.append(body)
      },
    },
    clock: systemClock,
    metrics: createWorkerMetrics(createRegistry(), true),
    log,
  }
  const attempts = new OpenAttempts(boot)
  attempts.add(leased, { round: 0, number: 1, history })
  const settleAs = (outcome: WorkOutcome, signal = new AbortController().signal) =>
    settle(leased, outcome, 0, { boot, attempts, isLate: false, signal })
  /** The result of another worker, which this one has not met yet. */
  const finishElsewhere = async () => {
    await files.create({ ...base.buckets.results, name: manifestName(RESULT_ID) }, Buffer.from('x'))
    await files.create({ ...base.buckets.state, name: doneName(jobId) }, Buffer.from(RESULT_ID))
  }
  return { boot, attempts, writes, settleAs, finishElsewhere }
}

const failed = (
  code: ConstructorParameters<typeof CodedError>[0],
  releaseId: string | null,
): WorkOutcome => ({
  kind: 'failed',
  error: new CodedError(code, 'x'),
  releaseId,
  attempts: 1,
  headerDigests: [],
  standing: { history, boot: 'b'.repeat(26), now: NOW },
})
const visible: WorkOutcome = { kind: 'published', published: { kind: 'visible', resultId: RESULT_ID } }
const refused: WorkOutcome = {
  kind: 'refused',
  denial: { code: 'object.withdrawn', denialId: 'ab'.repeat(16) },
  headerDigests: [],
  standing: { history, boot: 'b'.repeat(26), now: NOW },
}
/** The first word of an end is its kind. */
const asRow = (writes: readonly string[]) =>
  writes.map((write) => (write.startsWith('end ') ? write.split(' ').slice(0, 2).join(' ') : write))

describe('each outcome makes durable what the table of the life says, in its order', () => {
  for (const { name, outcome, moves } of [
    { name: 'a result', outcome: visible, moves: [LIFE.finish] },
    { name: 'a refusal', outcome: refused, moves: [LIFE['set-aside']] },
    {
      name: 'a failure with a key',
      outcome: failed('workload.failed', RELEASE_ID),
      moves: [LIFE.fail, LIFE['set-aside']],
    },
    {
      name: 'a failure without a key',
      outcome: failed('object.changed', null),
      moves: [LIFE['give-up'], LIFE['set-aside']],
    },
    { name: 'an absent object', outcome: failed('service.missing', null), moves: [LIFE['put-back']] },
    {
      name: 'a fault with a key',
      outcome: failed('internal.fault', RELEASE_ID),
      moves: [LIFE.fail, LIFE['try-again']],
    },
    { name: 'a fault without a key', outcome: failed('internal.fault', null), moves: [LIFE['try-again']] },
    {
      name: 'an outage with a key',
      outcome: failed('service.unavailable', RELEASE_ID),
      moves: [LIFE.fail, LIFE['ask-again']],
    },
    { name: 'an outage without a key', outcome: failed('service.unavailable', null), moves: [] },
  ])
    test(name, async () => {
      const { settleAs, writes } = await holding()
      const ended = await settleAs(outcome)
      assert.equal(ended, moves.length === 0 || moves.at(-1) === LIFE['ask-again'] ? 'waiting' : 'ended')
      const expected = moves.flatMap((move): readonly string[] => move.writes)
      assert.deepEqual(
        asRow(writes),
        expected.map((write) => (write === 'job.failed, no key' ? 'job.failed' : write)),
      )
    })
})

describe('a job that has a result by now is never set aside or put back', () => {
  for (const outcome of [
    failed('job.exhausted', null),
    failed('object.changed', null),
    failed('service.missing', null),
    failed('internal.fault', null),
    refused,
  ])
    test(outcome.kind === 'failed' ? String(outcome.error) : outcome.kind, async () => {
      const { settleAs, finishElsewhere, writes } = await holding()
      await finishElsewhere()
      assert.equal(await settleAs(outcome), 'ended')
      assert.deepEqual(writes, ['end done'])
    })

  test('a failure with a key is told all the same', async () => {
    const { settleAs, finishElsewhere, writes } = await holding()
    await finishElsewhere()
    await settleAs(failed('workload.failed', RELEASE_ID))
    assert.deepEqual(writes, ['job.failed', 'end done'])
  })
})

test('a boot remembers a result whose pointer it could not write before the lease was lost', async () => {
  const { settleAs, boot, writes } = await holding()
  const lost = new Error('lease lost')
  await assert.rejects(settleAs(visible, AbortSignal.abort(lost)), lost)
  const { signal } = new AbortController()
  assert.equal(await boot.finished.find(jobId, signal), RESULT_ID)
  // Delivered again, and refused for good meanwhile.
  await settleAs(refused)
  assert.deepEqual(writes, ['done', 'end done'])
})

test('what fails with a key is told even if the lease is lost, and nothing else is written', async () => {
  const { settleAs, writes } = await holding()
  const lost = new Error('lease lost')
  await assert.rejects(settleAs(failed('workload.failed', RELEASE_ID), AbortSignal.abort(lost)), lost)
  await assert.rejects(settleAs(failed('object.changed', null), AbortSignal.abort(lost)), lost)
  assert.deepEqual(writes, ['job.failed'])
})
