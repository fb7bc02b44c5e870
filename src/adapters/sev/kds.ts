/**
 * A client of AMD's key distribution service. It gives about one VCEK in ten seconds to an address and throttles beyond, so
 * questions go one at a time, VCEKs ten seconds apart, and a service that fails or throttles is left alone for as long
 * as it says, or ever longer. What comes back is public and unproven: whoever uses it verifies it.
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
 * `kds.unknown` where it has no such certificate, `kds.unavailable` where it cannot be had now or answers nonsense. All DER.
 * A caller's abort ends its wait.
 */
export type Kds = {
  readonly vcek: (product: Product, hardwareId: Uint8Array, tcb: Tcb, signal?: AbortSignal) => Promise<Buffer>
  /** The ASK (for `vlek`: ASVK), and the ARK. */
  readonly chain: (
    kind: SigningKey,
    product: Product,
    signal?: AbortSignal,
  ) => Promise<{ readonly intermediate: Buffer; readonly ark: Buffer }>
  readonly crl: (product: Product, signal?: AbortSignal) => Promise<Buffer>
}

/** Plain http is for a simulation on loopback. */
export const KdsUrl = HttpOrigin

const MAX_CHAIN_BYTES = 16 * 1024
const EXCHANGE_MS = 15_000
const VCEK_MS = 10_000
/** One question, its repetitions and the waits between them. */
const PATIENCE_MS = 60_000
/** Half of it is certain and half by chance, so that workers that start together do not ask together. */
const BACKOFF_MS = { first: 2_000, most: 300_000 } as const
/** Longer than this nobody is told to wait: a service that says otherwise is not believed. */
const MOST_RETRY_AFTER_MS = 3_600_000

/** Throws `config.invalid` for plain http that is not of a simulation. */
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
  /** For one exchange, from the first byte sent to the last received. */
  readonly exchangeMs?: number
  /** Told before each wait why, and for how long. */
  readonly waiting?: (why: string, milliseconds: number) => void
}): Kds {
  const origin = new URL(url)
  if (origin.protocol !== 'https:' && !(simulation && isLoopback(url)))
    throw new CodedError('config.invalid', `${url}: a key distribution service is reached over https`)
  const queue = new PQueue({ concurrency: 1 })
  // Owned by `ask`, which runs once at a time: before these times (monotonic) nothing, or no VCEK, is asked for.
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
        throw new CodedError('kds.unavailable', `${origin.host} gave a chain that is not of two certificates`)
      return { intermediate, ark }
    },
    crl: (product, signal) => inTurn(crlPath(product), MAX_CRL_BYTES, signal),
  }
}

function pathOnly(path: string): string {
  return path.split('?', 1)[0] ?? ''
}
