/** OCI Object Storage behind the ObjectStore port. */
import { createHash } from 'node:crypto'
import type { ObjectStorageClient } from 'oci-objectstorage'
import { z } from 'zod'
import { checkShape } from '#core/canonical.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import type { ListedObject, ObjectStore } from '#ports/objectStore.ts'
import type { Meaning } from './answers.ts'
import type { Http } from './http.ts'
import { createInParts } from './multipart.ts'
import { toEtag, toHead, toPath, wrongSize } from './objectPath.ts'
import { readStream } from './objectStream.ts'

/** `if-match` failed: the object has another version. */
const CHANGED: readonly Meaning[] = [{ status: 412, code: 'object.changed' }]
/** `if-none-match: *` failed: the name is taken. */
const TAKEN: readonly Meaning[] = [{ status: 412, code: 'service.conflict' }]
/** Up to this size an object is one put, which may be sent again and needs no permission to overwrite. */
const SINGLE_PUT_BYTES = 16 * 1024 * 1024
const PUT_ANSWER_MS = 120_000
const LIST_PAGE = 1000

const Listed = z.object({
  objects: z.array(
    z.object({ name: z.string().min(1), size: z.int().min(0), etag: z.string().min(1).max(256) }),
  ),
  nextStartWith: z.string().optional(),
})

export function createObjectStore(http: Http, client: ObjectStorageClient): ObjectStore {
  const head: ObjectStore['head'] = async (object, etag, signal) => {
    const answer = await http.call(
      'headObject',
      () => client.headObject({ ...toPath(object), ...(etag !== undefined && { ifMatch: etag }) }),
      { signal, meanings: CHANGED },
    )
    return toHead(answer)
  }

  const read: ObjectStore['read'] = async (object, { start, end }, etag, signal) => {
    try {
      return await collect((await readStream(http, client, object, { etag, start, end, signal })).chunks)
    } catch (error) {
      // The range begins behind the object's end, so it has no bytes.
      if (codeOf(error) === 'object.malformed') return Buffer.alloc(0)
      throw error
    }
  }

  const create: ObjectStore['create'] = async (object, bytes, signal) => {
    const answer = await http.call(
      'putObject',
      () =>
        client.putObject({
          ...toPath(object),
          ifNoneMatch: '*',
          contentLength: bytes.byteLength,
          contentMD5: createHash('md5').update(bytes).digest('base64'),
          putObjectBody: bytes,
        }),
      { signal, meanings: TAKEN, answerMs: PUT_ANSWER_MS },
    )
    return toEtag(answer.eTag, 'putObject')
  }

  return {
    head,
    read,
    stream: (object, { etag, start = 0, signal }) =>
      readStream(http, client, object, { etag, start, signal }),
    readAll: async (object, maxBytes, signal) => {
      const body = await readStream(http, client, object, { start: 0, signal })
      if (body.size > maxBytes) {
        await body.chunks[Symbol.asyncIterator]().return?.()
        throw new CodedError('service.failed', `an object has ${body.size} bytes, the limit is ${maxBytes}`)
      }
      return collect(body.chunks)
    },
    create,
    createFrom: async (object, chunks, size, signal) => {
      if (size > SINGLE_PUT_BYTES) return createInParts(http, client, toPath(object), chunks, size, signal)
      const bytes = Buffer.allocUnsafe(size)
      let filled = 0
      for await (const chunk of chunks) {
        if (filled + chunk.byteLength > size) throw wrongSize(size)
        bytes.set(chunk, filled)
        filled += chunk.byteLength
      }
      if (filled !== size) throw wrongSize(size)
      return create(object, bytes, signal)
    },
    list: (bucket, prefix, after, signal) => listAll(http, client, bucket, prefix, after, signal),
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}

async function* listAll(
  http: Http,
  client: ObjectStorageClient,
  { namespace, bucket }: { readonly namespace: string; readonly bucket: string },
  prefix: string,
  after: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<ListedObject> {
  let start = after
  for (;;) {
    const from = start
    const answer = await http.call(
      'listObjects',
      () =>
        client.listObjects({
          namespaceName: namespace,
          bucketName: bucket,
          // The SDK does not encode query values.
          prefix: encodeURIComponent(prefix),
          ...(from !== undefined && { start: encodeURIComponent(from) }),
          limit: LIST_PAGE,
          fields: 'name,size,etag',
        }),
      { signal },
    )
    const page = checkShape(Listed, answer.listObjects, 'listObjects answer', 'service.failed')
    // `start` is inclusive.
    for (const object of page.objects) if (object.name !== after) yield object
    if (page.nextStartWith === undefined) return
    if (page.nextStartWith === start)
      throw new CodedError('service.failed', 'listObjects: the listing does not advance')
    start = page.nextStartWith
  }
}
