/** Certificates for the key that signed a report: from the host, from the operator's folder, or from AMD. */
import { join } from 'node:path'
import { z } from 'zod'
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
 * Answers the DER of the VCEK or VLEK first, then the ASK or ASVK where it is at hand. `brought` is what the host's
 * certificate table held: untrusted, and possibly garbage, which is never worse than nothing. The answer is evidence and is
 * verified by whoever reads it; a wrong one can only cause refusal.
 *
 * Throws `sev.unavailable` where nobody has the certificate and nobody can be asked, `kds.unknown` and `kds.unavailable` where
 * AMD was asked, `sev.failed` for a report that is none.
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
   * `<Product>/{ask,asvk}.der`, leaves that were fetched as `<Product>/vcek/<hardware id>-<TCB>.der`, and a `vcek.der` or
   * `vlek.der` that the operator put there. Written to where it may be. Whoever changes it can only make the Verifier refuse.
   */
  folder: z
    .string()
    .max(4000)
    .regex(/^\/[^\0]*$/, 'must be an absolute path'),
  /**
   * AMD's key distribution service, asked for a VCEK that neither host nor folder has; absent, nobody is asked. Whoever
   * answers there learns chip and TCB, and can only make the Verifier refuse.
   */
  kds: z.strictObject({ url: KdsUrl }).optional(),
})
export type EndorsementsConfig = z.output<typeof EndorsementsConfig>

/** Throws `config.invalid` for a service over plain http that is not of a simulation. */
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
      if (first === undefined) throw nowhere(report, folder)
      // The Verifier may well know an issuer that we do not: better its refusal than none of ours.
      return (await authorities.complete(leaves, brought, signal)) ?? [first.der]
    },
  }
}

/** Those that are of the report's key. */
function leavesAmong(
  ders: readonly Buffer[],
  wanted: readonly WantedLeaf[],
  report: Report,
): readonly Leaf[] {
  return wanted.flatMap((one) =>
    ders.filter((der) => isLeafOf(der, one, report)).map((der) => ({ der, wanted: one })),
  )
}

/** A report of version 2 may be of several products: the first that has its certificate. */
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

/** What the operator put there by hand. */
async function readPlaced(folder: string, kind: SigningKey): Promise<readonly Buffer[]> {
  const der = await readIfPresent(join(folder, `${kind}.der`), MAX_CERTIFICATE_BYTES, 'sev.unavailable')
  return der === undefined ? [] : [der]
}

function nowhere({ signingKey, chipId }: Report, folder: string): CodedError {
  const key = signingKey.toUpperCase()
  const what = `neither the host nor ${folder} has the ${key} certificate of this report`
  if (signingKey === 'vlek')
    return new CodedError(
      'sev.unavailable',
      `${what}; the cloud's host has to bring it, or put it there as vlek.der`,
    )
  if (isZero(chipId))
    return new CodedError(
      'sev.unavailable',
      `${what}, and the host masks the chip that AMD could be asked about`,
    )
  return new CodedError(
    'sev.unavailable',
    `${what}; fetch it there with "endorsements fetch --report", or configure "kds"`,
  )
}
