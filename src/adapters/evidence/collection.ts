/** A folder with copies of the four buckets, as an audit reads it. */
import { createFolderStore } from '#adapters/system/folderStore.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import type { Collection, ObjectReader } from '#core/evidence/audit/collection.ts'
import type { ObjectStore } from '#ports/objectStore.ts'

/** Which bucket lies in which folder. */
export const FOLDERS = {
  governance: 'governance',
  verifierLogs: 'evidence-verifier',
  workerLogs: 'evidence-worker',
  results: 'results',
} as const satisfies Record<keyof Collection, string>

/** Of the folder store that a collection is. */
export const NAMESPACE = 'collection'

export function openCollection(dir: string): Collection {
  const store = createFolderStore({ root: dir, namespace: NAMESPACE })
  const shelf = (bucket: string) => shelfOf(store, { namespace: NAMESPACE, bucket })
  return {
    governance: shelf(FOLDERS.governance),
    verifierLogs: shelf(FOLDERS.verifierLogs),
    workerLogs: shelf(FOLDERS.workerLogs),
    results: shelf(FOLDERS.results),
  }
}

/** A bucket of which there is no copy is an empty one: what is missing from it is found by what refers to it. */
export function shelfOf(
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
          throw new CodedError('evidence.malformed', `it has ${size} bytes, the limit is ${maxBytes}`)
        return await store.readAll({ ...place, name }, maxBytes)
      } catch (error) {
        if (codeOf(error) !== 'service.missing') throw error
        return undefined
      }
    },
  }
}
