/** Object Storage: whole objects. */
import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { World } from '#lab/emulator/config.ts'
import {
  type Access,
  type Answer,
  type EmulatorRequest,
  OciError,
  type Route,
} from '#lab/emulator/service.ts'
import type { Announced } from './bodies.ts'
import { accessTo, findBucket } from './buckets.ts'
import type { StoredObject } from './entries.ts'
import type { ObjectEvents } from './events.ts'
import { listObjects } from './listing.ts'
import { checkRead, checkRetention, checkWrite, parseRange } from './preconditions.ts'
import type { Store } from './store.ts'

export type ObjectStorageParts = {
  readonly world: World
  readonly store: Store
  readonly events: ObjectEvents
  readonly now: () => number
}

export function objectRoutes(parts: ObjectStorageParts): readonly Route[] {
  const { world, store, now } = parts
  const read = async (request: EmulatorRequest): Promise<Answer> => {
    const found = findObject(parts, request)
    try {
      return await readObject(found, request)
    } catch (error) {
      // Replaced or deleted between the look-up and the opening of its files: look again.
      if (findObject(parts, request).etag === found.etag) throw error
      return await read(request)
    }
  }
  const readObject = async (object: StoredObject, request: EmulatorRequest): Promise<Answer> => {
    checkRead(object, request.headers)
    const range = parseRange(request.headers.range, object.size)
    const { start, end } = range ?? { start: 0, end: object.size - 1 }
    const headers = { ...headersOf(object), 'content-length': String(end - start + 1) }
    const answer: Answer =
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
      access: (request) => accessTo(findBucket(world, request), ['OBJECT_INSPECT']),
      handle: (request) => ({
        status: 200,
        json: listObjects(store, findBucket(world, request).id, request.query),
      }),
    },
    {
      method: 'GET',
      pattern: '/n/:namespace/b/:bucket/o/*object',
      body: 'none',
      access: (request) => accessTo(findBucket(world, request), ['OBJECT_READ'], request.params['object']),
      handle: read,
    },
    {
      method: 'HEAD',
      pattern: '/n/:namespace/b/:bucket/o/*object',
      body: 'none',
      access: (request) => ({
        ...accessTo(findBucket(world, request), ['OBJECT_READ'], request.params['object']),
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
      access: (request) => accessTo(findBucket(world, request), ['OBJECT_DELETE'], request.params['object']),
      handle: (request) => {
        const bucket = findBucket(world, request)
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

async function putObject(parts: ObjectStorageParts, request: EmulatorRequest): Promise<Answer> {
  const { store, now, events } = parts
  const bucket = findBucket(parts.world, request)
  const name = objectNameOf(request)
  const check = (): StoredObject | undefined => {
    const before = store.find(bucket.id, name)
    checkWrite(before, request.headers)
    checkRetention(bucket, before, now())
    return before
  }
  check()
  const received = await store.bodies.receive(request.stream, announcedBy(request.headers))
  try {
    // Others may have written while the body came: from here to `put` nothing waits.
    request.demand(writeAccess(parts, request))
    const before = check()
    const at = now()
    const object: StoredObject = {
      name,
      etag: randomUUID(),
      size: received.segment.size,
      md5: received.md5,
      multipart: false,
      sha256: received.sha256,
      contentType: request.headers['content-type'] ?? 'application/octet-stream',
      meta: metaOf(request.headers),
      createdAt: before?.createdAt ?? at,
      modifiedAt: at,
      segments: [received.segment],
    }
    const emission = events.emission(before === undefined ? 'createobject' : 'updateobject', bucket, object)
    store.put(bucket.id, object, emission)
    events.deliver(emission)
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

/** A create needs OBJECT_CREATE, whatever it finds; another write needs OBJECT_OVERWRITE where something is there. */
function writeAccess({ world, store }: ObjectStorageParts, request: EmulatorRequest): Access {
  const bucket = findBucket(world, request)
  const name = objectNameOf(request)
  const creates = request.headers['if-none-match'] === '*' || store.find(bucket.id, name) === undefined
  return accessTo(bucket, [creates ? 'OBJECT_CREATE' : 'OBJECT_OVERWRITE'], name)
}

export function objectNameOf({ params }: EmulatorRequest): string {
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

function findObject({ world, store }: ObjectStorageParts, request: EmulatorRequest): StoredObject {
  const bucket = findBucket(world, request)
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
