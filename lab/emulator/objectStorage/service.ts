/** Object Storage as a service: its routes over one store, and the events that its changes cause. */
import type { Service, ServiceContext } from '#lab/emulator/service.ts'
import { bucketRoutes } from './buckets.ts'
import { createObjectEvents } from './events.ts'
import { objectRoutes } from './objects.ts'
import { openStore } from './store.ts'
import { uploadRoutes } from './uploads.ts'

export type ObjectStorageService = Service & {
  /** The number of events that no function has taken yet. */
  readonly undelivered: () => number
}

export async function createObjectStorageService(context: ServiceContext): Promise<ObjectStorageService> {
  const { config, now, faults } = context
  const store = await openStore(context)
  const events = createObjectEvents({ config, store, faults, now })
  for (const emission of store.undelivered()) events.deliver(emission)
  const parts = { config, store, events, now }
  return {
    name: 'objectstorage',
    routes: [...bucketRoutes(config), ...objectRoutes(parts), ...uploadRoutes(parts)],
    undelivered: () => store.undelivered().length,
    flushed: store.flushed,
    close: async () => {
      await events.close()
      await store.close()
    },
  }
}
