/** `endorsements fetch`: AMD's certificates and revocation lists into a folder, each verified before it is written. */
import { relative } from 'node:path'
import {
  type EndorsementFile,
  endorsementPath,
  leafPath,
  readEndorsement,
} from '#adapters/sev/endorsementFolder.ts'
import { createKds, type Kds, KdsUrl } from '#adapters/sev/kds.ts'
import { readInput, readRootFolder } from '#adapters/sev/reportFiles.ts'
import { readIfPresent, replaceFile } from '#adapters/system/files.ts'
import type { Progress } from '#adapters/system/progress.ts'
import { sameBytes, sha256, toHex } from '#core/bytes.ts'
import { CodedError, codeOf, under } from '#core/errors.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { type Crl, isOlder, openCrl } from '#core/snp/crl.ts'
import { MAX_CERTIFICATE_BYTES } from '#core/snp/layout.ts'
import { isLeafOf, type WantedLeaf, wantedLeavesOf } from '#core/snp/leaf.ts'
import { PRODUCTS, type Product } from '#core/snp/product.ts'
import { parseReport, type Report } from '#core/snp/report.ts'
import { openRoot, type RootEntry } from '#core/snp/roots.ts'
import { toRfc3339 } from '#core/time.ts'
import type { Clock } from '#ports/clock.ts'

export type FetchOptions = {
  /** Empty: that of the report, or all. */
  readonly product: readonly string[]
  readonly report?: string | undefined
  readonly to: string
  readonly kds: string
  readonly roots?: string | undefined
}

export type FetchedFile = {
  /** Below the folder. */
  readonly file: string
  readonly sha256: string
  readonly status: 'written' | 'unchanged'
}

export type FetchResult = {
  readonly to: string
  readonly kds: string
  readonly files: readonly FetchedFile[]
  readonly lists: readonly {
    readonly product: Product
    readonly number: string
    readonly thisUpdate: string
    readonly nextUpdate: string
    readonly ended: boolean
    readonly revoked: readonly string[]
  }[]
}

type Place = { readonly path: string; readonly der: Buffer }

/**
 * One product after the other; of each, nothing is written before all of it is verified. Throws `usage.invalid`, `kds.*`,
 * `chain.*`, `crl.*`, `report.*`, `input.unreadable`, `output.unwritable`.
 */
export async function fetchEndorsements(
  options: FetchOptions,
  {
    clock,
    signal,
    progress,
    waiting,
  }: {
    readonly clock: Clock
    readonly signal: AbortSignal
    readonly progress: Progress
    /** Told before each wait for the service why, and for how long. */
    readonly waiting: (why: string, milliseconds: number) => void
  },
): Promise<FetchResult> {
  const { to, roots: replaced } = options
  const trusted = replaced === undefined ? AMD_ROOTS : await readRootFolder(replaced)
  const report = options.report === undefined ? undefined : parseReport(await readInput(options.report))
  const wanted = report === undefined ? [] : wantedIn(report)
  const products = productsOf(options.product, wanted)
  const kds = openKds(options.kds, { simulation: replaced !== undefined, clock, waiting })

  const total = products.length * 3 + (report === undefined ? 0 : 1)
  let done = 0
  const step = async <T>(answer: Promise<T>): Promise<T> => {
    const value = await answer
    done += 1
    progress(done, total)
    return value
  }

  const files: FetchedFile[] = []
  const lists: FetchResult['lists'][number][] = []
  for (const product of products) {
    const root = trusted.find((entry) => entry.product === product)
    if (root === undefined) throw new CodedError('usage.invalid', `${replaced} has no root of ${product}`)
    const { entry, places } = await fetchChains(kds, root, to, step, signal)
    const der = await step(kds.crl(product, signal))
    const crl = await checkCrl(der, entry, to)
    places.push({ path: endorsementPath(to, product, 'crl'), der })
    lists.push(described(crl, clock.now()))
    if (report !== undefined) {
      const leaf = await fetchLeaf(kds, report, wanted, entry, { clock, signal, to })
      if (leaf !== undefined) places.push(leaf)
    }
    for (const place of places) files.push(await write(place, to))
  }
  if (report !== undefined && !files.some(({ file }) => file.includes('/vcek/')))
    throw new CodedError('kds.unknown', `${options.kds} has no certificate for the key of this report`)
  progress(total, total)
  return { to, kds: options.kds, files, lists }
}

function openKds(url: string, around: Omit<Parameters<typeof createKds>[0], 'url'>): Kds {
  const parsed = KdsUrl.safeParse(url)
  if (!parsed.success) throw new CodedError('usage.invalid', '--kds is not an https origin without path')
  return under('usage.invalid', () => createKds({ url, ...around }))
}

/** A VLEK is given to nobody but its provider; a masked chip cannot be asked about. */
function wantedIn(report: Report): readonly WantedLeaf[] {
  const wanted = wantedLeavesOf(report).filter(({ hardwareId }) => hardwareId !== undefined)
  if (report.signingKey === 'vlek')
    throw new CodedError(
      'kds.unknown',
      'the report is signed with a VLEK, which AMD gives to the cloud provider alone',
    )
  if (wanted.length === 0)
    throw new CodedError(
      'kds.unknown',
      'the report names no chip of a known product that AMD could be asked about',
    )
  return wanted
}

