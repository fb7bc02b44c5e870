/**
 * Endorsements on disk, the same for worker, Verifier and command line: `<Product>/{ark,ask,asvk,crl}.der`, and leaves as
 * `<Product>/vcek/<hardware id>-<TCB>.der`, both in lower-case hex as the report has them. Nothing here is believed
 * because it lies here: roots are pinned, and all else is verified under them.
 */
import { join } from 'node:path'
import { readIfPresent } from '#adapters/system/files.ts'
import { toHex } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { MAX_CERTIFICATE_BYTES, MAX_CRL_BYTES } from '#core/snp/layout.ts'
import { PRODUCTS, type Product } from '#core/snp/product.ts'
import { arkFingerprint, PINNED_ARKS, type RootEntry } from '#core/snp/roots.ts'
import { encodeTcb, type Tcb } from '#core/snp/tcb.ts'

/** Largest sizes, in bytes. */
const FILES = {
  ark: MAX_CERTIFICATE_BYTES,
  ask: MAX_CERTIFICATE_BYTES,
  asvk: MAX_CERTIFICATE_BYTES,
  crl: MAX_CRL_BYTES,
} as const
export type EndorsementFile = keyof typeof FILES

export function endorsementPath(folder: string, product: Product, file: EndorsementFile): string {
  return join(folder, product, `${file}.der`)
}

export function leafPath(folder: string, product: Product, hardwareId: Uint8Array, tcb: Tcb): string {
  return join(folder, product, 'vcek', `${toHex(hardwareId)}-${toHex(encodeTcb(tcb, product))}.der`)
}

/** Undefined where it is not there. Throws `code` where it cannot be read or is larger than such a file can be. */
export async function readEndorsement(
  folder: string,
  product: Product,
  file: EndorsementFile,
  code: ErrorCode,
): Promise<Buffer | undefined> {
  return await readIfPresent(endorsementPath(folder, product, file), FILES[file], code)
}

/**
 * The roots of all products that have an `ark.der`, each with its `ask.der` and `asvk.der` where they are there. What is not
 * AMD's own by its fingerprint is a simulated root. Throws `code` for what cannot be read.
 */
export async function readRoots(folder: string, code: ErrorCode): Promise<readonly RootEntry[]> {
  const entries = await Promise.all(
    PRODUCTS.map(async (product): Promise<RootEntry | undefined> => {
      const [ark, ask, asvk] = await Promise.all(
        (['ark', 'ask', 'asvk'] as const).map((file) => readEndorsement(folder, product, file, code)),
      )
      if (ark === undefined) return undefined
      return { product, ark, ask, asvk, simulated: arkFingerprint(ark) !== PINNED_ARKS[product] }
    }),
  )
  return entries.filter((entry) => entry !== undefined)
}
