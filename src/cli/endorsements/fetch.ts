/** `endorsements fetch`: from its flags to what is fetched. */
import { type FetchResult, fetchEndorsements } from '#adapters/sev/fetchEndorsements.ts'
import { createKds, type Kds, KdsUrl } from '#adapters/sev/kds.ts'
import { readInput, readRootFolder } from '#adapters/sev/reportFiles.ts'
import type { Progress } from '#adapters/system/progress.ts'
import { CodedError, under } from '#core/errors.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { PRODUCTS, type Product } from '#core/snp/product.ts'
import { parseReport } from '#core/snp/report.ts'
import type { Clock } from '#ports/clock.ts'

export type FetchFlags = {
  readonly to: string
  readonly product: readonly string[]
  readonly report?: string | undefined
  readonly kds: string
  readonly roots?: string | undefined
}

type Deps = {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly progress: Progress
  /** Told before each wait for the service: the reason and the time. */
  readonly waiting: (why: string, milliseconds: number) => void
}

/** Throws the codes of `fetchEndorsements`, `usage.invalid`, `report.*` and `input.unreadable`. */
export async function fetchByFlags(
  { to, product, report, kds, roots }: FetchFlags,
  { clock, signal, progress, waiting }: Deps,
): Promise<FetchResult> {
  const options = {
    to,
    kds,
    trusted: roots === undefined ? AMD_ROOTS : await readRootFolder(roots),
    products: product.map(productOf),
    report: report === undefined ? undefined : parseReport(await readInput(report)),
  }
  const service = openKds(kds, { simulation: roots !== undefined, clock, waiting })
  return await fetchEndorsements(options, { service, clock, signal, progress })
}

function openKds(url: string, around: Omit<Parameters<typeof createKds>[0], 'url'>): Kds {
  if (!KdsUrl.safeParse(url).success)
    throw new CodedError('usage.invalid', `--kds is ${url}, not an https origin without path`)
  return under('usage.invalid', () => createKds({ url, ...around }))
}

function productOf(name: string): Product {
  const product = PRODUCTS.find((known) => known === name)
  if (product === undefined)
    throw new CodedError('usage.invalid', `--product is ${name}, not ${PRODUCTS.join(', ')}`)
  return product
}
