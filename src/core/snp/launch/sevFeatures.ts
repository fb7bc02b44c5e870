/**
 * SEV_FEATURES. The hypervisor chooses them; the launch digest covers them (AMD APM volume 2, table B-4, VMSA
 * 0x3B0).
 */
const BITS = {
  0: 'SNPActive',
  1: 'vTOM',
  2: 'ReflectVC',
  3: 'RestrictedInjection',
  4: 'AlternateInjection',
  5: 'DebugSwap',
  6: 'PreventHostIBS',
  7: 'BTBIsolation',
  8: 'VmplSSS',
  9: 'SecureTSC',
  10: 'VmgexitParameter',
  12: 'IbsVirtualization',
  14: 'VmsaRegProt',
  15: 'SmtProtection',
  16: 'SecureAvic',
} as const satisfies Readonly<Record<number, string>>

const NAMES: Readonly<Record<number, string>> = BITS
const FEATURE_BITS = 64

/** The bit that every SEV-SNP guest has. */
export const SNP_ACTIVE = 1n

/**
 * SNPActive with every combination of the bits that Linux hosts set: DebugSwap, SecureTSC,
 * RestrictedInjection and AlternateInjection. The likeliest come first.
 */
export const USUAL_FEATURES: readonly bigint[] = combinations([5, 9, 3, 4])

function combinations(bits: readonly number[]): readonly bigint[] {
  const sets = Array.from({ length: 2 ** bits.length }, (_, chosen) =>
    bits.reduce((set, bit, index) => ((chosen >> index) & 1 ? set | (1n << BigInt(bit)) : set), SNP_ACTIVE),
  )
  return sets.sort((a, b) => countOf(a) - countOf(b))
}

function countOf(features: bigint): number {
  return featureNames(features).length
}

/** The names of the bits that are set; `bit 11` for a bit without a name. */
export function featureNames(features: bigint): readonly string[] {
  return Array.from({ length: FEATURE_BITS }, (_, bit) => bit)
    .filter((bit) => ((features >> BigInt(bit)) & 1n) === 1n)
    .map((bit) => NAMES[bit] ?? `bit ${bit}`)
}
