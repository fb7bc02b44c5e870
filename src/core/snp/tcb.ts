/**
 * TCB_VERSION: eight bytes, in one layout for Milan and Genoa and another for Turin. It is compared component by
 * component, never as a number, and read only in the layout of a product that the chain has proven.
 */
import { isZero } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import type { Product } from './product.ts'

/** Security patch levels, 0 to 255. `fmc` exists on Turin alone and is 0 elsewhere. */
export type Tcb = Readonly<Record<TcbComponent, number>>

export const TCB_COMPONENTS = ['fmc', 'bootloader', 'tee', 'snp', 'microcode'] as const
export type TcbComponent = (typeof TCB_COMPONENTS)[number]

const TCB_BYTES = 8

/** Which component each byte holds; undefined is reserved and zero. `structVersion` is the certificate's. */
type TcbLayout = {
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
export const TCB_LAYOUTS: Readonly<Record<Product, TcbLayout>> = { Milan: FIRST, Genoa: FIRST, Turin: SECOND }

/** Throws `report.invalid` where a reserved byte is not zero. */
export function parseTcb(bytes: Uint8Array, product: Product): Tcb {
  const layout = TCB_LAYOUTS[product].bytes
  const reserved = bytes.filter((_, index) => layout[index] === undefined)
  if (bytes.byteLength !== TCB_BYTES || !isZero(reserved))
    throw new CodedError('report.invalid', `a TCB version is not in the layout of ${product}`)
  const level = (component: TcbComponent) => bytes[layout.indexOf(component)] ?? 0
  return {
    fmc: level('fmc'),
    bootloader: level('bootloader'),
    tee: level('tee'),
    snp: level('snp'),
    microcode: level('microcode'),
  }
}

export function encodeTcb(tcb: Tcb, product: Product): Uint8Array {
  return Buffer.from(
    TCB_LAYOUTS[product].bytes.map((component) => (component === undefined ? 0 : tcb[component])),
  )
}

/** The components in which `tcb` is less than `floor`. */
export function below(tcb: Tcb, floor: Tcb): readonly TcbComponent[] {
  return TCB_COMPONENTS.filter((component) => tcb[component] < floor[component])
}
