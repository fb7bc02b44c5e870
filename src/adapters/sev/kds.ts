/**
 * A client of AMD's key distribution service. The service gives an address about one VCEK in ten seconds and
 * throttles beyond that. So requests go one at a time and VCEKs ten seconds apart. After a failure the client
 * waits as long as the service demands, or ever longer. Answers are public and unproven: the caller verifies
 * them.
 */
import PQueue from 'p-queue'
import { HttpOrigin, isLoopback } from '#adapters/http/origin.ts'
import { parsePem } from '#adapters/system/pem.ts'
import { CodedError } from '#core/errors.ts'
import { chainPath, crlPath, vcekPath } from '#core/snp/kds.ts'
import { MAX_CERTIFICATE_BYTES, MAX_CRL_BYTES, type SigningKey } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import type { Tcb } from '#core/snp/tcb.ts'
import type { Clock } from '#ports/clock.ts'
import { askKds, type KdsAnswer } from './kdsExchange.ts'

/**
 * Every answer is DER. `kds.unknown`: the service has no such certificate. `kds.unavailable`: it cannot be
 * reached now, or its answer is unusable. A caller's abort ends its wait.
 */
export type Kds = {
  readonly vcek: (product: Product, hardwareId: Uint8Array, tcb: Tcb, signal?: AbortSignal) => Promise<Buffer>
  /** The ASK, or the ASVK for `vlek`; and the ARK. */
  readonly chain: (
    kind: SigningKey,
    product: Product,
    signal?: AbortSignal,
  ) => Promise<{ readonly intermediate: Buffer; readonly ark: Buffer }>
  readonly crl: (product: Product, signal?: AbortSignal) => Promise<Buffer>
}

/** Plain http only for a simulation on loopback. */
export const KdsUrl = HttpOrigin

const MAX_CHAIN_BYTES = 16 * 1024
const EXCHANGE_MS = 15_000
const VCEK_MS = 10_000
/** The limit of one request with its repetitions and the waits between them. */
const PATIENCE_MS = 60_000
/** Half of it is fixed and half random, so that workers that start together do not ask together. */
const BACKOFF_MS = { first: 2_000, most: 300_000 } as const
/** A service that demands a longer wait is not believed. */
const MOST_RETRY_AFTER_MS = 3_600_000

/** Throws `config.invalid` for plain http, unless this is a simulation on loopback. */
export function createKds({
  url,
  simulation,
  clock,
  exchangeMs = EXCHANGE_MS,
  waiting,
}: {
  readonly url: string
  readonly simulation: boolean
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
  /** The limit of one exchange, from the first byte sent to the last received. */
  readonly exchangeMs?: number
  /** Called before each wait with its reason and length. */
  readonly waiting?: (why: string, milliseconds: number) => void
}): Kds {
  const origin = new URL(url)
  if (origin.protocol !== 'https:' && !(simulation && isLoopback(url)))
    throw new CodedError('config.invalid', `${url}: a key distribution service must be on https`)
  const queue = new PQueue({ concurrency: 1 })
  // Owned by `ask`, which runs once at a time. Monotonic times: before `openAt` nothing, before `vcekAt` no
  // VCEK is sent.
  let openAt = 0
  let vcekAt = 0
  let failures = 0
  let why = ''

  const note = (answer: KdsAnswer): void => {
    if (answer.kind !== 'unavailable') {
      failures = 0
      return
    }
    failures += 1
    why = answer.why
    const backoff = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** (failures - 1))
    const told = Math.min(answer.retryAfterMs ?? 0, MOST_RETRY_AFTER_MS)
    openAt = clock.monotonic() + Math.max(told, backoff * (0.5 + 0.5 * Math.random()))
  }

  const ask = async (path: string, maxBytes: number, signal: AbortSignal | undefined): Promise<Buffer> => {
    const until = clock.monotonic() + PATIENCE_MS
    const isVcek = path.includes('?')
    for (;;) {
      signal?.throwIfAborted()
      const [free, reason] =
        isVcek && vcekAt > openAt ? [vcekAt, 'gives one VCEK in ten seconds'] : [openAt, why]
      const wait = free - clock.monotonic()
      if (free > until)
        throw new CodedError(
          'kds.unavailable',
          `${origin.host} ${reason}; it is asked again in ${Math.ceil(wait / 1000)} s`,
        )
      if (wait > 0) {
        waiting?.(`${origin.host} ${reason}`, wait)
        await clock.sleep(wait, signal)
      }
      if (isVcek) vcekAt = clock.monotonic() + VCEK_MS
      const answer = await askKds(new URL(path, origin), { maxBytes, exchangeMs }, signal)
      note(answer)
      if (answer.kind === 'given') return answer.body
      if (answer.kind === 'unknown')
        throw new CodedError('kds.unknown', `${origin.host} has nothing under ${pathOnly(path)}`)
    }
  }
  const inTurn = (path: string, maxBytes: number, signal: AbortSignal | undefined): Promise<Buffer> =>
    queue.add(() => ask(path, maxBytes, signal), signal === undefined ? {} : { signal })

  return {
    vcek: (product, hardwareId, tcb, signal) =>
      inTurn(vcekPath(product, hardwareId, tcb), MAX_CERTIFICATE_BYTES, signal),
    chain: async (kind, product, signal) => {
      const pem = await inTurn(chainPath(kind, product), MAX_CHAIN_BYTES, signal)
      const [intermediate, ark, ...more] = parsePem(pem)
      if (intermediate === undefined || ark === undefined || more.length > 0)
        throw new CodedError(
          'kds.unavailable',
          `${origin.host} gave a chain that does not have two certificates`,
        )
      return { intermediate, ark }
    },
    crl: (product, signal) => inTurn(crlPath(product), MAX_CRL_BYTES, signal),
  }
}

function pathOnly(path: string): string {
  return path.split('?', 1)[0] ?? ''
}
