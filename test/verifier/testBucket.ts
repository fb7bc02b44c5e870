/** A bucket in a folder, and a store that repeats its creates. */
import { createFolderStore } from '#adapters/system/folderStore.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'

export const bucket = { namespace: 'test', bucket: 'bucket' }

export async function emptyStore(): Promise<ObjectStore> {
  const store = createFolderStore({ root: await temporaryFolder(), namespace: bucket.namespace })
  // A bucket exists while it is empty. A folder exists only after the first object.
  await store.create({ ...bucket, name: 'first' }, Buffer.alloc(1))
  return store
}

/** The service has stored the object, its answer is lost, and the adapter below repeats the call. */
export function repeatingCreates(store: ObjectStore): ObjectStore {
  return {
    ...store,
    create: async (object, bytes) => {
      await store.create(object, bytes)
      return await store.create(object, bytes)
    },
  }
}
