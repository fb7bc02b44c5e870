/** What `report` commands read: a report, certificates and revocation lists in DER or PEM, a folder of roots, a policy. */
import { X509Certificate } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readRoots } from '#adapters/sev/endorsementFolder.ts'
import { readFileUpTo } from '#adapters/system/files.ts'
import { type PemLabel, parsePem } from '#adapters/system/pem.ts'
import { fromBase64url } from '#core/bytes.ts'
import { canonicalBytes, parseJson } from '#core/canonical.ts'
import { CodedError, under } from '#core/errors.ts'
import { parseGeneral } from '#core/jws.ts'
import { type Policy, PolicyFormat } from '#core/policy/policy.ts'
import { PRODUCTS } from '#core/snp/product.ts'
import type { RootEntry } from '#core/snp/roots.ts'

/** Above every file that is read here. */
const MAX_FILE_BYTES = 4 * 1024 * 1024
const CERTIFICATE_FILE = /\.(der|pem|crt|cer)$/

export async function readInput(path: string): Promise<Buffer> {
  return await readFileUpTo(path, MAX_FILE_BYTES, 'input.unreadable')
}

/**
 * A chain for each leaf, in the order of the files' names, with the ASK and ASVK that lie beside it. An ARK is left out: trust in
 * it cannot come this way. What is no certificate stays in as a leaf: the verifier says what is wrong with it.
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

/** `<Product>/ark.der` with `ask.der` and `asvk.der` beside it, as far as they are there. */
export async function readRootFolder(folder: string): Promise<readonly RootEntry[]> {
  const entries = await readRoots(folder, 'input.unreadable')
  if (entries.length === 0)
    throw new CodedError(
      'input.unreadable',
      `${folder} has none of ${PRODUCTS.join(', ')}, with ark.der inside`,
    )
  return entries
}

/**
 * A policy as written, or as signed; signatures are not checked here, since who may sign is not known. Throws
 * `policy.invalid`.
 */
export async function readPolicy(path: string): Promise<Policy> {
  const bytes = await readInput(path)
  const value = under('policy.invalid', () => parseJson(bytes, path))
  const isSigned = typeof value === 'object' && value !== null && 'signatures' in value
  if (!isSigned) return PolicyFormat.decode(under('policy.invalid', () => canonicalBytes(value)))
  const { payload } = parseGeneral(bytes, 'policy.invalid')
  return PolicyFormat.decode(under('policy.invalid', () => fromBase64url(payload, 'payload')))
}

async function listFolder(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch (cause) {
    throw new CodedError('input.unreadable', `${folder} is not a folder that can be read`, { cause })
  }
}

function toDer(file: Buffer, label: PemLabel): readonly Buffer[] {
  const blocks = parsePem(file, label)
  return blocks.length === 0 ? [file] : blocks
}

/** By name alone, to know where to put each; the verifier believes none of it. */
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