function productsOf(named: readonly string[], wanted: readonly WantedLeaf[]): readonly Product[] {
  const unknown = named.find((name) => !PRODUCTS.some((product) => product === name))
  if (unknown !== undefined)
    throw new CodedError('usage.invalid', `--product is ${unknown}, not ${PRODUCTS.join(', ')}`)
  if (named.length > 0) return PRODUCTS.filter((product) => named.includes(product))
  if (wanted.length > 0) return wanted.map(({ product }) => product)
  return PRODUCTS
}

/** Both chains end at the trusted ARK, byte for byte, and its ASK and ASVK are signed by it. */
async function fetchChains(
  kds: Kds,
  root: RootEntry,
  to: string,
  step: <T>(answer: Promise<T>) => Promise<T>,
  signal: AbortSignal,
): Promise<{ readonly entry: RootEntry; readonly places: Place[] }> {
  const { product, ark, simulated } = root
  const [vcek, vlek] = [
    await step(kds.chain('vcek', product, signal)),
    await step(kds.chain('vlek', product, signal)),
  ]
  for (const chain of [vcek, vlek])
    if (!sameBytes(chain.ark, ark))
      throw new CodedError(
        'chain.untrusted',
        `the ARK of ${product} that came has SHA-256 ${toHex(sha256(chain.ark))}, and is not the trusted one`,
      )
  const entry = { product, ark, ask: vcek.intermediate, asvk: vlek.intermediate, simulated }
  openRoot(entry)
  const place = (file: EndorsementFile, der: Uint8Array) => ({
    path: endorsementPath(to, product, file),
    der: Buffer.from(der),
  })
  return { entry, places: [place('ark', ark), place('ask', entry.ask), place('asvk', entry.asvk)] }
}

/** Signed by the ARK, no older than the one that is there, and without the intermediates that came with it. */
async function checkCrl(der: Buffer, entry: RootEntry, to: string): Promise<Crl> {
  const root = openRoot(entry)
  const crl = openCrl(der, [root])
  const revoked = root.authorities.find(({ serial }) => crl.revoked.has(serial))
  if (revoked !== undefined)
    throw new CodedError(
      'chain.revoked',
      `${revoked.subject} with serial number ${revoked.serial} is revoked`,
    )
  const held = await readEndorsement(to, entry.product, 'crl', 'input.unreadable')
  const before = held === undefined ? undefined : openIfGood(held, root)
  if (before !== undefined && isOlder(crl, before))
    throw new CodedError(
      'crl.superseded',
      `the list of ${crl.product} is number ${crl.number}; number ${before.number} is in ${to}`,
    )
  return crl
}

/** What is there and is no list of this root is replaced. */
function openIfGood(der: Buffer, root: ReturnType<typeof openRoot>): Crl | undefined {
  try {
    return openCrl(der, [root])
  } catch (error) {
    if (error instanceof CodedError) return undefined
    throw error
  }
}

/** Undefined where a report of version 2 is of another product. */
async function fetchLeaf(
  kds: Kds,
  report: Report,
  wanted: readonly WantedLeaf[],
  entry: RootEntry,
  { clock, signal, to }: { readonly clock: Clock; readonly signal: AbortSignal; readonly to: string },
): Promise<Place | undefined> {
  const one = wanted.find(({ product }) => product === entry.product)
  if (one?.hardwareId === undefined) return undefined
  const { product, hardwareId, tcb } = one
  try {
    const der = await kds.vcek(product, hardwareId, tcb, signal)
    if (!isLeafOf(der, one, report))
      throw new CodedError(
        'chain.untrusted',
        'the certificate that came is not of the key that signed the report',
      )
    new TrustStore([entry]).endorse([der], 'vcek', clock.now())
    return { path: leafPath(to, product, hardwareId, tcb), der }
  } catch (error) {
    if (codeOf(error) === 'kds.unknown' && wanted.length > 1) return undefined
    throw error
  }
}

async function write({ path, der }: Place, to: string): Promise<FetchedFile> {
  const before = await readIfPresent(
    path,
    Math.max(der.byteLength, MAX_CERTIFICATE_BYTES),
    'input.unreadable',
  ).catch(() => undefined)
  const unchanged = before !== undefined && sameBytes(before, der)
  if (!unchanged) await replaceFile(path, der)
  return {
    file: relative(to, path),
    sha256: toHex(sha256(der)),
    status: unchanged ? 'unchanged' : 'written',
  }
}

function described(crl: Crl, now: number): FetchResult['lists'][number] {
  const { product, number, thisUpdate, nextUpdate, revoked } = crl
  return {
    product,
    number,
    thisUpdate: toRfc3339(thisUpdate),
    nextUpdate: toRfc3339(nextUpdate),
    ended: nextUpdate < now,
    revoked: [...revoked],
  }
}
