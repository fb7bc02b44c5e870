/** What AMD's key distribution service is asked (AMD publication 57230): paths under its origin. */
import { toHex } from '../bytes.ts'
import type { SigningKey } from './layout.ts'
import type { Product } from './product.ts'
import { TCB_COMPONENTS, TCB_LAYOUTS, type Tcb, type TcbComponent } from './tcb.ts'

export const KDS_ORIGIN = 'https://kdsintf.amd.com'

/** In the order in which the service documents them; `fmc` exists on Turin alone. */
export const SPL_PARAMETERS: Readonly<Record<TcbComponent, string>> = {
  fmc: 'fmcSPL',
  bootloader: 'blSPL',
  tee: 'teeSPL',
  snp: 'snpSPL',
  microcode: 'ucodeSPL',
}

/** The VCEK of a chip at a TCB, in DER. `hardwareId` has the product's length. */
export function vcekPath(product: Product, hardwareId: Uint8Array, tcb: Tcb): string {
  const levels = splsOf(product).map((component) => `${SPL_PARAMETERS[component]}=${tcb[component]}`)
  return `/vcek/v1/${product}/${toHex(hardwareId)}?${levels.join('&')}`
}

/** PEM: ASK (for `vlek`: ASVK), then ARK. */
export function chainPath(kind: SigningKey, product: Product): string {
  return `/${kind}/v1/${product}/cert_chain`
}

/** The ARK's revocation list, in DER. It names ASKs and ASVKs both. */
export function crlPath(product: Product): string {
  return `/vcek/v1/${product}/crl`
}

/** The components that a product has, in the order of the parameters. */
export function splsOf(product: Product): readonly TcbComponent[] {
  return TCB_COMPONENTS.filter((component) => TCB_LAYOUTS[product].bytes.includes(component))
}
