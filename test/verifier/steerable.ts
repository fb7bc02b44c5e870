/** Time that a test moves, and a store in a folder whose calls it can fail. */
import { createFolderStore } from '#adapters/system/folderStore.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'
import { NOW } from '../core/release/world.ts'

export type SteerableClock = Clock & { readonly pass: (seconds: number) => void }

export function steerableClock(): SteerableClock {
  let passed = 0
  return {
    now: () => addSeconds(toUnixSeconds(NOW), Math.floor(passed)),
    monotonic: () => passed * 1000,
    sleep: async (milliseconds, signal) => {
      signal?.throwIfAborted()
      passed += milliseconds / 1000
    },
    pass: (seconds) => {
      passed += seconds
    },
  }
}

export const bucket = { namespace: 'test', bucket: 'bucket' }

export async function emptyStore(): Promise<ObjectStore> {
  const store = createFolderStore({ root: await temporaryFolder(), namespace: bucket.namespace })
  // A bucket is there before anything is in it; a folder is made by what is put into it.
  await store.create({ ...bucket, name: 'first' }, Buffer.alloc(1))
  return store
}

/** The service has written, its answer is lost, and the adapter below repeats the call. */
export function repeatingCreates(store: ObjectStore): ObjectStore {
  return {
    ...store,
    create: async (object, bytes) => {
      await store.create(object, bytes)
      return await store.create(object, bytes)
    },
  }
}
