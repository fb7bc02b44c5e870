/** What the Verifier knows of AMD before the first request: roots, and the revocation lists that lie on its disk. */
import { stat } from 'node:fs/promises'
import { readEndorsement, readRoots } from '#adapters/sev/endorsementFolder.ts'
import { CodedError } from '#core/errors.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { type Crl, openCrl } from '#core/snp/crl.ts'
import type { Product } from '#core/snp/product.ts'

/**
 * AMD's own roots, with newer intermediates from the folder where it has them; a folder with simulated roots has the only ones.
 * Throws `config.invalid` where there is no such folder, and where a root is not AMD's own outside simulation; as `openRoot`
 * where a certificate is not what its name says.
 */
export async function readTrustStore(folder: string, simulation: boolean): Promise<TrustStore> {
  const found = await stat(folder).catch(() => undefined)
  if (found?.isDirectory() !== true)
    throw new CodedError('config.invalid', `endorsements: ${folder} is not a folder that can be read`)
  const placed = await readRoots(folder, 'config.invalid')
  for (const { product, simulated } of placed)
    if (simulated && !simulation)
      throw new CodedError(
        'config.invalid',
        `endorsements: the ARK of ${product} is not AMD's, which only a simulation allows`,
      )
  if (placed.some(({ simulated }) => simulated)) return new TrustStore(placed)
  return new TrustStore(
    AMD_ROOTS.map((own) => {
      const newer = placed.find(({ product }) => product === own.product)
      return { ...own, ask: newer?.ask ?? own.ask, asvk: newer?.asvk ?? own.asvk }
    }),
  )
}

/**
 * The list of a product as it lies in the folder; undefined where there is none. Throws `config.invalid` for a file that cannot
 * be read, and as `openCrl`.
 */
export async function readCrl(
  folder: string,
  product: Product,
  { roots }: Pick<TrustStore, 'roots'>,
): Promise<Crl | undefined> {
  const der = await readEndorsement(folder, product, 'crl', 'config.invalid')
  return der === undefined ? undefined : openCrlOf(der, product, roots)
}

/** Throws as `openCrl`, also for the list of another product. */
export function openCrlOf(der: Buffer, product: Product, roots: TrustStore['roots']): Crl {
  return openCrl(
    der,
    roots.filter((root) => root.product === product),
  )
}
