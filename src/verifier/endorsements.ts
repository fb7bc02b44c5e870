/** AMD's roots and revocation lists from the Verifier's disk. */
import { stat } from 'node:fs/promises'
import { readEndorsement, readRoots } from '#adapters/sev/endorsementFolder.ts'
import { CodedError } from '#core/errors.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { type Crl, openCrl } from '#core/snp/crl.ts'
import type { Product } from '#core/snp/product.ts'

/**
 * AMD's own roots, with the newer intermediates of the folder. If the folder has simulated roots, only its
 * roots are used. Throws `config.invalid` if there is no such folder, or if a root is not AMD's outside
 * simulation. Throws as `openRoot` if a certificate does not fit its name.
 */
export async function readTrustStore(folder: string, simulation: boolean): Promise<TrustStore> {
  const found = await stat(folder).catch(() => undefined)
  if (found?.isDirectory() !== true)
    throw new CodedError('config.invalid', `endorsements.folder: ${folder} is not a readable folder`)
  const placed = await readRoots(folder, 'config.invalid')
  for (const { product, simulated } of placed)
    if (simulated && !simulation)
      throw new CodedError(
        'config.invalid',
        `endorsements.folder: the ARK of ${product} is not AMD's, which only simulation allows`,
      )
  if (placed.some(({ simulated }) => simulated)) return new TrustStore(placed)
  return new TrustStore(
    AMD_ROOTS.map((own) => {
      const newer = placed.find(({ product }) => product === own.product)
      return { ...own, ask: newer?.ask ?? own.ask, asvk: newer?.asvk ?? own.asvk }
    }),
  )
}

/** A list as it was read: the evidence keeps its bytes. */
export type HeldCrl = Crl & { readonly der: Buffer }

/**
 * A product's list in the folder; undefined if there is none. Throws `config.invalid` if it cannot be read,
 * and as `openCrl`.
 */
export async function readCrl(
  folder: string,
  product: Product,
  { roots }: Pick<TrustStore, 'roots'>,
): Promise<HeldCrl | undefined> {
  const der = await readEndorsement(folder, product, 'crl', 'config.invalid')
  return der === undefined ? undefined : openCrlOf(der, product, roots)
}

/** Throws as `openCrl`, also for a list of another product. */
export function openCrlOf(der: Buffer, product: Product, roots: TrustStore['roots']): HeldCrl {
  const ofProduct = roots.filter((root) => root.product === product)
  return { ...openCrl(der, ofProduct), der }
}
