/**
 * The Verifier at several addresses. A call goes to the first address that does not rest; one that fails, or
 * whose answer is not proven, rests for a growing time, and only a proven answer ends the growth. Rest is a
 * matter of order: no address is ever given up, and while all of them rest, the one whose rest ends first is
 * asked.
 */
import { Gauge, type Registry } from 'prom-client'
import { errorFields, type Log } from '#adapters/system/log.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'
import type { ReplicatedService } from '#ports/releaseService.ts'
import { type Connection, NothingSent } from './releaseService.ts'

const FIRST_REST_MS = 1000
/** An address that hangs costs a worker one deadline in this time. */
const LONGEST_REST_MS = 5 * 60_000

export type Replicas = ReplicatedService & {
  /** Whose last answer is not proven: by host and port, in the order of the configuration. */
  readonly resting: () => readonly { readonly address: string; readonly rests: boolean }[]
  readonly close: () => void
}

type Address = {
  readonly name: string
  readonly connection: Connection
  /** Since the last proven answer. */
  failures: number
  /** By the monotonic clock. */
  restsUntil: number
}

/** The order of `urls` is the order of preference. */
export function createReplicas(
  urls: readonly string[],
  connect: (url: string) => Connection,
  { clock, log }: { readonly clock: Pick<Clock, 'monotonic'>; readonly log: Pick<Log, 'info' | 'warn'> },
): Replicas {
  const addresses = urls.map(
    (url): Address => ({
      name: new URL(url).host,
      connection: connect(url),
      failures: 0,
      restsUntil: Number.NEGATIVE_INFINITY,
    }),
  )
  const sources = new WeakMap<object, Address>()
  let challenger: Address | undefined
  let failures = 0

  const awake = () => addresses.filter(({ restsUntil }) => restsUntil <= clock.monotonic())
  const byRest = () => addresses.toSorted((a, b) => a.restsUntil - b.restsUntil)
  const rest = (address: Address, error: unknown): void => {
    const { name, connection } = address
    const restMs = Math.min(FIRST_REST_MS * 2 ** address.failures, LONGEST_REST_MS)
    address.restsUntil = clock.monotonic() + Math.max(restMs, connection.pauseMs())
    address.failures += 1
    failures += 1
    if (address.failures === 1) log.warn('Verifier address rests', { address: name, ...errorFields(error) })
  }
  /** Throws what is no failure of the address: an abort, or a fault of our own. */
  const failed = (address: Address, error: unknown, signal: AbortSignal | undefined): void => {
    signal?.throwIfAborted()
    if (!(error instanceof CodedError)) throw error
    rest(address, error)
  }

  return {
    addresses: addresses.length,
    failures: () => failures,
    another: () => awake().length > 0,
    challenge: async (signal) => {
      const able = awake()
      const failures: unknown[] = []
      for (const address of able.length > 0 ? able : byRest().slice(0, 1))
        try {
          const challenge = await address.connection.challenge(signal)
          // Asked although it rested, it answers: the release goes there too.
          address.restsUntil = Number.NEGATIVE_INFINITY
          challenger = address
          sources.set(challenge, address)
          return challenge
        } catch (error) {
          failed(address, error, signal)
          failures.push(error)
        }
      throw mostTelling(failures)
    },
    release: async (request, nonce, signal) => {
      // So that the address that gave a false nonce is blamed for its refusal.
      const first = challenger === undefined ? [] : [challenger]
      const failures: unknown[] = []
      for (const address of new Set([...first, ...awake(), ...byRest()]))
        try {
          const answer = await address.connection.release(request, nonce, signal)
          sources.set(answer, address)
          return answer
        } catch (error) {
          failed(address, error, signal)
          // A Verifier that received a part may have spent the nonce.
          if (!(error instanceof NothingSent)) throw error
          failures.push(error)
        }
      throw mostTelling(failures)
    },
    witness: async (boot, submission, signal) => {
      const failures: unknown[] = []
      for (const address of new Set([...awake(), ...byRest()]))
        try {
          const answer = await address.connection.witness(boot, submission, signal)
          sources.set(answer, address)
          return answer
        } catch (error) {
          failed(address, error, signal)
          failures.push(error)
        }
      throw mostTelling(failures)
    },
    judge: (said, error) => {
      const address = sources.get(said)
      if (address === undefined) return
      if (error !== undefined) return rest(address, error)
      if (address.failures > 0) log.info('Verifier address answers again', { address: address.name })
      address.failures = 0
      address.restsUntil = Number.NEGATIVE_INFINITY
    },
    resting: () => addresses.map(({ name, failures }) => ({ address: name, rests: failures > 0 })),
    close: () => {
      for (const { connection } of addresses) connection.close()
    },
  }
}

/** What an address said tells more than the outage of another. */
function mostTelling(failures: readonly unknown[]): unknown {
  return failures.find((error) => codeOf(error) !== 'verifier.unavailable') ?? failures.at(-1)
}

export function publishReplicas(registry: Registry, replicas: Pick<Replicas, 'resting'>): void {
  new Gauge({
    name: 'cw_worker_verifier_resting',
    help: '1 since a Verifier address failed or gave an answer that is not proven, until one is proven',
    labelNames: ['address'],
    registers: [registry],
    collect() {
      for (const { address, rests } of replicas.resting()) this.set({ address }, rests ? 1 : 0)
    },
  })
}
