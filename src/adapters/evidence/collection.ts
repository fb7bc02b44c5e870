/** A folder with copies of the four buckets, for an audit. */
import { join } from 'node:path'
import { CodedError, codeOf } from '#core/errors.ts'
import type { Collection } from '#core/evidence/audit/collection.ts'
import type { ObjectReader } from '#core/objectReader.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { createFolderReader } from './folderReader.ts'

/** The folder of each bucket. */
export const FOLDERS = {
  governance: 'governance',
  verifierLogs: 'evidence-verifier',
  workerLogs: 'evidence-worker',
  results: 'results',
} as const satisfies Record<keyof Collection, string>

/** The namespace of the folder store behind a collection. */
export const NAMESPACE = 'collection'

export function openCollection(dir: string): Collection {
  const reader = (bucket: string) => createFolderReader(join(dir, bucket))
  return {
    governance: reader(FOLDERS.governance),
    verifierLogs: reader(FOLDERS.verifierLogs),
    workerLogs: reader(FOLDERS.workerLogs),
    results: reader(FOLDERS.results),
  }
}

/** A bucket without a copy reads as empty. The audit finds what is missing by the references to it. */
export function readerOf(
  store: Pick<ObjectStore, 'list' | 'head' | 'readAll'>,
  place: { readonly namespace: string; readonly bucket: string },
): ObjectReader {
  return {
    async *list(prefix) {
      try {
        for await (const { name } of store.list(place, prefix)) yield name
      } catch (error) {
        if (codeOf(error) !== 'service.missing') throw error
      }
    },
    read: async (name, maxBytes) => {
      try {
        const { size } = await store.head({ ...place, name })
        if (size > maxBytes)
          throw new CodedError('evidence.malformed', `the object has ${size} bytes, the limit is ${maxBytes}`)
        return await store.readAll({ ...place, name }, maxBytes)
      } catch (error) {
        if (codeOf(error) !== 'service.missing') throw error
        return undefined
      }
    },
  }
}

/** Of a bucket in use: one that is absent, or may not be seen, is a fault, since nothing would read like it. */
export function bucketReader(
  store: Pick<ObjectStore, 'list' | 'head' | 'readAll'>,
  place: { readonly namespace: string; readonly bucket: string },
): ObjectReader {
  return {
    ...readerOf(store, place),
    async *list(prefix, signal) {
      for await (const { name } of store.list(place, prefix, undefined, signal)) yield name
    },
  }
}
