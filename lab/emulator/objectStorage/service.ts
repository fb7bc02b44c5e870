/** Object Storage as a service: its routes over one store, and the events that its changes cause. */

import type { Service, ServiceContext } from '#lab/emulator/service.ts'
import { bucketRoutes } from './buckets.ts'
import type { ObjectEvents } from './events.ts'
import { objectRoutes } from './objects.ts'
import { openStore, type Store } from './store.ts'
import { uploadRoutes } from './uploads.ts'

export async function createObjectStorageService(
  context: ServiceContext,
  createEvents: (store: Store) => ObjectEvents,
): Promise<Service> {
  const store = await openStore(context.folder)
  const events = createEvents(store)
  for (const emission of store.undelivered()) events.deliver(emission)
  const parts = { world: context.world, store, events, now: context.now }
  return {
    name: 'objectstorage',
    routes: [...bucketRoutes(context.world), ...objectRoutes(parts), ...uploadRoutes(parts)],
    flushed: store.flushed,
    close: async () => {
      await events.close()
      await store.close()
    },
  }
}
