/**
 * Puts a sealed object into the outbox, where the consumer may read it, and records it under the sealing key.
 */
import { createHash } from 'node:crypto'
import { type InputFile, openInput } from '#adapters/system/inputFile.ts'
import { counted, type Progress } from '#adapters/system/progress.ts'
import { toBase64url, utf8 } from '#core/bytes.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import { type Signer, signCompact, verifyCompact } from '#core/jws.ts'
import { headerDigest, type SealHeader, SealHeaderFormat } from '#core/sealed/header.ts'
import { readSealHeader, SEAL_PREFIX_BYTES, sealedSize } from '#core/sealed/object.ts'
import { SealRecordFormat, sealRecordName } from '#core/sealed/record.ts'
import type { Clock } from '#ports/clock.ts'
import { createIfAbsent } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

export type UploadTarget = {
  /** Both must be those of the object's header. */
  readonly tenant: string
  readonly dataset: string
  readonly namespace: string
  readonly buckets: { readonly outbox: string; readonly governance: string }
}

export type UploadDeps = {
  readonly store: Pick<ObjectStore, 'create' | 'createFrom' | 'head' | 'stream'>
  /** The dataset's sealing key: the one that signed the header. */
  readonly signer: Signer
  readonly clock: Pick<Clock, 'now'>
  readonly progress?: Progress | undefined
  readonly signal?: AbortSignal | undefined
}

export type UploadedObject = {
  readonly sealId: string
  readonly namespace: string
  readonly bucket: string
  readonly object: string
  readonly etag: string
  /** Bytes and base64url SHA-256 of the whole object. */
  readonly size: number
  readonly objectDigest: string
  /** Name of the seal record in the governance bucket. */
  readonly record: string
}

/**
 * May be repeated: what an interrupted upload left is compared and completed. Throws `object.malformed` for a
 * file that was cut, `object.unsigned` if this dataset's key did not seal it, and `service.conflict` if
 * another object has the name. `expectedHeader`, the header digest of a member: throws `object.malformed` for any other.
 */
export async function uploadSealed(
  target: UploadTarget,
  file: string,
  deps: UploadDeps,
  expectedHeader?: string,
): Promise<UploadedObject> {
  const { namespace, buckets } = target
  const input = await openInput(file)
  try {
    const { header, headerJws } = await readOwnHeader(target, input, deps.signer)
    const digestOfHeader = toBase64url(headerDigest(headerJws))
    if (expectedHeader !== undefined && expectedHeader !== digestOfHeader)
      throw new CodedError('object.malformed', `${file} is not the member that the set record names`)
    const ref = { namespace, bucket: buckets.outbox, name: header.object }
    const { etag, digest } = await putOnce(ref, input, deps)
    const uploaded = {
      sealId: header.sealId,
      namespace,
      bucket: buckets.outbox,
      object: header.object,
      etag,
      size: input.size,
      objectDigest: digest,
    }
    const jws = await signCompact(
      SealRecordFormat,
      {
        v: 1,
        ...uploaded,
        headerDigest: digestOfHeader,
        recordedAt: deps.clock.now(),
      },
      deps.signer,
    )
    const record = sealRecordName(header.sealId)
    // A record of this sealId can only be this one: the id is 128 random bits, and the object was compared.
    const recordRef = { namespace, bucket: buckets.governance, name: record }
    await createIfAbsent(deps.store, recordRef, utf8(jws), deps.signal)
    return { ...uploaded, record }
  } finally {
    await input.close()
  }
}

async function readOwnHeader(
  { tenant, dataset }: UploadTarget,
  input: InputFile,
  signer: Signer,
): Promise<{ readonly header: SealHeader; readonly headerJws: string }> {
  const { headerJws } = readSealHeader(await input.prefix(SEAL_PREFIX_BYTES))
  const { payload: header } = verifyCompact(SealHeaderFormat, headerJws, [signer.jwk], 'object.unsigned')
  if (header.tenant !== tenant || header.dataset !== dataset)
    throw new CodedError(
      'object.unsigned',
      `the object belongs to ${header.tenant}/${header.dataset}, the configuration to ${tenant}/${dataset}`,
    )
  const expected = sealedSize(headerJws.length, header.size)
  if (input.size !== expected)
    throw new CodedError(
      'object.malformed',
      `the file has ${input.size} bytes, its header requires ${expected}`,
    )
  return { header, headerJws }
}

type Put = { readonly etag: string; readonly digest: string }

/** The digest is of the bytes that were sent, so the record cannot describe others. */
async function putOnce(ref: ObjectRef, input: InputFile, deps: UploadDeps): Promise<Put> {
  const { store, signal, progress } = deps
  const hash = createHash('sha256')
  try {
    const chunks = hashed(counted(input.chunks(signal), input.size, progress), hash)
    const { etag } = await store.createFrom(ref, chunks, input.size, signal)
    return { etag, digest: hash.digest('base64url') }
  } catch (error) {
    // The answer may have been lost, or an earlier run may have ended before its record: then the object is
    // this one.
    if (codeOf(error) !== 'service.conflict' && codeOf(error) !== 'service.unavailable') throw error
    const stored = await findStored(ref, deps).catch(() => undefined)
    if (stored === undefined || stored.digest !== (await digestOf(input.chunks(signal)))) throw error
    return stored
  }
}

async function findStored(ref: ObjectRef, { store, signal }: UploadDeps): Promise<Put> {
  const { etag } = await store.head(ref, undefined, signal)
  const { chunks } = await store.stream(ref, { etag, ...(signal && { signal }) })
  return { etag, digest: await digestOf(chunks) }
}

type Hash = ReturnType<typeof createHash>

async function* hashed(chunks: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk)
    yield chunk
  }
}

async function digestOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) hash.update(chunk)
  return hash.digest('base64url')
}
