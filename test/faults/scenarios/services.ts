/** What OCI and the machine below it do for minutes. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Scenario } from './scenario.ts'

const TEN_MINUTES_MS = 600_000
const MINUTE_MS = 60_000
const UNAVAILABLE = { status: 503, code: 'ServiceUnavailable' }

/** Every call to the service meets the effect for this long. */
function lasting(
  name: string,
  about: string,
  forMs: number,
  ...faults: readonly Readonly<Record<string, unknown>>[]
): Scenario {
  return {
    name,
    about,
    cause: async ({ site, under }) => {
      for (const fault of faults) await site.arm({ ...fault, forMs })
      await under(sleep(forMs))
    },
  }
}

export const SERVICE_SCENARIOS: readonly Scenario[] = [
  ...['objectstorage', 'streaming', 'vault'].map((service) =>
    lasting(`outage-${service}`, `ten minutes of 503 from ${service}`, TEN_MINUTES_MS, {
      service,
      ...UNAVAILABLE,
    }),
  ),
  lasting(
    'storm',
    'a minute of 429 and 503 to half of all calls',
    MINUTE_MS,
    ...['objectstorage', 'streaming', 'vault', 'secrets', 'federation'].map((service, seed) => ({
      service,
      ...(seed % 2 === 0 ? { status: 429 } : UNAVAILABLE),
      share: 0.5,
      seed,
    })),
  ),
  lasting(
    'silence',
    'a minute in which one of ten calls is taken and never answered',
    MINUTE_MS,
    ...['objectstorage', 'streaming', 'vault'].map((service, seed) => ({
      service,
      silent: true,
      share: 0.1,
      seed,
    })),
  ),
  // Not a flipped bit in a message of the stream, which TLS excludes: the message is set aside as it was read.
  lasting(
    'broken-bodies',
    "a minute in which answers of Streaming and Vault are cut, and the Vault's altered by one bit",
    MINUTE_MS,
    { service: 'streaming', body: 'truncated', share: 0.1, seed: 0 },
    { service: 'vault', body: 'truncated', share: 0.1, seed: 1 },
    { service: 'vault', body: 'corrupted', share: 0.1, seed: 3 },
  ),
  lasting(
    'rebalances',
    'a minute in which one of ten calls finds that its partitions were taken',
    MINUTE_MS,
    { service: 'reservations', share: 0.1, seed: 1 },
  ),
  lasting('disk-full', 'a minute without room on the disk below OCI', MINUTE_MS, { service: 'disk' }),
  lasting('device', 'a minute of refusals by the firmware of every machine', MINUTE_MS, {
    service: 'device',
    status: 500,
  }),
]
