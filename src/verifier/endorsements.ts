/** AMD's certificates as they lie on the Verifier's disk: nothing of them is fetched while a request waits. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CodedError } from '#core/errors.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { PRODUCTS, type Product } from '#core/snp/product.ts'
import { arkFingerprint, PINNED_ARKS, type RootEntry } from '#core/snp/roots.ts'

const MAX_CERTIFICATE_BYTES = 4096

/**
 * Throws `config.invalid` where the folder has no root, and where a root is not AMD's own outside simulation; as
 * `openRoot` where a certificate is not what its name says.
 */
export async function readEndorsements(folder: string, simulation: boolean): Promise<TrustStore> {
  const entries = (await Promise.all(PRODUCTS.map((product) => readRoot(folder, product)))).filter(
    (entry) => entry !== undefined,
  )
  if (entries.length === 0)
    throw new CodedError('config.invalid', `endorsements: ${folder} has none of ${PRODUCTS.join(', ')}`)
  for (const { product, simulated } of entries)
    if (simulated && !simulation)
      throw new CodedError(
        'config.invalid',
        `endorsements: the ARK of ${product} is not AMD's, which only a simulation allows`,
      )
  return new TrustStore(entries)
}

async function readRoot(folder: string, product: Product): Promise<RootEntry | undefined> {
  const read = (name: string) => readCertificate(join(folder, product, name))
  const ark = await read('ark.der')
  if (ark === undefined) return undefined
  const simulated = arkFingerprint(ark) !== PINNED_ARKS[product]
  return { product, ark, ask: await read('ask.der'), asvk: await read('asvk.der'), simulated }
}

async function readCertificate(path: string): Promise<Buffer | undefined> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw new CodedError('config.invalid', `endorsements: ${path} cannot be read`, { cause })
  })
  if (bytes !== undefined && bytes.byteLength > MAX_CERTIFICATE_BYTES)
    throw new CodedError('config.invalid', `endorsements: ${path} is larger than a certificate`)
  return bytes
}
