import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodedError } from '#core/errors.ts'
import { type Job, jobIdOf } from '#core/job/job.ts'
import { encodeSealHeader } from '#core/sealed/object.ts'
import { encodeSetRecord, SET_RECORD_BYTES } from '#core/sealed/setRecord.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { findHeaderDigests, readInput, releaseJobOf } from '../../src/worker/input.ts'
import { jobOf, SET, setJobOf, TRACEPARENT } from '../core/release/releaseWorld.ts'

const PLACE = { namespace: 'hospital', bucket: 'outbox' }
const never = new AbortController().signal
const alone = await jobOf()
const set = await setJobOf()
const [single] = alone.objects
assert.ok(single !== undefined && set.set !== undefined)
const record = encodeSetRecord(set.set)
const ciphertext = Buffer.alloc(5000, 1)
const OBJECTS: Readonly<Record<string, Uint8Array>> = {
  [SET]: record,
  ...Object.fromEntries(
    [single, ...set.objects].map(({ name, header }) => [
      name,
      Buffer.concat([encodeSealHeader(header), ciphertext]),
    ]),
  ),
}

/** Its eTag is the name of an object. */
function storeOf(objects: Readonly<Record<string, Uint8Array>>): Pick<ObjectStore, 'head' | 'read'> {
  const find = (name: string, etag?: string): Uint8Array => {
    const bytes = objects[name]
    if (bytes === undefined) throw new CodedError('service.missing', name)
    if (etag !== undefined && etag !== name) throw new CodedError('object.changed', name)
    return bytes
  }
  return {
    head: async ({ name }, etag) => ({ etag: name, size: find(name, etag).length, contentType: undefined }),
    read: async ({ name }, { start, end }, etag) => Buffer.from(find(name, etag)).subarray(start, end + 1),
  }
}

function messageAbout(object: string, etag = object): Job {
  const place = { ...PLACE, object, etag }
  const times = { enqueuedAt: 0, notBefore: 0 }
  return { v: 1, jobId: jobIdOf(place), eventId: 'e', ...place, size: 1, traceparent: TRACEPARENT, ...times }
}

const asked = async (job: Job, objects = OBJECTS) =>
  releaseJobOf(job, await readInput(job, storeOf(objects), never))
const withEtag = <T extends { readonly name: string }>(object: T) => ({ ...object, etag: object.name })

test('a sealed object is asked for by itself', async () => {
  assert.deepEqual(await asked(messageAbout(single.name)), {
    traceparent: TRACEPARENT,
    objects: [{ ...withEtag(single), bucket: 'outbox' }],
  })
})

test('a set record is asked for with its members in its order, each in the version that is there', async () => {
  assert.deepEqual(await asked(messageAbout(SET)), {
    set: set.set,
    traceparent: TRACEPARENT,
    objects: set.objects.map((object) => ({ ...withEtag(object), bucket: 'outbox' })),
  })
})

const [member] = set.objects
const without = Object.fromEntries(Object.entries(OBJECTS).filter(([name]) => name !== member?.name))
for (const [what, object, objects, code] of [
  ['a record under another name', 'copy', { ...OBJECTS, copy: record }, 'object.misplaced'],
  ['a record whose member is gone', SET, without, 'service.missing'],
  ['a record as a member', SET, { ...OBJECTS, [String(member?.name)]: record }, 'object.malformed'],
  [
    'a record with a byte behind it',
    SET,
    { ...OBJECTS, [SET]: Buffer.concat([record, Buffer.from('\n')]) },
    'object.malformed',
  ],
  [
    'a record that is too long',
    SET,
    { ...OBJECTS, [SET]: Buffer.concat([record, Buffer.alloc(SET_RECORD_BYTES, 'A')]) },
    'object.malformed',
  ],
  ['neither', 'x', { x: Buffer.from('CWSETR2\na.b.c') }, 'object.malformed'],
] as const)
  test(`refused: ${what}`, async () => {
    const job = messageAbout(object)
    await assert.rejects(asked(job, objects), { code })
    assert.deepEqual(await findHeaderDigests(job, storeOf(objects), never), [])
  })

test('refused: a record in another version than the message says', async () => {
  await assert.rejects(asked(messageAbout(SET, 'another')), { code: 'object.changed' })
})
