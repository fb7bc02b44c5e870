/**
 * The folder of endorsements, the same for worker, Verifier and command line:
 * `<Product>/{ark,ask,asvk,crl}.der`, and leaves as `<Product>/vcek/<hardware id>-<TCB>.der`, both in
 * lower-case hex as in the report. The folder gives no trust: roots are pinned, and everything else is
 * verified under them.
 */
import { join } from 'node:path'
import { readIfPresent } from '#adapters/system/files.ts'
import { toHex } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { MAX_CERTIFICATE_BYTES, MAX_CRL_BYTES } from '#core/snp/layout.ts'
import { PRODUCTS, type Product } from '#core/snp/product.ts'
import { arkFingerprint, PINNED_ARKS, type RootEntry } from '#core/snp/roots.ts'
import { encodeTcb, type Tcb } from '#core/snp/tcb.ts'

/** The limits of the files' sizes, in bytes. */
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

/** Undefined if the file is absent. Throws `code` if it cannot be read or exceeds its limit. */
export async function readEndorsement(
  folder: string,
  product: Product,
  file: EndorsementFile,
  code: ErrorCode,
): Promise<Buffer | undefined> {
  return await readIfPresent(endorsementPath(folder, product, file), FILES[file], code)
}

/**
 * Reads the root of each product that has an `ark.der`, with its `ask.der` and `asvk.der` if present. An ARK
 * whose fingerprint is not AMD's is a simulated root. Throws `code` if a file cannot be read.
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
