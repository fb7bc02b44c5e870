/** An object as a stream: one version, any length, resumed after a broken connection. */
import type { IncomingMessage } from 'node:http'
import { Range } from 'oci-common'
import type { ObjectStorageClient } from 'oci-objectstorage'
import { closing } from '#adapters/system/closing.ts'
import { CodedError } from '#core/errors.ts'
import type { ObjectBody, ObjectHead, ObjectRef } from '#ports/objectStore.ts'
import type { Meaning } from './answers.ts'
import { type Http, transportFault } from './http.ts'
import { toHead, toPath } from './objectPath.ts'

/** A range behind the end is `object.malformed`: the object is shorter than its format requires. */
const MEANINGS: readonly Meaning[] = [
  { status: 412, code: 'object.changed' },
  { status: 416, code: 'object.malformed' },
]
/** Whoever names a version has it from a message: what OCI cannot even read is no object of ours. */
const OF_VERSION: readonly Meaning[] = [...MEANINGS, { status: 400, code: 'object.malformed' }]
/** OCI's limit for one object. */
const MAX_OBJECT_BYTES = 10 * 2 ** 40
/** Consecutive resumptions without a byte of progress. */
const MAX_STALLS = 4

export type Part = {
  readonly etag?: string | undefined
  readonly start: number
  /** Inclusive; by default the object's end. */
  readonly end?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export async function readStream(
  http: Http,
  client: ObjectStorageClient,
  object: ObjectRef,
  part: Part,
): Promise<ObjectBody> {
  const path = toPath(object)
  const { start, end, signal } = part

  const open = (from: number, etag: string | undefined): Promise<IncomingMessage> =>
    http.open(
      'getObject',
      () =>
        client.getObject({
          ...path,
          ...(etag !== undefined && { ifMatch: etag }),
          ...((from > 0 || end !== undefined) && {
            range: new Range(from, end ?? MAX_OBJECT_BYTES - 1, null),
          }),
        }),
      { signal, meanings: part.etag === undefined ? MEANINGS : OF_VERSION },
    )

  const first = await open(start, part.etag)
  const head = headOf(first)
  const last = Math.min(end ?? head.size - 1, head.size - 1)
  const chunks = resuming(first, start, last, (from) => open(from, head.etag), signal)
  return { ...head, chunks: closing(chunks, first) }
}

/**
 * Yields bytes `start` to `last`. A broken answer is opened again behind its last byte, in the same version.
 */
async function* resuming(
  first: IncomingMessage,
  start: number,
  last: number,
  open: (from: number) => Promise<IncomingMessage>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void> {
  let response = first
  let next = start
  let stalls = 0
  for (;;) {
    let cause: unknown
    try {
      for await (const chunk of response) {
        next += chunk.byteLength
        stalls = 0
        yield chunk
      }
    } catch (error) {
      signal?.throwIfAborted()
      cause = error
    }
    if (next === last + 1) return
    if (next > last + 1) throw new CodedError('service.failed', 'getObject: more bytes than announced')
    stalls += 1
    if (stalls > MAX_STALLS) throw transportFault('getObject', cause)
    response = await open(next)
  }
}

function headOf({ headers }: IncomingMessage): ObjectHead {
  const total = /^bytes \d+-\d+\/(\d{1,15})$/.exec(headers['content-range'] ?? '')?.[1]
  return toHead({
    eTag: headers.etag,
    contentLength: Number(total ?? headers['content-length']),
    contentType: headers['content-type'],
  })
}
