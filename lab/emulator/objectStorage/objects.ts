/** Routes of whole objects: list, get, head, put and delete. */
import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { EmulatorConfig } from '#lab/emulator/config.ts'
import {
  type Access,
  OciError,
  type Route,
  type ServiceRequest,
  type ServiceResponse,
} from '#lab/emulator/service.ts'
import type { Announced } from './bodies.ts'
import { accessTo, type Bucket, findBucket } from './buckets.ts'
import type { StoredObject } from './entries.ts'
import type { ObjectEvents } from './events.ts'
import { listObjects } from './listing.ts'
import { checkRead, checkRetention, checkWrite, parseRange } from './preconditions.ts'
import type { Store } from './store.ts'

export type ObjectStorageParts = {
  readonly config: EmulatorConfig
  readonly store: Store
  readonly events: ObjectEvents
  readonly now: () => number
}

export function objectRoutes(parts: ObjectStorageParts): readonly Route[] {
  const { config, store, now } = parts
  const read = async (request: ServiceRequest): Promise<ServiceResponse> => {
    const found = findObject(parts, request)
    try {
      return await readObject(found, request)
    } catch (error) {
      // The object was replaced or deleted between the look-up and the opening of its files: look again.
      if (findObject(parts, request).etag === found.etag) throw error
      return await read(request)
    }
  }
  const readObject = async (object: StoredObject, request: ServiceRequest): Promise<ServiceResponse> => {
    checkRead(object, request.headers)
    const range = parseRange(request.headers.range, object.size)
    const { start, end } = range ?? { start: 0, end: object.size - 1 }
    const headers = { ...headersOf(object), 'content-length': String(end - start + 1) }
    const answer: ServiceResponse =
      range === undefined
        ? { status: 200, headers }
        : { status: 206, headers: { ...headers, 'content-range': `bytes ${start}-${end}/${object.size}` } }
    return request.method === 'HEAD'
      ? answer
      : { ...answer, stream: await store.bodies.read(object.segments, start, end) }
  }
  return [
    {
      method: 'GET',
      pattern: '/n/:namespace/b/:bucket/o',
      body: 'none',
      access: (request) => accessTo(findBucket(config, request), ['OBJECT_INSPECT']),
      handle: (request) => ({
        status: 200,
        json: listObjects(store, findBucket(config, request).id, request.query),
      }),
    },
    {
      method: 'GET',
      pattern: '/n/:namespace/b/:bucket/o/*object',
      body: 'none',
      access: (request) => accessTo(findBucket(config, request), ['OBJECT_READ'], request.params['object']),
      handle: read,
    },
    {
      method: 'HEAD',
      pattern: '/n/:namespace/b/:bucket/o/*object',
      body: 'none',
      access: (request) => ({
        ...accessTo(findBucket(config, request), ['OBJECT_READ'], request.params['object']),
        or: ['OBJECT_INSPECT'],
      }),
      handle: read,
    },
    {
      method: 'PUT',
      pattern: '/n/:namespace/b/:bucket/o/*object',
      body: 'stream',
      bodyUnsigned: true,
      access: (request) => writeAccess(parts, request),
      handle: (request) => putObject(parts, request),
    },
    {
      method: 'DELETE',
      pattern: '/n/:namespace/b/:bucket/o/*object',
      body: 'none',
      access: (request) => accessTo(findBucket(config, request), ['OBJECT_DELETE'], request.params['object']),
      handle: (request) => {
        const bucket = findBucket(config, request)
        const object = findObject(parts, request)
        checkRead(object, request.headers)
        checkRetention(bucket, object, now())
        const emission = parts.events.emission('deleteobject', bucket, object)
        store.remove(bucket.id, object.name, emission)
        parts.events.deliver(emission)
        return { status: 204 }
      },
    },
  ]
}

