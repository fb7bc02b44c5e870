/** AMD's certificate extensions, 1.3.6.1.4.1.3704.1 (AMD publication 57230). */
import { CodedError } from '../errors/report.ts'
import { ia5Of, integerOf, Malformed, octetsOf, parseDer } from './der.ts'
import type { EndorsedKey } from './endorsedKey.ts'
import type { SigningKey } from './layout.ts'
import { PRODUCTS, type Product } from './product.ts'
import { TCB_LAYOUTS, type Tcb } from './tcb.ts'
import type { Extensions } from './x509.ts'

const AMD = '1.3.6.1.4.1.3704.1'

export const AMD_OID = {
  structVersion: `${AMD}.1`,
  productName: `${AMD}.2`,
  hardwareId: `${AMD}.4`,
  cspId: `${AMD}.5`,
} as const

/** Security patch levels; `spl4` to `spl7` are reserved and zero. */
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

/** Which patch levels a certificate has, in no order. */
export const SPL_ROWS: Readonly<Record<Product, readonly (keyof typeof SPL_OID)[]>> = {
  Milan: ['bootloader', 'tee', 'spl4', 'spl5', 'spl6', 'spl7', 'snp', 'microcode'],
  Genoa: ['bootloader', 'tee', 'spl4', 'spl5', 'spl6', 'spl7', 'snp', 'microcode'],
  Turin: ['fmc', 'bootloader', 'tee', 'snp', 'spl5', 'spl6', 'spl7', 'microcode'],
}

/** Bytes of a hardware id; the report's CHIP_ID holds them first and zeros after. */
export const HARDWARE_ID_BYTES: Readonly<Record<Product, number>> = { Milan: 64, Genoa: 64, Turin: 8 }

/**
 * Reads a leaf that has been verified up to an ARK of `product`.
 *
 * Throws `Malformed`, or `chain.product-mismatch` where it speaks of another product or in another layout.
 */
export function readEndorsedKey(extensions: Extensions, product: Product, kind: SigningKey): EndorsedKey {
  const { structVersion } = TCB_LAYOUTS[product]
  const productName = ia5Of(parseDer(extensionOf(extensions, AMD_OID.productName)))
  const layout = integerOf(parseDer(extensionOf(extensions, AMD_OID.structVersion)), 255)
  // "Milan-B0", "Genoa-B2": the stepping is not the report's and is left alone: AMD's own certificates differ there.
  if (PRODUCTS.find((name) => productName === name || productName.startsWith(`${name}-`)) !== product)
    throw new CodedError(
      'chain.product-mismatch',
      `the endorsement key is of ${productName}, its chain of ${product}`,
    )
  if (layout !== structVersion)
    throw new CodedError(
      'chain.product-mismatch',
      `the endorsement key has structure version ${layout}, ${product} has ${structVersion}`,
    )
  return { tcb: tcbOf(extensions, product), ...ownerOf(extensions, product, kind) }
}

/** Exactly the patch levels of the product, each a DER INTEGER (two bytes from 128 on). */
function tcbOf(extensions: Extensions, product: Product): Tcb {
  const rows = SPL_ROWS[product]
  for (const [name, oid] of Object.entries(SPL_OID))
    if (extensions.has(oid) !== rows.some((row) => row === name))
      throw new Malformed(
        `of ${product} has ${extensions.has(oid) ? 'an unexpected' : 'no'} extension ${oid}`,
      )
  const level = (row: keyof typeof SPL_OID): number =>
    rows.includes(row) ? integerOf(parseDer(extensionOf(extensions, SPL_OID[row])), 255) : 0
  for (const reserved of ['spl4', 'spl5', 'spl6', 'spl7'] as const)
    if (level(reserved) !== 0) throw new Malformed(`has ${reserved} that is not zero`)
  return {
    fmc: level('fmc'),
    bootloader: level('bootloader'),
    tee: level('tee'),
    snp: level('snp'),
    microcode: level('microcode'),
  }
}

/** A VCEK has a hardware id and no CSP_ID, a VLEK the reverse. */
function ownerOf(
  extensions: Extensions,
  product: Product,
  kind: SigningKey,
): Pick<EndorsedKey, 'hardwareId' | 'cspId'> {
  const hardwareId = extensions.get(AMD_OID.hardwareId)?.value
  const cspId = extensions.get(AMD_OID.cspId)?.value
  if ((hardwareId === undefined) !== (kind === 'vlek') || (cspId === undefined) !== (kind === 'vcek'))
    throw new Malformed(`of a ${kind.toUpperCase()} names the wrong owner`)
  return {
    hardwareId:
      hardwareId === undefined ? undefined : unwrapHardwareId(hardwareId, HARDWARE_ID_BYTES[product]),
    cspId: cspId === undefined ? undefined : ia5Of(parseDer(cspId)),
  }
}

/** AMD puts the bytes straight into the extension; an OCTET STRING around them is in use too. The length tells. */
function unwrapHardwareId(value: Buffer, size: number): Buffer {
  const hardwareId = value.byteLength === size ? value : octetsOf(parseDer(value))
  if (hardwareId.byteLength !== size) throw new Malformed(`has a hardware id that is not ${size} bytes`)
  return hardwareId
}

function extensionOf(extensions: Extensions, oid: string): Buffer {
  const extension = extensions.get(oid)
  if (extension === undefined) throw new Malformed(`has no extension ${oid}`)
  return extension.value
}
