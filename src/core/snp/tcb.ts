/**
 * TCB_VERSION (SEV-SNP firmware ABI): eight bytes, in one layout for Milan and Genoa and another for Turin. A
 * TCB is compared component by component, never as a number. `verifyReport` reads it in the layout of the
 * product that the certificate chain proves.
 */
import { isZero } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import type { Product } from './product.ts'
import type { TcbName } from './report.ts'

/** Security patch levels, 0 to 255 each. `fmc` exists only on Turin and is 0 elsewhere. */
export type Tcb = Readonly<Record<TcbComponent, number>>

/** The names of the components. `fmc` to `snp` are firmware of the secure processor. */
export const TCB_COMPONENTS = ['fmc', 'bootloader', 'tee', 'snp', 'microcode'] as const
/** The name of a component. */
export type TcbComponent = (typeof TCB_COMPONENTS)[number]

const TCB_BYTES = 8

/** The component in each byte; undefined is reserved and zero. */
type TcbLayout = {
  /** The structure version of certificates with this layout (KDS specification). */
  readonly structVersion: number
  readonly bytes: readonly (TcbComponent | undefined)[]
}
const NONE = undefined
const FIRST: TcbLayout = {
  structVersion: 0,
  bytes: ['bootloader', 'tee', NONE, NONE, NONE, NONE, 'snp', 'microcode'],
}
const SECOND: TcbLayout = {
  structVersion: 1,
  bytes: ['fmc', 'bootloader', 'tee', 'snp', NONE, NONE, NONE, 'microcode'],
}
/** The layout of each product. */
export const TCB_LAYOUTS: Readonly<Record<Product, TcbLayout>> = { Milan: FIRST, Genoa: FIRST, Turin: SECOND }

/** Reads eight bytes in the layout of `product`. Throws `report.invalid` if a reserved byte is not zero. */
export function parseTcb(bytes: Uint8Array, product: Product): Tcb {
  const layout = TCB_LAYOUTS[product].bytes
  const reserved = bytes.filter((_, index) => layout[index] === undefined)
  if (bytes.byteLength !== TCB_BYTES || !isZero(reserved))
    throw new CodedError(
      'report.invalid',
      `a TCB_VERSION is not in the layout of ${product}, with its reserved bytes zero`,
    )
  return tcbWith((component) => bytes[layout.indexOf(component)] ?? 0)
}

/** Reads the four TCBs of a report in the layout of `product`. Throws `report.invalid` as `parseTcb`. */
export function parseTcbs(
  tcbs: Readonly<Record<TcbName, Uint8Array>>,
  product: Product,
): Readonly<Record<TcbName, Tcb>> {
  return {
    reported: parseTcb(tcbs.reported, product),
    committed: parseTcb(tcbs.committed, product),
    current: parseTcb(tcbs.current, product),
    launch: parseTcb(tcbs.launch, product),
  }
}

/** The TCB with the security patch level that `level` gives for each component. */
export function tcbWith(level: (component: TcbComponent) => number): Tcb {
  return {
    fmc: level('fmc'),
    bootloader: level('bootloader'),
    tee: level('tee'),
    snp: level('snp'),
    microcode: level('microcode'),
  }
}

/** Writes the eight bytes of a TCB in the layout of `product`: the inverse of `parseTcb`. */
export function encodeTcb(tcb: Tcb, product: Product): Uint8Array {
  return Buffer.from(
    TCB_LAYOUTS[product].bytes.map((component) => (component === undefined ? 0 : tcb[component])),
  )
}

/** The components in which `tcb` is lower than `floor`. */
export function below(tcb: Tcb, floor: Tcb): readonly TcbComponent[] {
  return TCB_COMPONENTS.filter((component) => tcb[component] < floor[component])
}
