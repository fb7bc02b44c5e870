import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBase64url } from '#core/bytes.ts'
import { createRoom, MAX_REQUEST_BYTES, type ReleaseJob, ReleaseJobsFormat } from '#core/release/request.ts'
import { TRACEPARENT } from './releaseWorld.ts'

/** As long as a job can be: headers, places and a set record of their greatest length. */
const jobOf = (objects: number, set?: string): ReleaseJob => ({
  ...(set !== undefined && { set }),
  traceparent: TRACEPARENT,
  objects: Array(objects).fill({
    header: `a.b.${'c'.repeat(4092)}`,
    bucket: 'b'.repeat(256),
    name: 'n'.repeat(200),
    etag: 'e'.repeat(128),
  }),
})
const record = `a.b.${'c'.repeat(14_154)}`
const fitting = (jobs: readonly ReleaseJob[]) => {
  const hasRoom = createRoom()
  const beyond = jobs.findIndex((job) => !hasRoom(job))
  return beyond < 0 ? jobs.length : beyond
}

for (const [what, job, count] of [
  ['256 objects of their own', jobOf(1), 256],
  ['four full sets', jobOf(64, record), 4],
  ['sets of three', jobOf(3, record), 47],
  ['sets of one', jobOf(1, record), 71],
] as const)
  test(`one request has room for ${what}`, () => {
    const jobs = Array(300).fill(job)
    const fits = fitting(jobs)
    assert.equal(fits, count)
    const encoded = ReleaseJobsFormat.encode(jobs.slice(0, fits))
    assert.ok(toBase64url(encoded).length + 32 * 1024 <= MAX_REQUEST_BYTES)
  })

test('a job that has no room takes none', () => {
  const hasRoom = createRoom()
  assert.equal(hasRoom(jobOf(64)), true)
  assert.equal(hasRoom(jobOf(64)), true)
  assert.equal(hasRoom(jobOf(64)), true)
  assert.equal(hasRoom(jobOf(63)), true)
  assert.equal(hasRoom(jobOf(2)), false)
  assert.equal(hasRoom(jobOf(1)), true)
  assert.equal(hasRoom(jobOf(1)), false)
})
