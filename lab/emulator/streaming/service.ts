/**
 * Streaming as a service: partitioned streams, group cursors with reservations, offsets that survive a crash.
 */
import type { Service, ServiceContext } from '#lab/emulator/service.ts'
import { consumeRoutes } from './consumeRoutes.ts'
import { groupRoutes } from './groupRoutes.ts'
import { produceRoutes } from './produceRoutes.ts'
import { createRates } from './rates.ts'
import { openStreams } from './streams.ts'

export async function createStreamingService(context: ServiceContext): Promise<Service> {
  const streams = await openStreams(context)
  const parts = { streams, rates: createRates(context.now), now: context.now, faults: context.faults }
  return {
    name: 'streaming',
    routes: [...produceRoutes(parts), ...consumeRoutes(parts), ...groupRoutes(parts)],
    flushed: streams.flushed,
    close: streams.close,
  }
}
