/**
 * Processor products as certificate chains name them, and the mapping from CPUID. Bergamo and Siena have
 * Genoa's chain.
 */

import { viewOf } from '../bytes.ts'

/** The products that this verifier supports. */
export const PRODUCTS = ['Milan', 'Genoa', 'Turin'] as const
/** The name of a product. */
export type Product = (typeof PRODUCTS)[number]

/**
 * CPUID family, model and stepping as a report contains them: base and extended parts are already combined.
 */
export type Cpuid = { readonly family: number; readonly model: number; readonly stepping: number }

/** Reads the report's field CPUID: family, model and stepping, one byte each. */
export function cpuidOf(bytes: Uint8Array): Cpuid {
  const view = viewOf(bytes)
  return { family: view.getUint8(0), model: view.getUint8(1), stepping: view.getUint8(2) }
}

/** CPUID Fn0000_0001 of each product. Model ranges are inclusive. */
const MODELS: readonly {
  readonly product: Product
  /** AMD's name. Dies with the same CPUID share a row. */
  readonly die: string
  readonly family: number
  readonly from: number
  readonly to: number
}[] = [
  { product: 'Milan', die: 'Milan', family: 0x19, from: 0x00, to: 0x0f },
  { product: 'Genoa', die: 'Genoa', family: 0x19, from: 0x10, to: 0x1f },
  { product: 'Genoa', die: 'Bergamo or Siena', family: 0x19, from: 0xa0, to: 0xaf },
  { product: 'Turin', die: 'Turin', family: 0x1a, from: 0x00, to: 0x11 },
]

/**
 * The product of a processor, which determines its chain and TCB layout; undefined for an unknown processor.
 */
export function productOfCpuid(cpuid: Cpuid): Product | undefined {
  return rowOf(cpuid)?.product
}

/** AMD's name of a processor, for display only; undefined for an unknown processor. */
export function dieOfCpuid(cpuid: Cpuid): string | undefined {
  return rowOf(cpuid)?.die
}

function rowOf({ family, model }: Cpuid): (typeof MODELS)[number] | undefined {
  return MODELS.find((row) => row.family === family && row.from <= model && model <= row.to)
}
