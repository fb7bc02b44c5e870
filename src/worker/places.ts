/**
 * The worker's own places: its buckets, streams and key. A refusal there is about the worker, never about a
 * job, so it carries the name of the place: the type tells it from the same answer about a job's object.
 */
import type { EvidenceLog } from '#adapters/evidence/log.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import type { Signer } from '#core/jws.ts'
import type { StreamConsumer, StreamLease, StreamProducer } from '#ports/jobStream.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

/** As the configuration names them. */
export type Place = 'results' | 'state' | 'registrations' | 'evidence' | 'jobs' | 'dead-letters' | 'key'

/** OCI does not let this worker use a place of its own: 403, or 404 where nothing can be absent. */
export class PlaceRefused extends CodedError {
  readonly place: Place

  constructor(place: Place, cause: CodedError) {
    super(cause.code, `${place}: ${cause.message}`, { cause })
    this.name = 'PlaceRefused'
    this.place = place
  }
}

/** The refusal of a place that is the error or its cause: the evidence log gives its own code to it. */
export function placeRefusal(error: unknown): PlaceRefused | undefined {
  if (error instanceof PlaceRefused) return error
  return error instanceof Error && error.cause !== undefined ? placeRefusal(error.cause) : undefined
}

const REFUSALS = {
  /** An object that is read may be absent. */
  read: ['service.denied'],
  /** A bucket, stream or key that is used must be there. */
  use: ['service.denied', 'service.missing'],
} as const

function named(place: Place, to: keyof typeof REFUSALS, error: unknown): unknown {
  const refused = REFUSALS[to].some((code) => code === codeOf(error))
  return refused && error instanceof CodedError && !(error instanceof PlaceRefused)
    ? new PlaceRefused(place, error)
    : error
}

async function at<T>(place: Place, to: keyof typeof REFUSALS, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw named(place, to, error)
  }
}

/** The store for the worker's own buckets, each of which has a name. */
export function ownStore(
  store: ObjectStore,
  buckets: Readonly<Partial<Record<Place, Omit<ObjectRef, 'name'>>>>,
): ObjectStore {
  const placeOf = ({ namespace, bucket }: Omit<ObjectRef, 'name'>): Place => {
    for (const place of ['results', 'state', 'registrations', 'evidence'] as const)
      if (buckets[place]?.namespace === namespace && buckets[place].bucket === bucket) return place
    throw new CodedError('internal.fault', `the bucket ${bucket} is not the worker's own`)
  }
  return {
    head: (object, ...rest) => at(placeOf(object), 'read', () => store.head(object, ...rest)),
    read: (object, ...rest) => at(placeOf(object), 'read', () => store.read(object, ...rest)),
    stream: (object, ...rest) => at(placeOf(object), 'read', () => store.stream(object, ...rest)),
    readAll: (object, ...rest) => at(placeOf(object), 'read', () => store.readAll(object, ...rest)),
    create: (object, ...rest) => at(placeOf(object), 'use', () => store.create(object, ...rest)),
    createFrom: (object, ...rest) => at(placeOf(object), 'use', () => store.createFrom(object, ...rest)),
    list: async function* (bucket, ...rest) {
      try {
        yield* store.list(bucket, ...rest)
      } catch (error) {
        throw named(placeOf(bucket), 'use', error)
      }
    },
  }
}

export function ownProducer(producer: StreamProducer, place: Place): StreamProducer {
  return { publish: (...message) => at(place, 'use', () => producer.publish(...message)) }
}

export function ownConsumer(consumer: StreamConsumer): StreamConsumer {
  const place = 'jobs'
  const own = (lease: StreamLease): StreamLease => ({
    get: (...how) => at(place, 'use', () => lease.get(...how)),
    heartbeat: (...how) => at(place, 'use', () => lease.heartbeat(...how)),
    commit: (...how) => at(place, 'use', () => lease.commit(...how)),
  })
  return { join: async (signal) => own(await at(place, 'use', () => consumer.join(signal))) }
}

/** The log waits while its bucket is away; a refused bucket ends the wait. */
export function ownLog(log: EvidenceLog): EvidenceLog {
  const told = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw placeRefusal(error) ?? error
    }
  }
  return {
    ...log,
    flush: (signal) => told(() => log.flush(signal)),
    close: (reason) => told(() => log.close(reason)),
  }
}

/** `open` finds the key; its holder signs later. */
export async function ownSigner(open: () => Promise<Signer>): Promise<Signer> {
  const { jwk, sign } = await at('key', 'use', open)
  return { jwk, sign: (message) => at('key', 'use', () => sign(message)) }
}
