import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalBytes } from '#core/canonical.ts'
import { JobFormat, jobIdOf } from '#core/job/job.ts'

const place = { namespace: 'hospital', bucket: 'outbox', object: 'ab/cd', etag: 'e-1' }
const job = {
  v: 1,
  // The first 16 bytes of `printf '["hospital","outbox","ab/cd","e-1"]' | sha256sum`.
  jobId: 'f2c90db5f7d13cdcd2b3bc1855ab2347',
  eventId: 'event-1',
  ...place,
  size: 120,
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
  enqueuedAt: 1_790_000_000,
  notBefore: 0,
}

test('the id of a job is the digest of its object version', () => assert.equal(jobIdOf(place), job.jobId))

for (const change of [{}, { eventId: 'e' }, { eventId: 'e'.repeat(128) }, { size: 0 }, { notBefore: 1 }])
  test(`a job with ${JSON.stringify(change).slice(0, 30)} is read`, () => {
    const whole = { ...job, ...change }
    assert.deepEqual(JobFormat.decode(canonicalBytes(whole)), whole)
  })

for (const change of [
  { v: 2 },
  { jobId: 'ab'.repeat(16) },
  { etag: 'e-2' },
  { object: 'ab/ce' },
  { bucket: 'outbox2' },
  { namespace: 'clinic' },
  { eventId: '' },
  { eventId: 'e'.repeat(129) },
  { size: -1 },
  { more: 1 },
])
  test(`a job with ${JSON.stringify(change).slice(0, 30)} is malformed`, () => {
    assert.throws(() => JobFormat.decode(canonicalBytes({ ...job, ...change })), { code: 'job.malformed' })
  })
