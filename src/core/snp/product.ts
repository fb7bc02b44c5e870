/** Processor products, as the certificate chains name them. A chain stands for several dies: Bergamo and Siena are Genoa. */

export const PRODUCTS = ['Milan', 'Genoa', 'Turin'] as const
export type Product = (typeof PRODUCTS)[number]

/** CPUID family, model and stepping as the report carries them: base and extended parts already added up. */
export type Cpuid = { readonly family: number; readonly model: number; readonly stepping: number }

/** CPUID Fn0000_0001; model ranges are inclusive. */
const MODELS: readonly {
  readonly product: Product
  /** As AMD sells it; dies that CPUID does not tell apart are named together. */
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

/** Undefined for a processor whose chain and TCB layout are not known here. */
export function productOfCpuid(cpuid: Cpuid): Product | undefined {
  return rowOf(cpuid)?.product
}

/** For people: no rule looks at it. */
export function dieOfCpuid(cpuid: Cpuid): string | undefined {
  return rowOf(cpuid)?.die
}

function rowOf({ family, model }: Cpuid): (typeof MODELS)[number] | undefined {
  return MODELS.find((row) => row.family === family && row.from <= model && model <= row.to)
}
