/**
 * Inspects a folder of endorsements: every certificate and revocation list in it, verified up to a pinned
 * root.
 */
import { readdir, stat } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { readIfPresent } from '#adapters/system/files.ts'
import { CodedError } from '#core/errors.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import type { Certificate } from '#core/snp/certificate.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { type Crl, openCrl } from '#core/snp/crl.ts'
import { MAX_CERTIFICATE_BYTES, SIGNING_KEYS, type SigningKey } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import { arkFingerprint, openRoot, PINNED_ARKS, type RootEntry } from '#core/snp/roots.ts'
import { toRfc3339, type UnixSeconds } from '#core/time.ts'
import {
  type EndorsementFile,
  endorsementPath,
  leafPath,
  readEndorsement,
  readRoots,
} from './endorsementFolder.ts'
import { type InspectedFile, inspectCertificate, inspectCrl, judge } from './inspectedFile.ts'

export type Inspection = {
  readonly folder: string
  readonly at: string
  readonly files: readonly InspectedFile[]
}

/** There is at least one file, and every file is good. */
export function isSound({ files }: Inspection): boolean {
  return files.length > 0 && files.every(({ state }) => state === 'good')
}

/**
 * A root in the folder replaces AMD's of the same product. Throws `input.unreadable` if the folder, or a file
 * in it, cannot be read.
 */
export async function inspectEndorsements(folder: string, at: UnixSeconds): Promise<Inspection> {
  const found = await stat(folder).catch(() => undefined)
  if (found?.isDirectory() !== true)
    throw new CodedError('input.unreadable', `${folder} is not a readable folder`)
  const placed = await readRoots(folder, 'input.unreadable')
  const trusted = AMD_ROOTS.map((own) => placed.find(({ product }) => product === own.product) ?? own)
  const files: InspectedFile[] = []
  for (const entry of trusted) files.push(...(await inspectProduct(folder, entry, at)))
  for (const kind of SIGNING_KEYS) {
    const path = join(folder, `${kind}.der`)
    const der = await readIfPresent(path, MAX_CERTIFICATE_BYTES, 'input.unreadable')
    if (der !== undefined) files.push(inspectLeaf(folder, path, der, kind, trusted, at))
  }
  return { folder, at: toRfc3339(at), files }
}

async function inspectProduct(
  folder: string,
  trusted: RootEntry,
  at: UnixSeconds,
): Promise<readonly InspectedFile[]> {
  const { product, ark, simulated } = trusted
  const root: RootEntry = { product, ark, simulated }
  const read = (file: EndorsementFile) => readEndorsement(folder, product, file, 'input.unreadable')
  const nameOf = (file: EndorsementFile) => relative(folder, endorsementPath(folder, product, file))
  const files: InspectedFile[] = []

  const placedArk = await read('ark')
  if (placedArk !== undefined)
    files.push({
      ...inspectCertificate(nameOf('ark'), placedArk, at, () => openRoot(root)),
      pinned: arkFingerprint(placedArk) === PINNED_ARKS[product],
    })
  const list = await read('crl')
  const crl = list === undefined ? undefined : judge(() => openCrl(list, [openRoot(root)])).value
  for (const file of ['ask', 'asvk'] as const) {
    const der = await read(file)
    if (der !== undefined)
      files.push(
        inspectCertificate(nameOf(file), der, at, (it) => openAuthority({ ...root, [file]: der }, it, crl)),
      )
  }
  if (list !== undefined) files.push(inspectCrl(nameOf('crl'), list, root, at))
  for (const path of await leavesIn(folder, product)) {
    const der = await readIfPresent(path, MAX_CERTIFICATE_BYTES, 'input.unreadable')
    if (der !== undefined) files.push(inspectLeaf(folder, path, der, 'vcek', [trusted], at))
  }
  return files
}

function openAuthority(entry: RootEntry, { serial }: Certificate, crl: Crl | undefined): RootEntry {
  openRoot(entry)
  if (crl?.revoked.has(serial) === true)
    throw new CodedError('chain.revoked', `serial number ${serial} is on the revocation list`)
  return entry
}

/** A leaf below `vcek/` must have the name of its chip and TCB. */
function inspectLeaf(
  folder: string,
  path: string,
  der: Buffer,
  kind: SigningKey,
  trusted: readonly RootEntry[],
  at: UnixSeconds,
): InspectedFile {
  return inspectCertificate(relative(folder, path), der, at, () => {
    const endorsement = new TrustStore(trusted).endorse([der], kind, at)
    const { hardwareId, tcb, product } = endorsement
    if (dirname(path) !== folder && hardwareId !== undefined) {
      const name = leafPath(folder, product, hardwareId, tcb)
      if (path !== name)
        throw new CodedError(
          'chain.chip-mismatch',
          `its chip and TCB belong to the name ${relative(folder, name)}`,
        )
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
