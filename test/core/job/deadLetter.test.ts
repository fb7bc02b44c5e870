import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sha256, toBase64url } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { DeadLetterFormat, deadLetterOf, jobOfLetter } from '#core/job/deadLetter.ts'
import { JobFormat, jobIdOf } from '#core/job/job.ts'
import { toUnixSeconds } from '#core/time.ts'

const place = { namespace: 'hospital', bucket: 'outbox', object: 'ab/cd', etag: 'e-1' }
const job = {
  v: 1 as const,
  jobId: jobIdOf(place),
  eventId: 'event-1',
  ...place,
  size: 120,
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
  enqueuedAt: 1_790_000_000,
  notBefore: 0,
}
const message = JobFormat.encode(job)
const about = {
  jobId: job.jobId,
  code: 'object.unsigned',
  attempts: 3,
  boot: 'a'.repeat(26),
  deadAt: toUnixSeconds(1_790_000_100),
} as const

test('a dead letter has the reason, the digest and the message', () => {
  const letter = DeadLetterFormat.decode(deadLetterOf(message, about))
  assert.deepEqual(letter, {
    v: 1,
    ...about,
    digest: toBase64url(sha256(message)),
    size: message.byteLength,
    message: toBase64url(message),
  })
  assert.deepEqual(jobOfLetter(letter), job)
})

for (const { bytes, isKept } of [
  { bytes: 0, isKept: true },
  { bytes: 1, isKept: true },
  { bytes: 4096, isKept: true },
  { bytes: 4097, isKept: false },
  { bytes: 1024 * 1024, isKept: false },
])
  test(`a message of ${bytes} bytes that is no job is ${isKept ? 'kept' : 'only named'}`, () => {
    const other = Buffer.alloc(bytes, 'x')
    const letter = DeadLetterFormat.decode(deadLetterOf(other, { ...about, jobId: null }))
    assert.equal(letter.message, isKept ? toBase64url(other) : null)
    assert.deepEqual([letter.size, letter.digest], [bytes, toBase64url(sha256(other))])
    assert.equal(jobOfLetter(letter), undefined)
  })

const letter = DeadLetterFormat.decode(deadLetterOf(message, about))
const other = JobFormat.encode({ ...job, ...{ etag: 'e-2' }, jobId: jobIdOf({ ...place, etag: 'e-2' }) })
const withMessage = (bytes: Buffer) => ({
  ...letter,
  message: toBase64url(bytes),
  digest: toBase64url(sha256(bytes)),
})

for (const { name, changed } of [
  { name: 'of no job', changed: { ...letter, jobId: null } },
  { name: 'without its message', changed: { ...letter, message: null } },
  { name: 'with another digest', changed: { ...letter, digest: toBase64url(sha256(other)) } },
  { name: 'with the message of another job', changed: withMessage(other) },
  { name: 'with a message that is no job', changed: withMessage(Buffer.from('{}')) },
])
  test(`a dead letter ${name} gives no job back`, () => assert.equal(jobOfLetter(changed), undefined))

for (const { name, change } of [
  { name: 'another version', change: { v: 2 } },
  { name: 'an unknown code', change: { code: 'no.such-code' } },
  { name: 'a field more', change: { more: 1 } },
  { name: 'a message of 4097 bytes', change: { message: toBase64url(Buffer.alloc(4097)) } },
])
  test(`a dead letter with ${name} is malformed`, () => {
    assert.throws(() => DeadLetterFormat.decode(canonicalBytes({ ...letter, ...change })), {
      code: 'job.malformed',
    })
  })
