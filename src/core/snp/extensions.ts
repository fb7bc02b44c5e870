/** AMD's certificate extensions, 1.3.6.1.4.1.3704.1 (KDS specification, AMD publication 57230). */
import { CodedError } from '../errors/report.ts'
import { ia5Of, integerOf, Malformed, octetsOf, parseDer } from './der.ts'
import type { EndorsedKey } from './endorsedKey.ts'
import type { SigningKey } from './layout.ts'
import { PRODUCTS, type Product } from './product.ts'
import { TCB_LAYOUTS, type Tcb, tcbWith } from './tcb.ts'
import type { Extensions } from './x509.ts'

const AMD = '1.3.6.1.4.1.3704.1'

/** OBJECT IDENTIFIERs of the extensions that describe the key and its owner. */
export const AMD_OID = {
  structVersion: `${AMD}.1`,
  productName: `${AMD}.2`,
  hardwareId: `${AMD}.4`,
  cspId: `${AMD}.5`,
} as const

/** OBJECT IDENTIFIERs of the security patch levels. `spl4` to `spl7` are reserved and zero. */
export const SPL_OID = {
  bootloader: `${AMD}.3.1`,
  tee: `${AMD}.3.2`,
  snp: `${AMD}.3.3`,
  spl4: `${AMD}.3.4`,
  spl5: `${AMD}.3.5`,
  spl6: `${AMD}.3.6`,
  spl7: `${AMD}.3.7`,
  microcode: `${AMD}.3.8`,
  fmc: `${AMD}.3.9`,
} as const

/** The security patch levels in a certificate of each product, in no order. */
export const SPL_ROWS: Readonly<Record<Product, readonly (keyof typeof SPL_OID)[]>> = {
  Milan: ['bootloader', 'tee', 'spl4', 'spl5', 'spl6', 'spl7', 'snp', 'microcode'],
  Genoa: ['bootloader', 'tee', 'spl4', 'spl5', 'spl6', 'spl7', 'snp', 'microcode'],
  Turin: ['fmc', 'bootloader', 'tee', 'snp', 'spl5', 'spl6', 'spl7', 'microcode'],
}

/** Length of a hardware id in bytes. The report's CHIP_ID holds the hardware id, then zeros. */
export const HARDWARE_ID_BYTES: Readonly<Record<Product, number>> = { Milan: 64, Genoa: 64, Turin: 8 }

/**
 * Reads AMD's extensions of a VCEK or VLEK certificate. The caller has verified the certificate up to an ARK
 * of `product`.
 *
 * Throws `Malformed`, or `chain.product-mismatch` if the certificate names another product or has the
 * structure version of another product.
 */
export function readEndorsedKey(extensions: Extensions, product: Product, kind: SigningKey): EndorsedKey {
  const { structVersion } = TCB_LAYOUTS[product]
  const productName = ia5Of(parseDer(extensionOf(extensions, AMD_OID.productName)))
  const layout = integerOf(parseDer(extensionOf(extensions, AMD_OID.structVersion)), 255)
  // "Milan-B0", "Genoa-B2": the stepping is ignored. It is not the report's, and AMD's certificates differ in
  // it.
  if (PRODUCTS.find((name) => productName === name || productName.startsWith(`${name}-`)) !== product)
    throw new CodedError(
      'chain.product-mismatch',
      `the endorsement certificate names the product ${productName}, its chain is of ${product}`,
    )
  if (layout !== structVersion)
    throw new CodedError(
      'chain.product-mismatch',
      `the endorsement certificate has structure version ${layout}, expected ${structVersion} for ${product}`,
    )
  return { tcb: tcbOf(extensions, product), ...ownerOf(extensions, product, kind) }
}

/** The security patch levels of the product, exactly those, each a DER INTEGER (two bytes from 128 on). */
function tcbOf(extensions: Extensions, product: Product): Tcb {
  const rows = SPL_ROWS[product]
  for (const [name, oid] of Object.entries(SPL_OID))
    if (extensions.has(oid) !== rows.some((row) => row === name))
      throw new Malformed(
        `${extensions.has(oid) ? 'contains an unexpected' : 'does not contain the'} extension ${oid} (${name}) of ${product}`,
      )
  const level = (row: keyof typeof SPL_OID): number =>
    rows.includes(row) ? integerOf(parseDer(extensionOf(extensions, SPL_OID[row])), 255) : 0
  for (const reserved of ['spl4', 'spl5', 'spl6', 'spl7'] as const)
    if (level(reserved) !== 0) throw new Malformed(`contains a non-zero value in the reserved ${reserved}`)
  return tcbWith(level)
}

/** A VCEK certificate has a hardware id and no CSP_ID, a VLEK certificate the reverse. */
function ownerOf(
  extensions: Extensions,
  product: Product,
  kind: SigningKey,
): Pick<EndorsedKey, 'hardwareId' | 'cspId'> {
  const hardwareId = extensions.get(AMD_OID.hardwareId)?.value
  const cspId = extensions.get(AMD_OID.cspId)?.value
  if ((hardwareId === undefined) !== (kind === 'vlek') || (cspId === undefined) !== (kind === 'vcek'))
    throw new Malformed(
      `does not name the owner of a ${kind.toUpperCase()}: expected ${kind === 'vcek' ? 'only a hardware id' : 'only a CSP_ID'}`,
    )
  return {
    hardwareId:
      hardwareId === undefined ? undefined : unwrapHardwareId(hardwareId, HARDWARE_ID_BYTES[product]),
    cspId: cspId === undefined ? undefined : ia5Of(parseDer(cspId)),
  }
}

/**
 * AMD puts the bytes directly into the extension. An OCTET STRING around them also occurs; the length
 * distinguishes them.
 */
function unwrapHardwareId(value: Buffer, size: number): Buffer {
  const hardwareId = value.byteLength === size ? value : octetsOf(parseDer(value))
  if (hardwareId.byteLength !== size)
    throw new Malformed(`contains a hardware id of ${hardwareId.byteLength} bytes, expected ${size}`)
  return hardwareId
}

function extensionOf(extensions: Extensions, oid: string): Buffer {
  const extension = extensions.get(oid)
  if (extension === undefined) throw new Malformed(`does not contain the extension ${oid}`)
  return extension.value
}
