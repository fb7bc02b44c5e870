/** Brings AMD's certificates and revocation lists into a folder, each verified before it is written. */
import { relative } from 'node:path'
import { readIfPresent, replaceFile } from '#adapters/system/files.ts'
import type { Progress } from '#adapters/system/progress.ts'
import { sameBytes, sha256, toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import type { Crl } from '#core/snp/crl.ts'
import { MAX_CERTIFICATE_BYTES } from '#core/snp/layout.ts'
import { type WantedLeaf, wantedLeavesOf } from '#core/snp/leaf.ts'
import { PRODUCTS, type Product } from '#core/snp/product.ts'
import type { Report } from '#core/snp/report.ts'
import type { RootEntry } from '#core/snp/roots.ts'
import { toRfc3339 } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'
import { type EndorsementFile, endorsementPath, leafPath, readEndorsement } from './endorsementFolder.ts'
import { fetchIntermediates, fetchLeaf, verifyCrl } from './fetchVerified.ts'
import type { Kds } from './kds.ts'

export type FetchOptions = {
  /** The folder, created if it is absent. */
  readonly to: string
  /** The service's origin, for the result. */
  readonly kds: string
  readonly trusted: readonly RootEntry[]
  /** Empty: those of the report, or all. */
  readonly products: readonly Product[]
  /** Its certificate is fetched too. */
  readonly report: Report | undefined
}

export type FetchDeps = {
  readonly service: Kds
  readonly clock: Pick<Clock, 'now'>
  readonly signal: AbortSignal
  /** Counts the service's answers. */
  readonly progress: Progress
}

type FetchedFile = {
  /** Below the folder. */
  readonly file: string
  readonly sha256: string
  readonly status: 'written' | 'unchanged'
}

export type FetchResult = {
  readonly to: string
  readonly kds: string
  readonly files: readonly FetchedFile[]
  readonly lists: readonly FetchedList[]
}

export type FetchedList = {
  readonly product: Product
  readonly number: string
  readonly thisUpdate: string
  readonly nextUpdate: string
  readonly ended: boolean
  readonly revoked: readonly string[]
}

type NewFile = { readonly path: string; readonly der: Uint8Array }

/**
 * Takes one product after the other, and writes nothing of a product before all of it is verified. Throws
 * `usage.invalid` for a product without a root, `kds.*`, `chain.*`, `crl.*`, `input.unreadable` and
 * `output.unwritable`.
 */
export async function fetchEndorsements(
  { to, kds, trusted, products: named, report }: FetchOptions,
  { service, clock, signal, progress }: FetchDeps,
): Promise<FetchResult> {
  const wanted = report === undefined ? [] : wantedIn(report)
  const products = productsOf(named, wanted)

  const total = products.length * 3 + (report === undefined ? 0 : 1)
  let done = 0
  const step = async <T>(answer: Promise<T>): Promise<T> => {
    const value = await answer
    done += 1
    progress(done, total)
    return value
  }

  const files: FetchedFile[] = []
  const lists: FetchedList[] = []
  for (const product of products) {
    const trustedRoot = trusted.find((entry) => entry.product === product)
    if (trustedRoot === undefined)
      throw new CodedError('usage.invalid', `${product} has no root among the trusted ones`)
    const root = await fetchIntermediates(service, trustedRoot, step, signal)
    const list = await step(service.crl(product, signal))
    const held = await readEndorsement(to, product, 'crl', 'input.unreadable')
    lists.push(described(verifyCrl(list, root, held), clock.now()))
    const pathOf = (file: EndorsementFile) => endorsementPath(to, product, file)
    const verified: NewFile[] = [
      { path: pathOf('ark'), der: root.ark },
      { path: pathOf('ask'), der: root.ask },
      { path: pathOf('asvk'), der: root.asvk },
      { path: pathOf('crl'), der: list },
    ]
    if (report !== undefined) {
      const leaf = await fetchLeaf(service, { report, wanted, root }, clock.now(), signal)
      if (leaf !== undefined)
        verified.push({ path: leafPath(to, product, leaf.wanted.hardwareId, leaf.wanted.tcb), der: leaf.der })
    }
    for (const file of verified) files.push(await write(file, to))
  }
  if (report !== undefined && !files.some(({ file }) => file.includes('/vcek/')))
    throw new CodedError('kds.unknown', `${kds} has no certificate for the key of this report`)
  progress(total, total)
  return { to, kds, files, lists }
}

/** AMD gives no VLEK to anyone but its provider, and cannot be asked about a masked chip. */
function wantedIn(report: Report): readonly WantedLeaf[] {
  if (report.signingKey === 'vlek')
    throw new CodedError(
      'kds.unknown',
      'the report is signed with a VLEK, whose certificate only the cloud provider has',
    )
  const wanted = wantedLeavesOf(report).filter(({ hardwareId }) => hardwareId !== undefined)
  if (wanted.length === 0)
    throw new CodedError('kds.unknown', 'the report names no chip of a known product, so AMD cannot be asked')
  return wanted
}

function productsOf(named: readonly Product[], wanted: readonly WantedLeaf[]): readonly Product[] {
  if (named.length > 0) return PRODUCTS.filter((product) => named.includes(product))
  if (wanted.length > 0) return wanted.map(({ product }) => product)
  return PRODUCTS
}

async function write({ path, der }: NewFile, to: string): Promise<FetchedFile> {
  const maxBytes = Math.max(der.byteLength, MAX_CERTIFICATE_BYTES)
  const before = await readIfPresent(path, maxBytes, 'input.unreadable').catch(() => undefined)
  const unchanged = before !== undefined && sameBytes(before, der)
  if (!unchanged) await replaceFile(path, der)
  return {
    file: relative(to, path),
    sha256: toHex(sha256(der)),
    status: unchanged ? 'unchanged' : 'written',
  }
}

function described({ product, number, thisUpdate, nextUpdate, revoked }: Crl, now: number): FetchedList {
  return {
    product,
    number,
    thisUpdate: toRfc3339(thisUpdate),
    nextUpdate: toRfc3339(nextUpdate),
    ended: nextUpdate < now,
    revoked: [...revoked],
  }
}
