/** Paths of AMD's key distribution service, below its origin (KDS specification, AMD publication 57230). */
import { toHex } from '../bytes.ts'
import type { SigningKey } from './layout.ts'
import type { Product } from './product.ts'
import { TCB_COMPONENTS, TCB_LAYOUTS, type Tcb, type TcbComponent } from './tcb.ts'

/** The origin of AMD's key distribution service. */
export const KDS_ORIGIN = 'https://kdsintf.amd.com'

/** Query parameters of the VCEK path, in the order of the specification. `fmc` exists only on Turin. */
export const SPL_PARAMETERS: Readonly<Record<TcbComponent, string>> = {
  fmc: 'fmcSPL',
  bootloader: 'blSPL',
  tee: 'teeSPL',
  snp: 'snpSPL',
  microcode: 'ucodeSPL',
}

/** The path of a chip's VCEK certificate at a TCB, in DER. `hardwareId` is in the product's length. */
export function vcekPath(product: Product, hardwareId: Uint8Array, tcb: Tcb): string {
  const levels = splsOf(product).map((component) => `${SPL_PARAMETERS[component]}=${tcb[component]}`)
  return `/vcek/v1/${product}/${toHex(hardwareId)}?${levels.join('&')}`
}

/** The path of the ASK (for `vlek`: ASVK) and the ARK, in PEM and in this order. */
export function chainPath(kind: SigningKey, product: Product): string {
  return `/${kind}/v1/${product}/cert_chain`
}

/** The path of the ARK's revocation list, in DER. The list covers ASKs and ASVKs. */
export function crlPath(product: Product): string {
  return `/vcek/v1/${product}/crl`
}

/** The components in the TCB of a product, in the order of the parameters. */
export function splsOf(product: Product): readonly TcbComponent[] {
  return TCB_COMPONENTS.filter((component) => TCB_LAYOUTS[product].bytes.includes(component))
}