async function putObject(parts: ObjectStorageParts, request: ServiceRequest): Promise<ServiceResponse> {
  const { store, now } = parts
  const bucket = findBucket(parts.config, request)
  const name = objectNameOf(request)
  const check = (): void => {
    const before = store.find(bucket.id, name)
    checkWrite(before, request.headers)
    checkRetention(bucket, before, now())
  }
  check()
  const received = await store.bodies.receive(request.stream, announcedBy(request.headers))
  try {
    // Another request may have written while the body arrived. From here to `storeObject` nothing waits.
    request.demand(writeAccess(parts, request))
    check()
    const object = storeObject(parts, bucket, {
      name,
      size: received.segment.size,
      md5: received.md5,
      multipart: false,
      sha256: received.sha256,
      contentType: request.headers['content-type'] ?? 'application/octet-stream',
      meta: metaOf(request.headers),
      segments: [received.segment],
    })
    const { 'content-md5': md5 = '', etag = '', 'last-modified': modified = '' } = headersOf(object)
    return {
      status: 200,
      headers: {
        etag,
        'opc-content-md5': md5,
        'last-modified': modified,
        ...(object.sha256 === undefined ? {} : { 'opc-content-sha256': object.sha256 }),
      },
    }
  } catch (error) {
    await store.bodies.remove([received.segment])
    throw error
  }
}

/**
 * Puts a new version of the object and begins to deliver its event. The caller has checked every
 * precondition.
 */
export function storeObject(
  { store, events, now }: ObjectStorageParts,
  bucket: Bucket,
  content: Omit<StoredObject, 'etag' | 'createdAt' | 'modifiedAt'>,
  uploadId?: string,
): StoredObject {
  const before = store.find(bucket.id, content.name)
  const at = now()
  const object = { ...content, etag: randomUUID(), createdAt: before?.createdAt ?? at, modifiedAt: at }
  const emission = events.emission(before === undefined ? 'createobject' : 'updateobject', bucket, object)
  store.put(bucket.id, object, emission, uploadId)
  events.deliver(emission)
  return object
}

/**
 * A create needs OBJECT_CREATE, whether the object exists or not. Any other write over an object needs
 * OBJECT_OVERWRITE.
 */
function writeAccess({ config, store }: ObjectStorageParts, request: ServiceRequest): Access {
  const bucket = findBucket(config, request)
  const name = objectNameOf(request)
  const creates = request.headers['if-none-match'] === '*' || store.find(bucket.id, name) === undefined
  return accessTo(bucket, [creates ? 'OBJECT_CREATE' : 'OBJECT_OVERWRITE'], name)
}

export function objectNameOf({ params }: ServiceRequest): string {
  const name = params['object'] ?? ''
  if (Buffer.byteLength(name) > 1024 || /[\0\r\n]/.test(name))
    throw new OciError(400, 'InvalidObjectName', 'an object name has 1 to 1024 bytes, without NUL, CR or LF')
  return name
}

export function announcedBy(headers: IncomingHttpHeaders): Announced {
  const text = (name: string): string | undefined => {
    const value = headers[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const length = text('content-length')
  return {
    length: length === undefined ? undefined : Number(length),
    md5: text('content-md5'),
    sha256: text('opc-content-sha256'),
    withSha256: text('opc-checksum-algorithm')?.toUpperCase() === 'SHA256',
  }
}

export function metaOf(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const meta = Object.entries(headers).filter(([name]) => name.startsWith('opc-meta-'))
  const size = meta.reduce((sum, [name, value]) => sum + name.length + String(value).length, 0)
  if (size > 4000) throw new OciError(400, 'InvalidParameter', 'the metadata exceeds 4000 bytes')
  return Object.fromEntries(meta.map(([name, value]) => [name, String(value)]))
}

function findObject({ config, store }: ObjectStorageParts, request: ServiceRequest): StoredObject {
  const bucket = findBucket(config, request)
  const name = objectNameOf(request)
  const object = store.find(bucket.id, name)
  if (object === undefined)
    throw new OciError(
      404,
      'ObjectNotFound',
      `The object '${name}' was not found in the bucket '${bucket.name}'`,
    )
  return object
}

function headersOf(object: StoredObject): Record<string, string> {
  return {
    etag: object.etag,
    'content-type': object.contentType,
    [object.multipart ? 'opc-multipart-md5' : 'content-md5']: object.md5,
    'last-modified': new Date(object.modifiedAt).toUTCString(),
    'accept-ranges': 'bytes',
    'storage-tier': 'Standard',
    ...(object.sha256 === undefined ? {} : { 'opc-content-sha256': object.sha256 }),
    ...object.meta,
  }
}
