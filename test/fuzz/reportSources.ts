/** Genuine reports of every product under the tests' own roots, with the certificates that endorse them. */
import type { KeyObject } from 'node:crypto'
import { TrustStore } from '#core/snp/chain.ts'
import { SIGNING_KEYS, type SigningKey } from '#core/snp/layout.ts'
import { PRODUCTS } from '#core/snp/product.ts'
import type { UnixSeconds } from '#core/time.ts'
import type { AmdAuthority } from '#lab/amd/authority.ts'
import { endorsementOf } from '#lab/amd/guest.ts'
import { crlOf, mint, noon, platformOf, testAuthority } from '../amd.ts'

/** A simulated machine of one product and one kind of signing key. */
export type ReportSource = {
  readonly amd: AmdAuthority
  readonly kind: SigningKey
  /** Reports that `key` signed. */
  readonly reports: readonly Buffer[]
  readonly key: KeyObject
  /** VCEK and ASK, or VLEK and ASVK. */
  readonly certs: readonly Buffer[]
  /** Revocation lists in DER: without entries, with both authorities, and expired. */
  readonly crls: readonly Buffer[]
  readonly at: UnixSeconds
}

export async function openReportSources(): Promise<readonly ReportSource[]> {
  const authorities = await Promise.all(PRODUCTS.map(testAuthority))
  return authorities.flatMap((amd) => {
    const at = noon(amd)
    const crls = [
      crlOf(amd),
      crlOf(amd, { revoked: [0x20001, 0x20101] }),
      crlOf(amd, { thisUpdate: at - 1000, nextUpdate: at - 10 }),
    ]
    return SIGNING_KEYS.map((kind) => ({
      amd,
      kind,
      reports: ([2, 3, 5] as const).map((version) => mint(amd, { version, signingKey: kind }).bytes),
      ...endorsementOf(amd, platformOf(amd, { signingKey: kind })),
      crls,
      at,
    }))
  })
}

/**
 * A store with the roots of all sources. Without their authorities, the ASK or ASVK must come with the
 * evidence.
 */
export function storeOf(
  sources: readonly ReportSource[],
  options: { readonly holdsAuthorities: boolean },
): TrustStore {
  const authorities = new Set(sources.map(({ amd }) => amd))
  return new TrustStore(
    [...authorities].map(({ product, arkDer: ark, askDer: ask, asvkDer: asvk }) => ({
      product,
      ark,
      ...(options.holdsAuthorities ? { ask, asvk } : {}),
      simulated: true,
    })),
  )
}
