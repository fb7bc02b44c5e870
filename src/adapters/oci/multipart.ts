/**
 * A large object, uploaded in parts. The SDK's UploadManager is not used: it reads a whole stream into memory
 * and omits the preconditions. OCI requires the permission to overwrite for every multipart upload, so only
 * the provider's sealing user may do this. `if-none-match` at the start and at the commit prevents
 * overwriting.
 */
import { createHash } from 'node:crypto'
import type { ObjectStorageClient } from 'oci-objectstorage'
import type { Meaning } from './answers.ts'
import type { Http } from './http.ts'
import { type ObjectPath, toEtag, wrongSize } from './objectPath.ts'

const TAKEN: readonly Meaning[] = [{ status: 412, code: 'service.conflict' }]
const PART_BYTES = 16 * 1024 * 1024
const MAX_PARTS = 10_000
const IN_FLIGHT = 3
const PART_ANSWER_MS = 120_000

type CommittedPart = { readonly partNum: number; readonly etag: string }

/** Keeps at most `IN_FLIGHT + 1` parts in memory. */
export async function createInParts(
  http: Http,
  client: ObjectStorageClient,
  path: ObjectPath,
  chunks: AsyncIterable<Uint8Array>,
  size: number,
  signal?: AbortSignal,
): Promise<{ readonly etag: string }> {
  const { multipartUpload } = await http.call(
    'createMultipartUpload',
    () =>
      client.createMultipartUpload({
        namespaceName: path.namespaceName,
        bucketName: path.bucketName,
        createMultipartUploadDetails: { object: path.objectName },
        ifNoneMatch: '*',
      }),
    { signal, meanings: TAKEN },
  )
  const upload = {
    namespaceName: path.namespaceName,
    bucketName: path.bucketName,
    objectName: path.objectName,
    uploadId: encodeURIComponent(multipartUpload.uploadId),
  }
  try {
    const partsToCommit = await uploadParts(cut(chunks, size), async (partNum, bytes) => {
      const answer = await http.call(
        'uploadPart',
        () =>
          client.uploadPart({
            ...upload,
            uploadPartNum: partNum,
            contentLength: bytes.byteLength,
            contentMD5: createHash('md5').update(bytes).digest('base64'),
            uploadPartBody: bytes,
          }),
        { signal, answerMs: PART_ANSWER_MS },
      )
      return { partNum, ...toEtag(answer.eTag, 'uploadPart') }
    })
    const answer = await http.call(
      'commitMultipartUpload',
      () =>
        client.commitMultipartUpload({
          ...upload,
          ifNoneMatch: '*',
          commitMultipartUploadDetails: { partsToCommit },
        }),
      // Sent once: after a lost answer the upload may be gone because it was committed. The caller reads.
      { signal, meanings: TAKEN, attempts: 1, answerMs: PART_ANSWER_MS },
    )
    return toEtag(answer.eTag, 'commitMultipartUpload')
  } catch (error) {
    // Without this, the parts cost money until the bucket's lifecycle rule removes them.
    await http
      .call('abortMultipartUpload', () => client.abortMultipartUpload(upload), { attempts: 1 })
      .catch(() => {})
    throw error
  }
}

/** Settles only when no part is in flight any more, so that no part arrives after an abort. */
async function uploadParts(
  parts: AsyncIterable<Buffer>,
  put: (partNum: number, bytes: Buffer) => Promise<CommittedPart>,
): Promise<CommittedPart[]> {
  const all: Promise<CommittedPart>[] = []
  const inFlight = new Set<Promise<CommittedPart>>()
  try {
    for await (const bytes of parts) {
      const part = put(all.length + 1, bytes)
      all.push(part)
      // A failed part stays in the set, so that the race below throws its error.
      inFlight.add(part)
      part.then(
        () => inFlight.delete(part),
        () => {},
      )
      if (inFlight.size >= IN_FLIGHT) await Promise.race(inFlight)
    }
    return await Promise.all(all)
  } catch (error) {
    await Promise.allSettled(all)
    throw error
  }
}

/**
 * Cuts chunks into parts of one size; the last may be smaller. Throws unless they have `size` bytes in all.
 */
async function* cut(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  const partBytes = Math.max(PART_BYTES, Math.ceil(size / MAX_PARTS))
  let left = size
  let part = Buffer.allocUnsafe(Math.min(partBytes, left))
  let filled = 0
  for await (const chunk of chunks) {
    let rest = chunk
    while (rest.byteLength > 0) {
      if (left === 0) throw wrongSize(size)
      const take = Math.min(rest.byteLength, part.byteLength - filled)
      part.set(rest.subarray(0, take), filled)
      filled += take
      rest = rest.subarray(take)
      if (filled < part.byteLength) continue
      left -= filled
      yield part
      part = Buffer.allocUnsafe(Math.min(partBytes, left))
      filled = 0
    }
  }
  if (left > 0) throw wrongSize(size)
}
