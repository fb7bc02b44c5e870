/** `endorsements show`: what lies in a folder of endorsements, and what each of it is worth today. */
import { readdir, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import {
  type EndorsementFile,
  endorsementPath,
  leafPath,
  readEndorsement,
  readRoots,
} from '#adapters/sev/endorsementFolder.ts'
import { readIfPresent } from '#adapters/system/files.ts'
import { sha256, toHex } from '#core/bytes.ts'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { type Certificate, parseCertificate } from '#core/snp/certificate.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { type Crl, openCrl } from '#core/snp/crl.ts'
import { reading } from '#core/snp/der.ts'
import { MAX_CERTIFICATE_BYTES, SIGNING_KEYS, type SigningKey } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import { arkFingerprint, openRoot, PINNED_ARKS, type RootEntry } from '#core/snp/roots.ts'
import { toRfc3339, type UnixSeconds } from '#core/time.ts'

/** `simulated`: in order, but under a root that is not AMD's. */
export type FileState = 'good' | 'simulated' | 'expired' | 'revoked' | 'untrusted' | 'malformed'

export type ShownFile = {
  /** Below the folder. */
  readonly file: string
  readonly state: FileState
  /** What is wrong; null where nothing is. */
  readonly problem: { readonly code: ErrorCode; readonly message: string } | null
  readonly subject: string | null
  readonly serial: string | null
  /** SHA-256 of the DER. */
  readonly sha256: string
  /** Whether an ARK is AMD's own by its fingerprint; null for what is no ARK. */
  readonly pinned: boolean | null
  readonly validFrom: string | null
  readonly validTo: string | null
  readonly daysLeft: number | null
  readonly crl: { readonly number: string; readonly revoked: readonly string[] } | null
}

export type Shown = { readonly folder: string; readonly at: string; readonly files: readonly ShownFile[] }

/** Something is there, and all of it is good. */
export function isSound({ files }: Shown): boolean {
  return files.length > 0 && files.every(({ state }) => state === 'good')
}

const STATES: Partial<Record<ErrorCode, FileState>> = {
  'chain.expired': 'expired',
  'crl.stale': 'expired',
  'chain.revoked': 'revoked',
  'chain.untrusted': 'untrusted',
  'crl.untrusted': 'untrusted',
  'chain.kind-mismatch': 'untrusted',
  'chain.product-mismatch': 'untrusted',
  'chain.chip-mismatch': 'untrusted',
}

/** Throws `input.unreadable` where the folder, or a file of it, cannot be read. */
export async function showEndorsements(folder: string, at: UnixSeconds): Promise<Shown> {
  const found = await stat(folder).catch(() => undefined)
  if (found?.isDirectory() !== true)
    throw new CodedError('input.unreadable', `${folder} is not a folder that can be read`)
  const placed = await readRoots(folder, 'input.unreadable')
  const trusted = AMD_ROOTS.map((own) => placed.find(({ product }) => product === own.product) ?? own)
  const files: ShownFile[] = []
  for (const entry of trusted) files.push(...(await showProduct(folder, entry, at)))
  for (const kind of SIGNING_KEYS) {
    const path = join(folder, `${kind}.der`)
    const der = await readIfPresent(path, MAX_CERTIFICATE_BYTES, 'input.unreadable')
    if (der !== undefined) files.push(showLeaf(folder, path, der, kind, trusted, at))
  }
  return { folder, at: toRfc3339(at), files }
}

async function showProduct(
  folder: string,
  trusted: RootEntry,
  at: UnixSeconds,
): Promise<readonly ShownFile[]> {
  const { product, ark, simulated } = trusted
  const root: RootEntry = { product, ark, simulated }
  const read = (file: EndorsementFile) => readEndorsement(folder, product, file, 'input.unreadable')
  const nameOf = (file: EndorsementFile) => relative(folder, endorsementPath(folder, product, file))
  const files: ShownFile[] = []

  const placedArk = await read('ark')
  if (placedArk !== undefined)
    files.push({
      ...showCertificate(nameOf('ark'), placedArk, at, () => openRoot(root)),
      pinned: arkFingerprint(placedArk) === PINNED_ARKS[product],
    })
  const list = await read('crl')
  const crl = list === undefined ? undefined : judge(() => openCrl(list, [openRoot(root)])).value
  for (const file of ['ask', 'asvk'] as const) {
    const der = await read(file)
    if (der !== undefined)
      files.push(
        showCertificate(nameOf(file), der, at, (it) => openAuthority({ ...root, [file]: der }, it, crl)),
      )
  }
  if (list !== undefined) files.push(showCrl(nameOf('crl'), list, root, at))
  for (const path of await leavesIn(folder, product)) {
    const der = await readIfPresent(path, MAX_CERTIFICATE_BYTES, 'input.unreadable')
    if (der !== undefined) files.push(showLeaf(folder, path, der, 'vcek', [trusted], at))
  }
  return files
}

function openAuthority(entry: RootEntry, { serial }: Certificate, crl: Crl | undefined): RootEntry {
  openRoot(entry)
  if (crl?.revoked.has(serial) === true)
    throw new CodedError('chain.revoked', `serial number ${serial} is on the revocation list`)
  return entry
}

/** In a folder of leaves the name must be that of its chip and TCB. */
function showLeaf(
  folder: string,
  path: string,
  der: Buffer,
  kind: SigningKey,
  trusted: readonly RootEntry[],
  at: UnixSeconds,
): ShownFile {
  return showCertificate(relative(folder, path), der, at, () => {
    const endorsement = new TrustStore(trusted).endorse([der], kind, at)
    const { hardwareId, tcb, product } = endorsement
    if (dirname(path) !== folder && hardwareId !== undefined) {
      const name = leafPath(folder, product, hardwareId, tcb)
      if (path !== name)
        throw new CodedError('chain.chip-mismatch', `it is of the chip and TCB of ${relative(folder, name)}`)
    }
    return endorsement
  })
}

async function leavesIn(folder: string, product: Product): Promise<readonly string[]> {
  const leaves = join(folder, product, 'vcek')
  const names = await readdir(leaves).catch(() => [])
  return names
    .filter((name) => name.endsWith('.der'))
    .sort()
    .map((name) => join(leaves, name))
}

type Problem = { readonly code: ErrorCode; readonly message: string }
type Judged<Value> =
  | { readonly value: Value; readonly problem: null }
  | { readonly value: undefined; readonly problem: Problem }

/** Faults that are none of ours go on. */
function judge<Value>(check: () => Value): Judged<Value> {
  try {
    return { value: check(), problem: null }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return { value: undefined, problem: { code: error.code, message: error.message } }
  }
}

function stateOf({ value, problem }: Judged<{ readonly simulated: boolean }>): FileState {
  if (problem !== null) return STATES[problem.code] ?? 'malformed'
  return value.simulated ? 'simulated' : 'good'
}

/** `verify` says under which root, or throws. */
function showCertificate(
  file: string,
  der: Buffer,
  at: UnixSeconds,
  verify: (certificate: Certificate) => { readonly simulated: boolean },
): ShownFile {
  const parsed = judge(() => reading('a certificate', 'chain.malformed', () => parseCertificate(der)))
  const certificate = parsed.value
  const judged =
    certificate === undefined
      ? parsed
      : judge(() => {
          const root = verify(certificate)
          assertWithin('chain.expired', certificate.notBefore, certificate.notAfter, at)
          return root
        })
  return {
    file,
    state: stateOf(judged),
    problem: judged.problem,
    subject: certificate?.subject ?? null,
    serial: certificate?.serial ?? null,
    sha256: toHex(sha256(der)),
    pinned: null,
    ...windowOf(certificate?.notBefore, certificate?.notAfter, at),
    crl: null,
  }
}

function showCrl(file: string, der: Buffer, root: RootEntry, at: UnixSeconds): ShownFile {
  const opened = judge(() => openCrl(der, [openRoot(root)]))
  const crl = opened.value
  const judged =
    crl === undefined
      ? opened
      : judge(() => {
          assertWithin('crl.stale', crl.thisUpdate, crl.nextUpdate, at)
          return root
        })
  return {
    file,
    state: stateOf(judged),
    problem: judged.problem,
    subject: crl === undefined ? null : `ARK-${crl.product}`,
    serial: null,
    sha256: toHex(sha256(der)),
    pinned: null,
    ...windowOf(crl?.thisUpdate, crl?.nextUpdate, at),
    crl: crl === undefined ? null : { number: crl.number, revoked: [...crl.revoked] },
  }
}

function assertWithin(code: ErrorCode, from: UnixSeconds, to: UnixSeconds, at: UnixSeconds): void {
  if (at < from || at > to)
    throw new CodedError(code, `it is for ${toRfc3339(from)} to ${toRfc3339(to)}, not for ${toRfc3339(at)}`)
}

function windowOf(
  from: UnixSeconds | undefined,
  to: UnixSeconds | undefined,
  at: UnixSeconds,
): Pick<ShownFile, 'validFrom' | 'validTo' | 'daysLeft'> {
  return {
    validFrom: from === undefined ? null : toRfc3339(from),
    validTo: to === undefined ? null : toRfc3339(to),
    daysLeft: to === undefined ? null : Math.floor((to - at) / 86_400),
  }
}
