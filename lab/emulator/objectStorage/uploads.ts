/** Routes of multipart uploads. Except for the abort, OCI requires OBJECT_CREATE and OBJECT_OVERWRITE. */
import { createHash, randomUUID } from 'node:crypto'
import { z } from 'zod'
import { decodeBody } from '#lab/emulator/requestBody.ts'
import {
  type Access,
  OciError,
  type Route,
  type ServiceRequest,
  type ServiceResponse,
} from '#lab/emulator/service.ts'
import { accessTo, findBucket } from './buckets.ts'
import type { Part } from './entries.ts'
import { announcedBy, metaOf, type ObjectStorageParts, objectNameOf, storeObject } from './objects.ts'
import { checkRetention, checkWrite } from './preconditions.ts'
import type { OpenUpload } from './store.ts'

const MAX_PARTS = 10_000

const CreateBody = z.looseObject({
  object: z.string().min(1),
  contentType: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
})
const CommitBody = z.looseObject({
  partsToCommit: z
    .array(z.looseObject({ partNum: z.int().min(1).max(MAX_PARTS), etag: z.string() }))
    .min(1)
    .max(MAX_PARTS),
})

export function uploadRoutes(parts: ObjectStorageParts): readonly Route[] {
  const { config, store, now } = parts
  const writes = (request: ServiceRequest): Access =>
    accessTo(findBucket(config, request), ['OBJECT_CREATE', 'OBJECT_OVERWRITE'], request.params['object'])
  return [
    {
      method: 'POST',
      pattern: '/n/:namespace/b/:bucket/u',
      body: 'bytes',
      access: writes,
      handle: (request) => {
        const bucket = findBucket(config, request)
        const { object, contentType, metadata } = decodeBody(CreateBody, request.body)
        const name = objectNameOf({ ...request, params: { object } })
        const before = store.find(bucket.id, name)
        checkWrite(before, request.headers)
        checkRetention(bucket, before, now())
        const upload = {
          id: randomUUID(),
          bucketId: bucket.id,
          name,
          contentType: contentType ?? 'application/octet-stream',
          meta: metaOf(metadata ?? {}),
          onlyNew: request.headers['if-none-match'] === '*',
          createdAt: now(),
        }
        store.beginUpload(upload)
        const { namespace } = bucket
        const timeCreated = new Date(upload.createdAt).toISOString()
        return {
          status: 200,
          json: { namespace, bucket: bucket.name, object, uploadId: upload.id, timeCreated },
        }
      },
    },
    {
      method: 'PUT',
      pattern: '/n/:namespace/b/:bucket/u/*object',
      body: 'stream',
      bodyUnsigned: true,
      access: writes,
      handle: (request) => putPart(parts, request),
    },
    {
      method: 'POST',
      pattern: '/n/:namespace/b/:bucket/u/*object',
      body: 'bytes',
      access: writes,
      handle: (request) => commitUpload(parts, request),
    },
    {
      method: 'DELETE',
      pattern: '/n/:namespace/b/:bucket/u/*object',
      body: 'none',
      access: (request) => accessTo(findBucket(config, request), ['OBJECT_DELETE'], request.params['object']),
      handle: (request) => {
        store.abortUpload(findUpload(parts, request).id)
        return { status: 204 }
      },
    },
  ]
}

async function putPart(parts: ObjectStorageParts, request: ServiceRequest): Promise<ServiceResponse> {
  const { bodies, putPart: put } = parts.store
  findUpload(parts, request)
  const number = Number(request.query.get('uploadPartNum'))
  if (!Number.isInteger(number) || number < 1 || number > MAX_PARTS)
    throw new OciError(400, 'InvalidParameter', `uploadPartNum must be 1 to ${MAX_PARTS}`)
  const { segment, md5 } = await bodies.receive(request.stream, announcedBy(request.headers))
  try {
    const part: Part = { number, etag: randomUUID(), md5, segment }
    put(findUpload(parts, request).id, part)
    return { status: 200, headers: { etag: part.etag, 'opc-content-md5': md5 } }
  } catch (error) {
    await bodies.remove([segment])
    throw error
  }
}

function commitUpload(parts: ObjectStorageParts, request: ServiceRequest): ServiceResponse {
  const { config, store, now } = parts
  const bucket = findBucket(config, request)
  const upload = findUpload(parts, request)
  const { partsToCommit } = decodeBody(CommitBody, request.body)
  const chosen = partsToCommit.map(({ partNum, etag }) => {
    const part = upload.parts.get(partNum)
    if (part === undefined || part.etag !== etag)
      throw new OciError(400, 'InvalidUploadPart', `part ${partNum} does not exist with that etag`)
    return part
  })
  if (chosen.some((part, index) => index > 0 && part.number <= (chosen[index - 1]?.number ?? 0)))
    throw new OciError(400, 'InvalidUploadPart', 'the parts are not in ascending order')

  const before = store.find(bucket.id, upload.name)
  checkWrite(before, upload.onlyNew ? { 'if-none-match': '*' } : request.headers)
  checkRetention(bucket, before, now())
  const digest = createHash('md5')
  for (const { md5 } of chosen) digest.update(Buffer.from(md5, 'base64'))
  const content = {
    name: upload.name,
    size: chosen.reduce((sum, { segment }) => sum + segment.size, 0),
    md5: `${digest.digest('base64')}-${chosen.length}`,
    multipart: true,
    contentType: upload.contentType,
    meta: upload.meta,
    segments: chosen.map(({ segment }) => segment),
  }
  const { etag, md5, modifiedAt } = storeObject(parts, bucket, content, upload.id)
  return {
    status: 200,
    headers: { etag, 'opc-multipart-md5': md5, 'last-modified': new Date(modifiedAt).toUTCString() },
  }
}

function findUpload({ config, store }: ObjectStorageParts, request: ServiceRequest): OpenUpload {
  const upload = store.upload(request.query.get('uploadId') ?? '')
  const bucket = findBucket(config, request)
  if (upload === undefined || upload.bucketId !== bucket.id || upload.name !== objectNameOf(request))
    throw new OciError(404, 'NoSuchUpload', 'The upload does not exist')
  return upload
}
