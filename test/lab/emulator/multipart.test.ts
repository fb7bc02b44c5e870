/** Multipart uploads on the wire. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { bodyOf, configWithoutEvents, outbox, refusedWith } from './buckets.ts'
import { instanceProvider, objectStorageOf, userProvider } from './clients.ts'
import { emulatorFor, PROVIDER, temporaryFolder } from './testEmulator.ts'

test('a multipart upload becomes one object, in the order of its parts, exactly once', async (t) => {
  const folder = await temporaryFolder(t)
  const emulator = await emulatorFor(t, configWithoutEvents(), { folder })
  const sealer = objectStorageOf(emulator, userProvider(PROVIDER, 'sealer'))
  const worker = objectStorageOf(emulator, await instanceProvider(emulator, 'worker-1'))
  const at = { ...outbox, objectName: 'big' }
  const parts = [randomBytes(70_000), randomBytes(300_000), randomBytes(5)]
  const { multipartUpload } = await sealer.createMultipartUpload({
    ...outbox,
    createMultipartUploadDetails: { object: 'big', contentType: 'application/x-seal' },
    ifNoneMatch: '*',
  })
  const { uploadId } = multipartUpload
  const etags = await Promise.all(
    parts.map((bytes, index) =>
      sealer.uploadPart({
        ...at,
        uploadId,
        uploadPartNum: index + 1,
        contentLength: bytes.byteLength,
        uploadPartBody: Readable.from([bytes]),
      }),
    ),
  )
  const partsToCommit = etags.map(({ eTag }, index) => ({ partNum: index + 1, etag: eTag }))
  const commit = (commitMultipartUploadDetails: { partsToCommit: typeof partsToCommit }) =>
    sealer.commitMultipartUpload({ ...at, uploadId, commitMultipartUploadDetails })
  await assert.rejects(
    commit({ partsToCommit: partsToCommit.toReversed() }),
    refusedWith(400, 'InvalidUploadPart'),
  )
  const { eTag, opcMultipartMd5 } = await commit({ partsToCommit })
  assert.match(opcMultipartMd5, /-3$/)
  assert.deepEqual(await bodyOf(worker, { ...at, ifMatch: eTag }), Buffer.concat(parts))
  assert.deepEqual(
    await bodyOf(worker, { ...at, range: { startByte: 69_999, endByte: 370_001 } as never }),
    Buffer.concat(parts).subarray(69_999, 370_002),
  )
  await assert.rejects(commit({ partsToCommit }), refusedWith(404, 'NoSuchUpload'))
  await assert.rejects(
    sealer.createMultipartUpload({
      ...outbox,
      createMultipartUploadDetails: { object: 'big' },
      ifNoneMatch: '*',
    }),
    refusedWith(412, 'IfNoneMatchFailed'),
  )
  assert.equal((await readdir(join(folder, 'objectstorage', 'bodies'))).length, 3)
})

test('of two if-none-match uploads of one name, the second commit fails', async (t) => {
  const emulator = await emulatorFor(t, configWithoutEvents())
  const sealer = objectStorageOf(emulator, userProvider(PROVIDER, 'sealer'))
  const begin = async (byte: string) => {
    const { multipartUpload } = await sealer.createMultipartUpload({
      ...outbox,
      createMultipartUploadDetails: { object: 'one' },
      ifNoneMatch: '*',
    })
    const upload = { ...outbox, objectName: 'one', uploadId: multipartUpload.uploadId }
    const { eTag } = await sealer.uploadPart({
      ...upload,
      uploadPartNum: 1,
      contentLength: 1,
      uploadPartBody: Buffer.from(byte),
    })
    return { ...upload, commitMultipartUploadDetails: { partsToCommit: [{ partNum: 1, etag: eTag }] } }
  }
  const [first, second] = [await begin('1'), await begin('2')]
  await sealer.commitMultipartUpload(first)
  await assert.rejects(sealer.commitMultipartUpload(second), refusedWith(412, 'IfNoneMatchFailed'))
})
