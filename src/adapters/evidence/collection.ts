/** A folder with copies of the four buckets, as an audit reads it. */
import { createFolderStore } from '#adapters/system/folderStore.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import type { Collection, Shelf } from '#core/evidence/audit/collection.ts'
import type { ObjectStore } from '#ports/objectStore.ts'

/** Which bucket lies in which folder. */
const FOLDERS = {
  governance: 'governance',
  verifierLogs: 'evidence-verifier',
  workerLogs: 'evidence-worker',
  results: 'results',
} as const satisfies Record<keyof Collection, string>

const NAMESPACE = 'collection'

export function openCollection(dir: string): Collection {
  const store = createFolderStore({ root: dir, namespace: NAMESPACE })
  return {
    governance: shelfOf(store, FOLDERS.governance),
    verifierLogs: shelfOf(store, FOLDERS.verifierLogs),
    workerLogs: shelfOf(store, FOLDERS.workerLogs),
    results: shelfOf(store, FOLDERS.results),
  }
}

/** A bucket of which there is no copy is an empty one: what is missing from it is found by what refers to it. */
function shelfOf(store: ObjectStore, bucket: string): Shelf {
  const place = { namespace: NAMESPACE, bucket }
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
