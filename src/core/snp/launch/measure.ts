/**
 * Computes the launch digest of a SEV-SNP guest under QEMU and KVM, which its reports contain as MEASUREMENT.
 * It covers the firmware, then the memory that the firmware requests, with the hashes of the kernel, then one
 * save area per vCPU.
 *
 * The tests compare it with the vectors of virtee/sev-snp-measure and with that program itself
 * (docs/measure.md).
 */
import { CodedError } from '../../errors/report.ts'
import { extendByPages, extendDigest, hashPage, PAGE_BYTES } from './digest.ts'
import { type Firmware, measureFirmware } from './firmware.ts'
import { type KernelHashes, kernelHashesPage } from './kernelHashes.ts'
import type { Section } from './sections.ts'
import { RESET_VECTOR, type VcpuState, vmsaPage } from './vmsa.ts'

/** Limit of vCPUs: the limit of KVM. */
export const MAX_VCPUS = 4096
/** The processor records save areas at the address −1, cut to the bits of a page's address. */
const VMSA_GPA = 0xffff_ffff_f000

/** The inputs of a launch. */
export type Launch = {
  readonly firmware: Firmware
  /** The digest after the firmware's pages if the caller knows it. The pages are then not hashed. */
  readonly firmwareDigest?: Buffer | undefined
  /** Undefined if QEMU hashes no kernel (`kernel-hashes=off`, or no `-kernel`). */
  readonly kernel: KernelHashes | undefined
  /** Number of vCPUs, 1 to `MAX_VCPUS`. */
  readonly vcpus: number
  readonly vcpu: VcpuState
}

/** The digest after each step, 48 bytes each. */
export type MeasuredLaunch = {
  readonly firmware: Buffer
  readonly sections: Buffer
  readonly measurement: Buffer
}

/** Computes the launch digest. Throws `launch.impossible` for inputs from which no guest can start. */
export function measureLaunch({ firmware, firmwareDigest, kernel, vcpus, vcpu }: Launch): MeasuredLaunch {
  assertVcpus(vcpus)
  const afterFirmware = firmwareDigest ?? measureFirmware(firmware)
  const hashes = kernel === undefined ? undefined : kernelHashesPage(firmware, kernel)
  const afterSections = extendBySections(afterFirmware, firmware.sections, hashes)
  let measurement = afterSections
  for (const digest of digestsByVcpus(afterSections, saveAreasOf(firmware, vcpu), vcpus)) measurement = digest
  return { firmware: afterFirmware, sections: afterSections, measurement }
}

/** Throws `launch.impossible` unless `vcpus` is a whole number from 1 to `MAX_VCPUS`. */
export function assertVcpus(vcpus: number): void {
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > MAX_VCPUS)
    throw new CodedError('launch.impossible', `the number of vCPUs is ${vcpus}, expected 1 to ${MAX_VCPUS}`)
}

/**
 * The digest after these sections. `kernelHashes` is the page that replaces the zeros of the section
 * KERNEL_HASHES.
 */
export function extendBySections(
  digest: Buffer,
  sections: readonly Section[],
  kernelHashes?: Buffer,
): Buffer {
  let extended = digest
  for (const { kind, page, gpa, pages } of sections)
    if (kind === 'KERNEL_HASHES' && kernelHashes !== undefined)
      extended = extendByPages(extended, gpa, kernelHashes)
    else
      for (let index = 0; index < pages; index += 1)
        extended = extendDigest(extended, page, gpa + index * PAGE_BYTES)
  return extended
}

/** The SHA-384 of the first vCPU's save area and of every other vCPU's. */
export type SaveAreas = { readonly first: Buffer; readonly other: Buffer }

/** The hashes of a guest's save areas. Throws the codes of `vmsaPage`. */
export function saveAreasOf({ apEntry }: Firmware, vcpu: VcpuState): SaveAreas {
  return { first: hashPage(vmsaPage(RESET_VECTOR, vcpu)), other: hashPage(vmsaPage(apEntry, vcpu)) }
}

/**
 * Yields the MEASUREMENT of a guest with one vCPU, with two, and so on up to `most`. Each continues the one
 * before.
 */
export function* digestsByVcpus(
  digest: Buffer,
  { first, other }: SaveAreas,
  most: number,
): Generator<Buffer> {
  let extended = digest
  for (let index = 0; index < most; index += 1) {
    extended = extendDigest(extended, 'vmsa', VMSA_GPA, index === 0 ? first : other)
    yield extended
  }
}
