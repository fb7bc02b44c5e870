/** What OCI does to its clients. Each row arms faults of the emulator; what is left of them ends with the run. */
import type { ActRow, Drawn } from '../act.ts'

type Target = { readonly service: string; readonly method?: string; readonly path?: string }
type Answer = { readonly status: number; readonly code: string }

/** The calls that a job depends on. */
const TARGETS: readonly Target[] = [
  { service: 'objectstorage' },
  { service: 'objectstorage', method: 'GET', path: '/b/outbox/' },
  { service: 'objectstorage', method: 'HEAD', path: '/b/outbox/' },
  { service: 'objectstorage', method: 'PUT', path: '/b/results/' },
  { service: 'objectstorage', method: 'PUT', path: '%2Fresult' },
  { service: 'objectstorage', path: '/b/worker-state/' },
  { service: 'objectstorage', path: '/b/evidence-worker/' },
  { service: 'objectstorage', path: '/b/evidence-verifier/' },
  { service: 'objectstorage', path: '/b/verifier-state/' },
  { service: 'objectstorage', path: '/b/ingest/' },
  { service: 'objectstorage', path: '/b/governance/' },
  { service: 'streaming', method: 'GET', path: '/messages' },
  { service: 'streaming', method: 'POST', path: '/messages' },
  { service: 'streaming', method: 'POST', path: '/commit' },
  { service: 'streaming', method: 'POST', path: '/heartbeat' },
  { service: 'streaming', method: 'POST', path: '/groupCursors' },
  { service: 'vault' },
  { service: 'secrets' },
  { service: 'federation' },
]
/** Answers with a body that a client believes. */
const READS: readonly Target[] = [
  { service: 'objectstorage', method: 'GET', path: '/b/outbox/' },
  { service: 'objectstorage', method: 'GET', path: '/b/worker-state/' },
  { service: 'objectstorage', method: 'GET', path: '/b/evidence-verifier/' },
  { service: 'objectstorage', method: 'GET', path: '/b/governance/' },
  { service: 'streaming', method: 'GET', path: '/messages' },
  { service: 'vault' },
]
/** Reads whose bytes carry a signature or a tag. For the others, TLS alone notices an altered answer. */
const CHECKED_READS = READS.filter(({ service }) => service === 'objectstorage')

const STORMS: readonly Answer[] = [
  { status: 429, code: 'TooManyRequests' },
  { status: 500, code: 'InternalServerError' },
  { status: 503, code: 'ServiceUnavailable' },
]
const DENIALS: readonly Answer[] = [
  { status: 401, code: 'NotAuthenticated' },
  { status: 403, code: 'NotAuthorized' },
  { status: 404, code: 'NotAuthorizedOrNotFound' },
]

export const SERVICE_ACTS: readonly ActRow[] = [
  {
    name: 'storm',
    weight: 6,
    draw: (random) =>
      fault(random.pick(TARGETS), { ...random.pick(STORMS), forMs: random.between(300, 4000) }),
  },
  {
    name: 'flutter',
    weight: 3,
    draw: (random) =>
      fault(random.pick(TARGETS), {
        ...random.pick(STORMS),
        share: random.between(2, 6) / 10,
        seed: random.between(0, 1000),
        forMs: random.between(1000, 5000),
      }),
  },
  {
    name: 'denial',
    weight: 2,
    draw: (random) => fault(random.pick(TARGETS), { ...random.pick(DENIALS), times: random.between(1, 2) }),
  },
  {
    name: 'latency',
    weight: 3,
    draw: (random) =>
      fault(random.pick(TARGETS), {
        latencyMs: random.between(100, 3000),
        times: random.between(1, 6),
      }),
  },
  {
    name: 'lost-call',
    weight: 2,
    draw: (random) => fault(random.pick(TARGETS), { reset: 'before', times: random.between(1, 4) }),
  },
  {
    name: 'lost-answer',
    weight: 4,
    draw: (random) => fault(random.pick(TARGETS), { reset: 'after', times: random.between(1, 3) }),
  },
  {
    name: 'silence',
    weight: 1,
    draw: (random) => fault(random.pick(TARGETS), { silent: true, times: 1 }),
  },
  {
    name: 'truncated-body',
    weight: 2,
    draw: (random) => fault(random.pick(READS), { body: 'truncated', times: 1 }),
  },
  {
    name: 'corrupted-body',
    weight: 1,
    draw: (random) => fault(random.pick(CHECKED_READS), { body: 'corrupted', times: 2 }),
  },
  // Delivered again: the function publishes each event once more.
  {
    name: 'duplicate-events',
    weight: 4,
    draw: (random) =>
      fault({ service: 'events' }, { duplicateEvent: random.between(1, 4), times: random.between(1, 4) }),
  },
  {
    name: 'reordered-events',
    weight: 2,
    draw: (random) =>
      fault(
        { service: 'events' },
        { jitterMs: random.between(200, 2500), share: 0.5, seed: random.between(0, 1000), forMs: 4000 },
      ),
  },
  // Published, but the function does not hear so: it publishes again.
  {
    name: 'lost-publication',
    weight: 4,
    draw: (random) =>
      fault(
        { service: 'streaming', method: 'POST', path: '/messages' },
        { reset: 'after', times: random.between(2, 4) },
      ),
  },
  {
    name: 'disk-full',
    weight: 1,
    draw: (random) => fault({ service: 'disk' }, { forMs: random.between(300, 2000) }),
  },
  {
    name: 'device-error',
    weight: 2,
    draw: (random) => fault({ service: 'device' }, { status: 500, times: random.between(1, 3) }),
  },
]

/** Rows that came after the first series of seeds. */
export const LATER_ACTS: readonly ActRow[] = [
  // A rebalance that OCI announces to no one.
  {
    name: 'lost-reservation',
    weight: 1,
    draw: (random) => fault({ service: 'reservations' }, { times: random.between(1, 3), forMs: 4000 }),
  },
  {
    name: 'slow-body',
    weight: 1,
    draw: (random) => fault(random.pick(READS), { body: 'slow', times: 1 }),
  },
]

/** The service of a fault, what it hits, and what it does. */
function fault({ service, ...match }: Target, effect: Readonly<Record<string, unknown>>): Drawn {
  const armed = { service, ...(Object.keys(match).length > 0 && { match }), ...effect }
  return {
    about: { fault: JSON.stringify(armed) },
    cutsOff: false,
    perform: ({ arm }) => arm(armed),
  }
}
