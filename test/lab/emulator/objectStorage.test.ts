/** Objects on the wire: reads, writes, preconditions, permissions, listings, retention and restarts. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ObjectStorageClient } from 'oci-objectstorage'
import { bodyOf, configWithoutEvents, governance, outbox, refusedWith, results, state } from './buckets.ts'
import { instanceProvider, objectStorageOf, userProvider } from './clients.ts'
import {
  CONSUMER,
  CONSUMER_NAMESPACE,
  emulatorFor,
  PROVIDER,
  PROVIDER_NAMESPACE,
  temporaryFolder,
} from './testEmulator.ts'

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

test('an object is read back whole, in ranges and by its etag', async (t) => {
  const emulator = await emulatorFor(t, configWithoutEvents())
  const sealer = objectStorageOf(emulator, userProvider(PROVIDER, 'sealer'))
  const worker = objectStorageOf(emulator, await instanceProvider(emulator, 'worker-1'))
  const bytes = randomBytes(300_000)
  const put = await sealer.putObject({
    ...outbox,
    objectName: 'a/b c',
    contentLength: bytes.byteLength,
    putObjectBody: bytes,
    opcMeta: { note: 'x' },
    contentType: 'application/x-seal',
    opcChecksumAlgorithm: 'SHA256' as never,
  })
  assert.match(put.eTag, UUID)
  assert.equal(put.opcContentMd5, createHash('md5').update(bytes).digest('base64'))
  assert.equal(put.opcContentSha256, createHash('sha256').update(bytes).digest('base64'))

  const at = { ...outbox, objectName: 'a/b c' }
  assert.deepEqual(await bodyOf(worker, at), bytes)
  const ranges: readonly (readonly [object, Buffer])[] = [
    [{ startByte: 0, endByte: 9 }, bytes.subarray(0, 10)],
    [{ startByte: 299_990, endByte: 400_000 }, bytes.subarray(299_990)],
    [{ startByte: 100_000, endByte: 299_999 }, bytes.subarray(100_000)],
  ]
  for (const [range, expected] of ranges)
    assert.deepEqual(await bodyOf(worker, { ...at, range: range as never, ifMatch: put.eTag }), expected)
  await assert.rejects(
    bodyOf(worker, { ...at, range: { startByte: 300_000, endByte: 300_001 } as never }),
    refusedWith(416, 'InvalidRange'),
  )
  await assert.rejects(bodyOf(worker, { ...at, ifMatch: 'other' }), refusedWith(412, 'IfMatchFailed'))

  const head = await worker.headObject(at)
  assert.equal(head.contentLength, 300_000)
  assert.equal(head.contentType, 'application/x-seal')
  assert.deepEqual(head.opcMeta, { 'opc-meta-note': 'x' })
  await assert.rejects(worker.getObject({ ...at, objectName: 'absent' }), refusedWith(404, 'ObjectNotFound'))
})

test('a body with another digest than announced is refused and leaves no file', async (t) => {
  const folder = await temporaryFolder(t)
  const emulator = await emulatorFor(t, configWithoutEvents(), { folder })
  const sealer = objectStorageOf(emulator, userProvider(PROVIDER, 'sealer'))
  const put = (extra: object) =>
    sealer.putObject({
      ...outbox,
      objectName: 'x',
      contentLength: 3,
      putObjectBody: Buffer.from('abc'),
      ...extra,
    })
  await assert.rejects(
    put({ contentMD5: createHash('md5').update('abd').digest('base64') }),
    refusedWith(400, 'UnmatchedContentMD5'),
  )
  await assert.rejects(
    put({ opcContentSha256: createHash('sha256').update('abd').digest('base64') }),
    refusedWith(400, 'UnmatchedContentSHA256'),
  )
  await assert.rejects(
    sealer.headObject({ ...outbox, objectName: 'x' }),
    // A HEAD has no body that could carry a code.
    refusedWith(404, 'None'),
  )
  assert.deepEqual(await readdir(join(folder, 'objectstorage', 'bodies')), [])
})

test('exactly one of several racing creates succeeds, and the others leave no file', async (t) => {
  const folder = await temporaryFolder(t)
  const emulator = await emulatorFor(t, configWithoutEvents(), { folder })
  const worker = objectStorageOf(emulator, await instanceProvider(emulator, 'worker-1'))
  const attempts = Array.from({ length: 12 }, (_, attempt) =>
    worker.putObject({
      ...results,
      objectName: 'r/1/result',
      ifNoneMatch: '*',
      contentLength: 1,
      putObjectBody: Buffer.from(attempt.toString(16)),
    }),
  )
  const outcomes = await Promise.allSettled(attempts)
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') refusedWith(412, 'IfNoneMatchFailed')(outcome.reason)
  assert.equal((await readdir(join(folder, 'objectstorage', 'bodies'))).length, 1)
})

test('a principal with only OBJECT_CREATE cannot overwrite, delete or use multipart uploads', async (t) => {
  const emulator = await emulatorFor(t, configWithoutEvents())
  const worker = objectStorageOf(emulator, await instanceProvider(emulator, 'worker-1'))
  const at = { ...state, objectName: 'attempt/ab/0/1/claim' }
  const put = (extra: object) =>
    worker.putObject({ ...at, contentLength: 1, putObjectBody: Buffer.from('x'), ...extra })
  await put({ ifNoneMatch: '*' })
  await assert.rejects(put({ ifNoneMatch: '*' }), refusedWith(412, 'IfNoneMatchFailed'))
  await assert.rejects(put({}), refusedWith(404, 'BucketNotFound'))
  await assert.rejects(worker.deleteObject(at), refusedWith(404, 'BucketNotFound'))
  await assert.rejects(
    worker.createMultipartUpload({ ...state, createMultipartUploadDetails: { object: 'big' } }),
    refusedWith(404, 'BucketNotFound'),
  )
})

test('a bucket without permission looks like an absent one', async (t) => {
  const emulator = await emulatorFor(t, configWithoutEvents())
  const worker = objectStorageOf(emulator, await instanceProvider(emulator, 'worker-1'))
  const verifier = objectStorageOf(emulator, await instanceProvider(emulator, 'verifier'))
  const researcher = objectStorageOf(emulator, userProvider(CONSUMER, 'researcher'))
  const list = (client: ObjectStorageClient, at: { namespaceName: string; bucketName: string }) =>
    client.listObjects(at)
  for (const [client, at] of [
    [worker, governance],
    [worker, outbox],
    [worker, { namespaceName: PROVIDER_NAMESPACE, bucketName: 'absent' }],
    [worker, { namespaceName: CONSUMER_NAMESPACE, bucketName: 'outbox' }],
    [verifier, outbox],
    [verifier, results],
    [researcher, { namespaceName: PROVIDER_NAMESPACE, bucketName: 'evidence-worker' }],
  ] as const)
    await assert.rejects(list(client, at), refusedWith(404, 'BucketNotFound'))
  await list(verifier, governance)
  await list(verifier, { namespaceName: PROVIDER_NAMESPACE, bucketName: 'evidence-worker' })
  await list(worker, { namespaceName: PROVIDER_NAMESPACE, bucketName: 'evidence-worker' })
  await list(researcher, results)
  assert.equal((await worker.getNamespace({})).value, CONSUMER_NAMESPACE)
})

test('a listing is ordered and can be limited by prefix and in pages', async (t) => {
  const emulator = await emulatorFor(t, configWithoutEvents())
  const worker = objectStorageOf(emulator, await instanceProvider(emulator, 'worker-1'))
  for (const objectName of ['b/2', 'a', 'b/10', 'c', 'b/1'])
    await worker.putObject({ ...results, objectName, contentLength: 1, putObjectBody: Buffer.from('x') })
  const page = async (query: object) => {
    const { listObjects } = await worker.listObjects({ ...results, ...query })
    return { names: listObjects.objects.map(({ name }) => name), next: listObjects.nextStartWith }
  }
  assert.deepEqual(await page({}), { names: ['a', 'b/1', 'b/10', 'b/2', 'c'], next: undefined })
  assert.deepEqual(await page({ prefix: 'b/' }), { names: ['b/1', 'b/10', 'b/2'], next: undefined })
  assert.deepEqual(await page({ prefix: 'b/', limit: 2 }), { names: ['b/1', 'b/10'], next: 'b/2' })
  assert.deepEqual(await page({ prefix: 'b/', start: 'b/2' }), { names: ['b/2'], next: undefined })
  assert.deepEqual(await page({ startAfter: 'b/2' }), { names: ['c'], next: undefined })
  const { listObjects } = await worker.listObjects({
    ...results,
    prefix: 'a',
    fields: 'name,size,etag' as never,
  })
  assert.equal(listObjects.objects[0]?.size, 1)
  assert.match(listObjects.objects[0]?.etag ?? '', UUID)
})

test('a retention rule refuses overwrites and deletes until it expires', async (t) => {
  let now = Date.now()
  const config = configWithoutEvents(({ policies, buckets }) => {
    for (const policy of policies)
      policy.statements +=
        '\nAllow group researchers to {OBJECT_CREATE, OBJECT_OVERWRITE, OBJECT_DELETE} in compartment results\n'
    policies[0] = { ...policies[1], tenancyId: PROVIDER, statements: '', name: 'none', variables: {} }
    for (const bucket of buckets) bucket.retentionSeconds = bucket.name === 'results' ? 120 : 0
  })
  const emulator = await emulatorFor(t, config, { now: () => now })
  const researcher = objectStorageOf(emulator, userProvider(CONSUMER, 'researcher'))
  const at = { ...results, objectName: 'kept' }
  const put = () => researcher.putObject({ ...at, contentLength: 1, putObjectBody: Buffer.from('x') })
  await put()
  await assert.rejects(put(), refusedWith(409, 'RetentionRuleViolation'))
  await assert.rejects(researcher.deleteObject(at), refusedWith(409, 'RetentionRuleViolation'))
  now += 120_000
  await put()
  now += 120_000
  await researcher.deleteObject(at)
  await assert.rejects(researcher.getObject(at), refusedWith(404, 'ObjectNotFound'))
})

test('objects, unfinished uploads, sessions and ports survive a restart', async (t) => {
  const folder = await temporaryFolder(t)
  const config = configWithoutEvents()
  const first = await emulatorFor(t, config, { folder })
  const workerProvider = await instanceProvider(first, 'worker-1')
  const worker = objectStorageOf(first, workerProvider)
  const sealer = objectStorageOf(first, userProvider(PROVIDER, 'sealer'))
  await worker.putObject({
    ...results,
    objectName: 'kept',
    contentLength: 4,
    putObjectBody: Buffer.from('kept'),
  })
  const { multipartUpload } = await sealer.createMultipartUpload({
    ...outbox,
    createMultipartUploadDetails: { object: 'big' },
  })
  const upload = { ...outbox, objectName: 'big', uploadId: multipartUpload.uploadId }
  const { eTag } = await sealer.uploadPart({
    ...upload,
    uploadPartNum: 1,
    contentLength: 3,
    uploadPartBody: Buffer.from('big'),
  })
  await first.close()

  const second = await emulatorFor(t, config, { folder })
  assert.deepEqual([second.endpoint, second.imds], [first.endpoint, first.imds])
  assert.equal((await bodyOf(worker, { ...results, objectName: 'kept' })).toString(), 'kept')
  await sealer.commitMultipartUpload({
    ...upload,
    commitMultipartUploadDetails: { partsToCommit: [{ partNum: 1, etag: eTag }] },
  })
  assert.equal((await bodyOf(worker, { ...outbox, objectName: 'big' })).toString(), 'big')
})
