/** The certificates of the key that signed a report: from the host, the operator's folder, or AMD. */
import { join } from 'node:path'
import { z } from 'zod'
import { AbsolutePath } from '#adapters/system/configFile.ts'
import { readIfPresent } from '#adapters/system/files.ts'
import { errorFields, type Log } from '#adapters/system/log.ts'
import { isZero } from '#core/bytes.ts'
import { CodedError, under } from '#core/errors.ts'
import { MAX_CERTIFICATE_BYTES, type SigningKey } from '#core/snp/layout.ts'
import { isLeafOf, type WantedLeaf, wantedLeavesOf } from '#core/snp/leaf.ts'
import { parseReport, type Report } from '#core/snp/report.ts'
import type { Clock } from '#ports/clock.ts'
import { createAuthorities, type Leaf } from './authorities.ts'
import { createKds, KdsUrl } from './kds.ts'
import { createVcekCache, type VcekCache } from './vcekCache.ts'

/**
 * Finds certificates in DER: the VCEK or VLEK first, then the ASK or ASVK if it is known. `brought` is the
 * content of the host's certificate table. It is untrusted, and garbage in it does no more harm than an empty
 * table. The answer is evidence: the Verifier verifies it, and a wrong certificate can only cause a refusal.
 *
 * Throws `sev.unavailable` if the certificate is in none of these places and AMD cannot be asked. Throws
 * `kds.unknown` or `kds.unavailable` if AMD was asked. Throws `sev.failed` if `report` cannot be parsed.
 */
export type Endorsements = {
  readonly certsFor: (
    report: Buffer,
    brought: readonly Buffer[],
    signal?: AbortSignal,
  ) => Promise<readonly Buffer[]>
}

export const EndorsementsConfig = z.strictObject({
  /**
   * `<Product>/{ask,asvk}.der`; fetched leaves as `<Product>/vcek/<hardware id>-<TCB>.der`; and a `vcek.der`
   * or `vlek.der` from the operator. Fetched leaves are written to it if permissions allow. An attacker who
   * controls the folder can only make the Verifier refuse.
   */
  folder: AbsolutePath,
  /**
   * AMD's key distribution service, asked for a VCEK that neither host nor folder has. If absent, no request
   * leaves the machine. The service learns chip and TCB. An attacker who controls it can only make the
   * Verifier refuse.
   */
  kds: z.strictObject({ url: KdsUrl }).optional(),
})
export type EndorsementsConfig = z.output<typeof EndorsementsConfig>

/** Throws `config.invalid` if the service is on plain http, unless this is a simulation on loopback. */
export function createEndorsements(
  { folder, kds: service }: EndorsementsConfig,
  { simulation, clock, log }: { readonly simulation: boolean; readonly clock: Clock; readonly log: Log },
): Endorsements {
  const kds = service === undefined ? undefined : createKds({ url: service.url, simulation, clock })
  const cache = createVcekCache({ folder, kds, clock, log })
  const authorities = createAuthorities({ folder, kds, clock, log })

  return {
    certsFor: async (bytes, brought, signal) => {
      const report = under('sev.failed', () => parseReport(bytes))
      const wanted = wantedLeavesOf(report)
      const near = leavesAmong([...brought, ...(await readPlaced(folder, report.signingKey))], wanted, report)
      const chain = await authorities.complete(near, brought, signal)
      if (chain !== undefined) return chain

      const cached = await fromCache(cache, wanted, report, signal).catch((error: unknown) => {
        signal?.throwIfAborted()
        if (near.length === 0) throw error
        log.warn('endorsement without its issuer', errorFields(error))
        return []
      })
      const leaves = [...cached, ...near]
      const [first] = leaves
      if (first === undefined) throw notFound(report, folder)
      // The Verifier may know an issuer that we do not know. Let it decide.
      return (await authorities.complete(leaves, brought, signal)) ?? [first.der]
    },
  }
}

/** Selects the certificates of the report's key. */
function leavesAmong(
  ders: readonly Buffer[],
  wanted: readonly WantedLeaf[],
  report: Report,
): readonly Leaf[] {
  return wanted.flatMap((one) =>
    ders.filter((der) => isLeafOf(der, one, report)).map((der) => ({ der, wanted: one })),
  )
}

/** A report of version 2 does not name its product: takes the first product that has the certificate. */
async function fromCache(
  cache: VcekCache,
  wanted: readonly WantedLeaf[],
  report: Report,
  signal: AbortSignal | undefined,
): Promise<readonly Leaf[]> {
  let fault: unknown
  for (const one of wanted) {
    const { hardwareId } = one
    if (hardwareId === undefined) continue
    const fits = (der: Buffer) => isLeafOf(der, one, report)
    try {
      const der = await cache.get({ ...one, hardwareId }, fits, signal)
      if (der !== undefined) return [{ der, wanted: one }]
    } catch (error) {
      fault = error
    }
  }
  if (fault !== undefined) throw fault
  return []
}

/** Reads the leaf that the operator put there. */
async function readPlaced(folder: string, kind: SigningKey): Promise<readonly Buffer[]> {
  const der = await readIfPresent(join(folder, `${kind}.der`), MAX_CERTIFICATE_BYTES, 'sev.unavailable')
  return der === undefined ? [] : [der]
}

function notFound({ signingKey, chipId }: Report, folder: string): CodedError {
  const key = signingKey.toUpperCase()
  const what = `neither the host nor ${folder} has the ${key} certificate of this report`
  if (signingKey === 'vlek')
    return new CodedError(
      'sev.unavailable',
      `${what}; the cloud's host must provide it, or put it there as vlek.der`,
    )
  if (isZero(chipId))
    return new CodedError(
      'sev.unavailable',
      `${what}, and the host masks the chip id that AMD must be asked for`,
    )
  return new CodedError(
    'sev.unavailable',
    `${what}; fetch it there with "endorsements fetch --report", or configure "kds"`,
  )
}
