/** Streaming: streams with partitions, group cursors with reservations, offsets that outlive a crash. */
import type { Service, ServiceContext } from './service.ts'
import { consumeRoutes } from './streaming/consumeRoutes.ts'
import { groupRoutes } from './streaming/groupRoutes.ts'
import { produceRoutes } from './streaming/produceRoutes.ts'
import { createRates } from './streaming/rates.ts'
import { openStreams } from './streaming/streams.ts'

export async function createStreamingService(context: ServiceContext): Promise<Service> {
  const streams = await openStreams(context)
  const parts = { streams, rates: createRates(context.now), now: context.now }
  return {
    name: 'streaming',
    routes: [...produceRoutes(parts), ...consumeRoutes(parts), ...groupRoutes(parts)],
    flushed: streams.flushed,
    close: streams.close,
  }
}
