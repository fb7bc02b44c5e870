import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { decisionName, eventDigest, IngestDecisionFormat } from '#core/job/decision.ts'
import { authoriseEvent, parseEvent, toJob } from '#core/job/event.ts'
import { JobFormat, jobIdOf } from '#core/job/job.ts'
import { toUnixSeconds } from '#core/time.ts'

/** The example in Oracle's console. */
const EVENT = {
  cloudEventsVersion: '0.1',
  eventID: 'unique_ID',
  eventType: 'com.oraclecloud.objectstorage.createobject',
  source: 'objectstorage',
  eventTypeVersion: '2.0',
  eventTime: '2019-01-10T21:19:24.000Z',
  contentType: 'application/json',
  extensions: { compartmentId: 'ocid1.compartment.oc1..unique_ID' },
  data: {
    compartmentId: 'ocid1.compartment.oc1..unique_ID',
    compartmentName: 'example_name',
    resourceName: 'my_object',
    resourceId: '/n/example_namespace/b/my_bucket/o/my_object',
    availabilityDomain: 'all',
    additionalDetails: {
      eTag: 'f8ffb6e9-f602-460f-a6c0-00b5abfa24c7',
      namespace: 'example_namespace',
      bucketName: 'my_bucket',
      bucketId: 'ocid1.bucket.oc1.phx.unique_id',
      archivalState: 'Available',
    },
  },
}
const details = EVENT.data.additionalDetails
const ALLOWED = [{ namespace: details.namespace, bucket: details.bucketName }]
const bytes = (value: unknown) => utf8(JSON.stringify(value))
const withDetails = (change: object) => ({
  ...EVENT,
  data: { ...EVENT.data, additionalDetails: { ...details, ...change } },
})
const withData = (change: object) => ({ ...EVENT, data: { ...EVENT.data, ...change } })

test('parses an event with either spelling of its source', () => {
  for (const source of ['objectstorage', 'ObjectStorage'])
    assert.deepEqual(parseEvent(bytes({ ...EVENT, source })), {
      eventId: 'unique_ID',
      namespace: 'example_namespace',
      bucket: 'my_bucket',
      object: 'my_object',
      etag: details.eTag,
    })
})

test('ignores fields that OCI may add', () => {
  assert.equal(parseEvent(bytes(withDetails({ versionId: 'v1' }))).eventId, 'unique_ID')
})

const MALFORMED: readonly (readonly [string, Uint8Array])[] = [
  ['nothing', Buffer.alloc(0)],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['an array', bytes([EVENT])],
  ['one byte over the limit', utf8(JSON.stringify(EVENT).padEnd(16 * 1024 + 1))],
  ['another CloudEvents version', bytes({ ...EVENT, cloudEventsVersion: '1.0' })],
  ['another event version', bytes({ ...EVENT, eventTypeVersion: '3.0' })],
  ['an overwritten object', bytes({ ...EVENT, eventType: 'com.oraclecloud.objectstorage.updateobject' })],
  ['a deleted object', bytes({ ...EVENT, eventType: 'com.oraclecloud.objectstorage.deleteobject' })],
  ['another source', bytes({ ...EVENT, source: 'objectstorage2' })],
  ['another content type', bytes({ ...EVENT, contentType: 'text/plain' })],
  ['no id', bytes({ ...EVENT, eventID: '' })],
  ['an id of 129 characters', bytes({ ...EVENT, eventID: 'x'.repeat(129) })],
  ['an id with a line break', bytes({ ...EVENT, eventID: 'a\nb' })],
  ['no object', bytes(withData({ resourceName: undefined }))],
  ['a name of 1025 characters', bytes(withData({ resourceName: 'x'.repeat(1025) }))],
  ['an entity tag with a quote', bytes(withDetails({ eTag: '"x"' }))],
  ['an empty name', bytes(withData({ resourceName: '' }))],
  ['no bucket', bytes(withDetails({ bucketName: undefined }))],
  ['an empty bucket', bytes(withDetails({ bucketName: '' }))],
  ['a bucket of 257 characters', bytes(withDetails({ bucketName: 'b'.repeat(257) }))],
  ['an empty namespace', bytes(withDetails({ namespace: '' }))],
  ['a namespace of 257 characters', bytes(withDetails({ namespace: 'n'.repeat(257) }))],
]
for (const [name, body] of MALFORMED)
  test(`malformed: ${name}`, () => {
    assert.throws(() => parseEvent(body), { code: 'event.malformed' })
  })

test('parses an event of maximum size', () => {
  assert.equal(parseEvent(utf8(JSON.stringify(EVENT).padEnd(16 * 1024))).eventId, 'unique_ID')
})

