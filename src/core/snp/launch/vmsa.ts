/**
 * The initial state of a vCPU: the save area that QEMU and KVM give the secure processor, one page per vCPU
 * (AMD APM volume 2, table B-4, "VMSA layout, state save area for SEV-ES").
 */
import { CodedError } from '../../errors/report.ts'
import { PAGE_BYTES } from './digest.ts'
import { SNP_ACTIVE } from './sevFeatures.ts'

/** The state that differs between guests. All vCPUs of a guest have the same. */
export type VcpuState = {
  /** CPUID Fn0000_0001_EAX, 32 bits. A processor has it in EDX at reset. */
  readonly signature: number
  /** SEV_FEATURES, 64 bits. */
  readonly features: bigint
  readonly fpu: FpuState
}

/** Values of the x87 and SSE control registers. Linux hosts since 6.10 use `reset`, older ones `zero`. */
export const FPU_STATES = {
  reset: { mxcsr: 0x1f80, fcw: 0x37f },
  zero: { mxcsr: 0, fcw: 0 },
} as const
/** The name of such a set of values. */
export type FpuState = keyof typeof FPU_STATES

/** Entry point of the first vCPU. The firmware determines that of the others. */
export const RESET_VECTOR = 0xffff_fff0
const MAX_SIGNATURE = 0xffff_ffff
const MAX_FEATURES = 0xffff_ffff_ffff_ffffn

/** Segment registers. All have the same limit; every base but that of the code segment is zero. */
const SEGMENTS = [
  { at: 0x00, name: 'es', selector: 0, attributes: 0x93 },
  { at: 0x10, name: 'cs', selector: 0xf000, attributes: 0x9b },
  { at: 0x20, name: 'ss', selector: 0, attributes: 0x93 },
  { at: 0x30, name: 'ds', selector: 0, attributes: 0x93 },
  { at: 0x40, name: 'fs', selector: 0, attributes: 0x93 },
  { at: 0x50, name: 'gs', selector: 0, attributes: 0x93 },
  { at: 0x60, name: 'gdtr', selector: 0, attributes: 0 },
  { at: 0x70, name: 'ldtr', selector: 0, attributes: 0x82 },
  { at: 0x80, name: 'idtr', selector: 0, attributes: 0 },
  { at: 0x90, name: 'tr', selector: 0, attributes: 0x8b },
] as const
const SEGMENT_LIMIT = 0xffff

const REGISTERS = [
  { at: 0x0d0, name: 'efer', value: 0x1000n }, // SVME, which KVM sets
  { at: 0x148, name: 'cr4', value: 0x40n }, // MCE, which KVM sets
  { at: 0x158, name: 'cr0', value: 0x10n },
  { at: 0x160, name: 'dr7', value: 0x400n },
  { at: 0x168, name: 'dr6', value: 0xffff_0ff0n },
  { at: 0x170, name: 'rflags', value: 0x2n },
  { at: 0x268, name: 'g_pat', value: 0x0007_0406_0007_0406n },
  { at: 0x3e8, name: 'xcr0', value: 0x1n },
] as const
const AT = { csBase: 0x18, rip: 0x178, rdx: 0x310, features: 0x3b0, mxcsr: 0x408, fcw: 0x410 } as const

/**
 * The save area of a vCPU that starts at the 32-bit address `entry`. Throws `launch.impossible` for a state
 * that no SEV-SNP guest can have.
 */
export function vmsaPage(entry: number, { signature, features, fpu }: VcpuState): Buffer {
  if (!Number.isInteger(signature) || signature < 0 || signature > MAX_SIGNATURE)
    throw new CodedError('launch.impossible', `the vCPU signature is ${signature}, expected a 32-bit number`)
  if (features < 0n || features > MAX_FEATURES)
    throw new CodedError('launch.impossible', 'the guest features are not a 64-bit number')
  if ((features & SNP_ACTIVE) === 0n)
    throw new CodedError(
      'launch.impossible',
      `the guest features are 0x${features.toString(16)}, expected bit 0 (SNPActive) to be set`,
    )
  const page = Buffer.alloc(PAGE_BYTES)
  for (const { at, selector, attributes } of SEGMENTS) {
    page.writeUInt16LE(selector, at)
    page.writeUInt16LE(attributes, at + 2)
    page.writeUInt32LE(SEGMENT_LIMIT, at + 4)
  }
  for (const { at, value } of REGISTERS) page.writeBigUInt64LE(value, at)
  page.writeUInt16LE(entry >>> 16, AT.csBase + 2)
  page.writeUInt16LE(entry & 0xffff, AT.rip)
  page.writeUInt32LE(signature, AT.rdx)
  page.writeBigUInt64LE(features, AT.features)
  page.writeUInt32LE(FPU_STATES[fpu].mxcsr, AT.mxcsr)
  page.writeUInt16LE(FPU_STATES[fpu].fcw, AT.fcw)
  return page
}
