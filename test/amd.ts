/**
 * A simulated AMD that tests share, and reports, chains and revocation lists under its roots. Its RSA keys
 * take seconds to make, so the first test process keeps them in the temporary folder.
 */
import { createPublicKey } from 'node:crypto'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { checkShape } from '#core/canonical.ts'
import { TrustStore } from '#core/snp/chain.ts'
import type { Product } from '#core/snp/product.ts'
import { toUnixSeconds, type UnixSeconds } from '#core/time.ts'
import { type AmdAuthority, openAuthority } from '#lab/amd/authority.ts'
import { amdScheme } from '#lab/amd/certificate.ts'
import { crlExtensions, issueCrl } from '#lab/amd/crl.ts'
import { endorsementOf } from '#lab/amd/guest.ts'
import { type Platform, type PlatformInput, PlatformSchema } from '#lab/amd/platform.ts'
import { mintReport } from '#lab/amd/report.ts'

export const AMD_STATE = join(tmpdir(), `confidential-worker-test-amd-${userInfo().uid}`)

export const MEASUREMENT = 'a5'.repeat(48)

export function testAuthority(product: Product = 'Genoa'): Promise<AmdAuthority> {
  return openAuthority(AMD_STATE, product)
}

/** A time one day after the start of the certificates' validity. */
export function noon({ notBefore }: AmdAuthority): UnixSeconds {
  return toUnixSeconds(notBefore + 86_400)
}

export function storeOf(authority: AmdAuthority, options?: { readonly remember: number }): TrustStore {
  const { product, arkDer, askDer, asvkDer } = authority
  return new TrustStore([{ product, ark: arkDer, ask: askDer, asvk: asvkDer, simulated: true }], options)
}

export function platformOf(authority: AmdAuthority, input: Partial<PlatformInput> = {}): Platform {
  const { product, hardwareId } = authority
  const wanted = { product, version: product === 'Turin' ? 5 : 3, measurement: MEASUREMENT, ...input }
  const platform = checkShape(PlatformSchema, wanted, 'platform', 'config.invalid')
  return { ...platform, hardwareId: platform.hardwareId ?? hardwareId }
}

export type Minted = { readonly bytes: Buffer; readonly certs: readonly Buffer[] }

export function mint(
  authority: AmdAuthority,
  input: Partial<PlatformInput> = {},
  {
    reportData = Buffer.alloc(64, 0x5a),
    vmpl = 0,
  }: { readonly reportData?: Buffer; readonly vmpl?: number } = {},
): Minted {
  const platform = platformOf(authority, input)
  const { key, certs } = endorsementOf(authority, platform)
  return { bytes: mintReport(platform, { reportData, vmpl }, Buffer.alloc(32, 1), key), certs: [certs[0]] }
}

/**
 * A revocation list in DER, signed by the authority's ARK. By default it is valid for 45 days from one hour
 * before `noon`.
 */
export function crlOf(
  authority: AmdAuthority,
  options: {
    readonly thisUpdate?: number
    readonly nextUpdate?: number
    readonly number?: number
    /** Serial numbers. */
    readonly revoked?: readonly number[]
    /** Extensions instead of the default key identifier and number. */
    readonly extensions?: readonly Buffer[]
  } = {},
): Buffer {
  const thisUpdate = options.thisUpdate ?? noon(authority) - 3600
  const { nextUpdate = thisUpdate + 45 * 86_400, number = 1, revoked = [] } = options
  const extensions = options.extensions ?? crlExtensions(createPublicKey(authority.arkKey), number)
  return issueCrl(
    {
      issuer: `ARK-${authority.product}`,
      thisUpdate,
      nextUpdate,
      revoked: revoked.map((serial) => ({ serial, at: thisUpdate })),
      extensions,
    },
    amdScheme(authority.arkKey),
  )
}
