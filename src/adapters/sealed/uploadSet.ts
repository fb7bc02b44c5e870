/**
 * Puts a sealed set into the outbox: each member with its seal record, and the set record last. Only the record
 * makes a job, so an upload that ends early makes none.
 */
import { join } from 'node:path'
import { readFileUpTo } from '#adapters/system/files.ts'
import { CodedError } from '#core/errors.ts'
import { verifyCompact } from '#core/jws.ts'
import { readSetRecord, SET_RECORD_BYTES, SetRecordFormat } from '#core/sealed/setRecord.ts'
import { createOnce } from '#ports/createOnce.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { SET_RECORD_FILE } from './sealSet.ts'
import { type UploadDeps, type UploadedObject, type UploadTarget, uploadSealed } from './upload.ts'

export type UploadedSet = {
  readonly set: string
  readonly namespace: string
  readonly bucket: string
  /** Name of the set record. */
  readonly object: string
  readonly members: readonly UploadedObject[]
}

/**
 * May be repeated, as `uploadSealed`. Throws what that throws, `input.unreadable` for a folder that is no whole
 * set, and `object.malformed` if a file is not the member that the record names.
 */
export async function uploadSet(
  target: UploadTarget,
  folder: string,
  deps: UploadDeps & { readonly store: Pick<ObjectStore, 'read'> },
): Promise<UploadedSet> {
  const { namespace, buckets } = target
  const bytes = await readFileUpTo(join(folder, SET_RECORD_FILE), SET_RECORD_BYTES, 'input.unreadable')
  const { payload: record } = verifyCompact(
    SetRecordFormat,
    readSetRecord(bytes),
    [deps.signer.jwk],
    'object.unsigned',
  )
  if (record.tenant !== target.tenant || record.dataset !== target.dataset)
    throw new CodedError(
      'object.unsigned',
      `the set belongs to ${record.tenant}/${record.dataset}, the configuration to ${target.tenant}/${target.dataset}`,
    )
  const members: UploadedObject[] = []
  for (const { sealId, headerDigest } of record.members) {
    const uploaded = await uploadSealed(target, join(folder, sealId), deps, headerDigest)
    members.push(uploaded)
  }
  const object = { namespace, bucket: buckets.outbox, name: record.name }
  if ((await createOnce(deps.store, object, bytes, deps.signal)) === 'foreign')
    throw new CodedError('service.conflict', `another object has the name ${record.name}`)
  return { set: record.set, namespace, bucket: buckets.outbox, object: record.name, members }
}
