/**
 * VCEK certificates by product, chip and TCB: in memory, in the folder, and from AMD's key distribution
 * service if one is configured. A cached certificate is evidence like any other: an attacker who controls the
 * cache can only cause another fetch, or a refusal.
 */
import { readIfPresent, replaceFile } from '#adapters/system/files.ts'
import { errorFields, type Log } from '#adapters/system/log.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import { MAX_CERTIFICATE_BYTES } from '#core/snp/layout.ts'
import type { WantedLeaf } from '#core/snp/leaf.ts'
import type { Clock } from '#ports/clock.ts'
import { createCoalescer } from './coalesce.ts'
import { leafPath } from './endorsementFolder.ts'
import type { Kds } from './kds.ts'

type WantedVcek = WantedLeaf & { readonly hardwareId: Uint8Array }

export type VcekCache = {
  /**
   * Undefined if there is no certificate and no service to ask. `fits` recognises the wanted certificate.
   * Throws `kds.unknown` and `kds.unavailable`.
   */
  readonly get: (
    wanted: WantedVcek,
    fits: (der: Buffer) => boolean,
    signal?: AbortSignal,
  ) => Promise<Buffer | undefined>
}

/** A worker stays on its chip. Its TCB changes with the host's firmware. */
const REMEMBERED = 16
/** The time for which a request that failed in this way is not repeated. */
const UNKNOWN_MS = 600_000
const NONSENSE_MS = 60_000

export function createVcekCache({
  folder,
  kds,
  clock,
  log,
}: {
  readonly folder: string
  readonly kds: Kds | undefined
  readonly clock: Pick<Clock, 'monotonic'>
  readonly log: Log
}): VcekCache {
  const held = new Map<string, Buffer>()
  const refused = new Map<string, { readonly until: number; readonly error: CodedError }>()
  const coalesce = createCoalescer<Buffer>()

  const fetch = async (
    service: Kds,
    path: string,
    { product, hardwareId, tcb }: WantedVcek,
    fits: (der: Buffer) => boolean,
    signal: AbortSignal,
  ): Promise<Buffer> => {
    const refusal = refused.get(path)
    if (refusal !== undefined && clock.monotonic() < refusal.until) throw refusal.error
    const refuse = (error: CodedError, milliseconds: number): CodedError => {
      bounded(refused, path, { until: clock.monotonic() + milliseconds, error })
      return error
    }
    const der = await service.vcek(product, hardwareId, tcb, signal).catch((error: unknown) => {
      throw error instanceof CodedError && codeOf(error) === 'kds.unknown' ? refuse(error, UNKNOWN_MS) : error
    })
    if (!fits(der))
      throw refuse(
        new CodedError('kds.unavailable', 'the answer is not a certificate of this chip and TCB'),
        NONSENSE_MS,
      )
    log.info('endorsement fetched', { product })
    bounded(held, path, der)
    await keep(path, der)
    return der
  }

  let told = false
  /** If the folder cannot be written, the next process fetches the certificate again. */
  const keep = async (path: string, der: Buffer): Promise<void> => {
    try {
      await replaceFile(path, der)
    } catch (error) {
      if (!told) log.warn('endorsement cannot be kept', errorFields(error))
      told = true
    }
  }

  return {
    get: async (wanted, fits, signal) => {
      const path = leafPath(folder, wanted.product, wanted.hardwareId, wanted.tcb)
      const remembered = held.get(path)
      // It has fitted once, and a chip has one key per TCB.
      if (remembered !== undefined) return remembered
      const kept = await readKept(path)
      if (kept !== undefined && fits(kept)) return kept
      if (kds === undefined) return undefined
      return await coalesce(path, (gone) => fetch(kds, path, wanted, fits, gone), signal)
    },
  }
}

/** A file that cannot be read counts as absent. */
async function readKept(path: string): Promise<Buffer | undefined> {
  try {
    return await readIfPresent(path, MAX_CERTIFICATE_BYTES, 'sev.unavailable')
  } catch {
    return undefined
  }
}

/** Sets an entry as the newest, and deletes the oldest beyond the limit. */
function bounded<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= REMEMBERED) break
    map.delete(oldest)
  }
}
