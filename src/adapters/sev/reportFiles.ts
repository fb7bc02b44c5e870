/** Evidence in files: reports, certificates and revocation lists in DER or PEM, folders of roots. */
import { X509Certificate } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readFileUpTo } from '#adapters/system/files.ts'
import { type PemLabel, parsePem } from '#adapters/system/pem.ts'
import { CodedError } from '#core/errors.ts'
import { PRODUCTS } from '#core/snp/product.ts'
import type { RootEntry } from '#core/snp/roots.ts'
import { readRoots } from './endorsementFolder.ts'

/** More than any of these files has. */
const MAX_FILE_BYTES = 4 * 1024 * 1024
const CERTIFICATE_FILE = /\.(der|pem|crt|cer)$/

export async function readInput(path: string): Promise<Buffer> {
  return await readFileUpTo(path, MAX_FILE_BYTES, 'input.unreadable')
}

/**
 * One chain per leaf, in the order of the files' names, with the ASK and ASVK beside it. An ARK is left out:
 * trust in it cannot come this way. A file that is not a certificate stays in as a leaf, so that the verifier
 * reports it.
 */
export async function readCertificates(options: {
  readonly cert?: string | undefined
  readonly certs?: string | undefined
}): Promise<readonly (readonly Buffer[])[]> {
  const { cert, certs } = options
  const paths = cert === undefined ? [] : [cert]
  if (certs !== undefined)
    paths.push(
      ...(await listFolder(certs))
        .filter((name) => CERTIFICATE_FILE.test(name))
        .map((name) => join(certs, name)),
    )
  const files = await Promise.all(paths.map(readInput))
  return chainsOf(files.flatMap((file) => toDer(file, 'CERTIFICATE')))
}

export async function readCrls(paths: readonly string[]): Promise<readonly Buffer[]> {
  const files = await Promise.all(paths.map(readInput))
  return files.flatMap((file) => toDer(file, 'X509 CRL'))
}

/** `<Product>/ark.der`, each with `ask.der` and `asvk.der` if they are there. */
export async function readRootFolder(folder: string): Promise<readonly RootEntry[]> {
  const entries = await readRoots(folder, 'input.unreadable')
  if (entries.length === 0)
    throw new CodedError('input.unreadable', `${folder} has no ark.der below ${PRODUCTS.join(', ')}`)
  return entries
}

async function listFolder(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (cause) {
    throw new CodedError('input.unreadable', `${folder} is not a readable folder`, { cause })
  }
}

function toDer(file: Buffer, label: PemLabel): readonly Buffer[] {
  const blocks = parsePem(file, label)
  return blocks.length === 0 ? [file] : blocks
}

/** Sorts by name only. The verifier trusts no name. */
function chainsOf(ders: readonly Buffer[]): readonly (readonly Buffer[])[] {
  const named = ders.map((der) => ({ der, name: commonNameOf(der) }))
  const isAuthority = ({ name }: { readonly name: string }) =>
    PRODUCTS.some((product) => name === `SEV-${product}` || name === `SEV-VLEK-${product}`)
  const authorities = named.filter(isAuthority)
  return named
    .filter((it) => !it.name.startsWith('ARK-') && !isAuthority(it))
    .map(({ der }) => [der, ...authorities.slice(0, 2).map(({ der }) => der)])
}

function commonNameOf(der: Buffer): string {
  try {
    return /(?:^|\n)CN=(.*)$/.exec(new X509Certificate(der).subject)?.[1] ?? ''
  } catch {
    return ''
  }
}