for (const [name, change] of [
  ['an id of 128 characters', { ...EVENT, eventID: 'x'.repeat(128) }],
  ['an id of one character', { ...EVENT, eventID: '!' }],
  ['a name of 1024 characters', withData({ resourceName: 'x'.repeat(1024) })],
  ['a name of one character', withData({ resourceName: 'x' })],
  ['a namespace of one character', withDetails({ namespace: 'n' })],
  ['a namespace of 256 characters', withDetails({ namespace: 'n'.repeat(256) })],
  ['a bucket of one character', withDetails({ bucketName: 'b' })],
  ['a bucket of 256 characters', withDetails({ bucketName: 'b'.repeat(256) })],
] as const)
  test(`parses an event with ${name}`, () => {
    const { eventID, data } = change
    const { eTag, namespace, bucketName } = data.additionalDetails
    assert.deepEqual(parseEvent(bytes(change)), {
      eventId: eventID,
      namespace,
      bucket: bucketName,
      object: data.resourceName,
      etag: eTag,
    })
  })

const UNAUTHORISED: readonly (readonly [string, unknown])[] = [
  ['another bucket', withDetails({ bucketName: 'my_bucket2' })],
  ['another namespace', withDetails({ namespace: 'example' })],
  ['a name in capitals', withData({ resourceName: 'My_object' })],
  ['a name of 201 characters', withData({ resourceName: 'x'.repeat(201) })],
]
for (const [name, event] of UNAUTHORISED)
  test(`unauthorised: ${name}`, () => {
    const parsed = parseEvent(bytes(event))
    assert.throws(() => authoriseEvent(parsed, ALLOWED), {
      code: 'event.unauthorised',
      message: /^[a-z ]+$/,
    })
  })

for (const resourceName of ['set/a/b', `set/${'5e'.repeat(16)}/${'0a'.repeat(16)}`])
  test(`no job: ${resourceName}, as a member of a set`, () => {
    const parsed = parseEvent(bytes(withData({ resourceName })))
    assert.throws(() => authoriseEvent(parsed, ALLOWED), { code: 'event.of-member', message: /^[a-z: ]+$/ })
  })

test('a job has the fields of the event and the size from storage, under an id that duplicates share', () => {
  const event = authoriseEvent(parseEvent(bytes(EVENT)), ALLOWED)
  const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
  const job = toJob(event, { size: 119 }, traceparent, toUnixSeconds(1_800_000_000))
  assert.deepEqual(JobFormat.decode(JobFormat.encode(job)), {
    v: 1,
    jobId: jobIdOf({ ...ALLOWED[0], object: 'my_object', etag: details.eTag } as Parameters<
      typeof jobIdOf
    >[0]),
    eventId: 'unique_ID',
    namespace: 'example_namespace',
    bucket: 'my_bucket',
    object: 'my_object',
    etag: details.eTag,
    size: 119,
    traceparent,
    enqueuedAt: 1_800_000_000,
    notBefore: 0,
  })
  // Magic, length, an empty header and one empty segment: a sealed object is longer.
  assert.throws(() => toJob(event, { size: 118 }, traceparent, toUnixSeconds(0)), {
    code: 'object.malformed',
  })
})

const decision = {
  v: 1,
  eventDigest: eventDigest('unique_ID'),
  outcome: { kind: 'refused', code: 'event.malformed' },
  decidedAt: 0,
}
const published = {
  kind: 'published',
  jobId: 'ab'.repeat(16),
  object: 'my_object',
  etag: details.eTag,
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
}

test('a decision refuses an event by a code, or names its job', () => {
  for (const whole of [decision, { ...decision, outcome: published }])
    assert.deepEqual(IngestDecisionFormat.decode(canonicalBytes(whole)), whole)
})

for (const [name, change] of [
  ['another version', { v: 2 }],
  ['a field more', { more: 1 }],
  ['an unknown code', { outcome: { kind: 'refused', code: 'no.such-code' } }],
  ['a refusal that says more', { outcome: { ...decision.outcome, object: 'my_object' } }],
  ['a publication that says more', { outcome: { ...published, code: 'event.malformed' } }],
  ['another outcome', { outcome: { kind: 'lost' } }],
] as const)
  test(`a decision with ${name} is malformed`, () => {
    assert.throws(() => IngestDecisionFormat.decode(canonicalBytes({ ...decision, ...change })), {
      code: 'record.malformed',
    })
  })

test('a decision has one name per event: of its id, or else of its bytes', () => {
  // By sha256sum, of "id:unique_ID" and of "body:unique_ID".
  assert.equal(
    decisionName(eventDigest('unique_ID')),
    'decision/46b70061fd8b21face757de5fe497ab6768b3576cff9dc4c198d0e2130d5f7c0',
  )
  assert.equal(
    decisionName(eventDigest(utf8('unique_ID'))),
    'decision/bb0607bf3697684bc0b841ccadad481b2ca58fc0626050dbdd6e6684e6952254',
  )
})
