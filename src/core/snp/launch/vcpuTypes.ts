/** QEMU's CPU models for AMD's EPYC, and the signature (CPUID Fn0000_0001_EAX) of their vCPUs. */
import type { Cpuid } from '../product.ts'

/** Versions of a model differ only in features (QEMU, target/i386/cpu.c, builtin_x86_defs). */
const MODELS = [
  { name: 'EPYC', versions: 5, family: 23, model: 1, stepping: 2 },
  { name: 'EPYC-IBPB', versions: 0, family: 23, model: 1, stepping: 2 },
  { name: 'EPYC-Rome', versions: 5, family: 23, model: 49, stepping: 0 },
  { name: 'EPYC-Milan', versions: 3, family: 25, model: 1, stepping: 1 },
  { name: 'EPYC-Genoa', versions: 2, family: 25, model: 17, stepping: 0 },
  { name: 'EPYC-Turin', versions: 1, family: 26, model: 0, stepping: 0 },
] as const

/** Signatures by the name that `-cpu` takes, such as `EPYC-Milan` or `EPYC-Milan-v2`. */
export const VCPU_TYPES: ReadonlyMap<string, number> = new Map(
  MODELS.flatMap(({ name, versions, ...cpuid }) =>
    [name, ...Array.from({ length: versions }, (_, index) => `${name}-v${index + 1}`)].map(
      (type) => [type, vcpuSignature(cpuid)] as const,
    ),
  ),
)

/**
 * The signature of a vCPU from the combined values of family, model and stepping. Families and models above
 * 15 occupy two fields each (AMD publication 25481).
 */
export function vcpuSignature({ family, model, stepping }: Cpuid): number {
  const base = Math.min(family, 0xf)
  const upper = ((family - base) << 20) | ((model >> 4) << 16)
  return upper | (base << 8) | ((model & 0xf) << 4) | (stepping & 0xf)
}
