/**
 * The launch digest of a SEV-SNP guest under QEMU and KVM: what its reports carry as MEASUREMENT. Firmware, then the
 * memory that the firmware asks for, with the hashes of the kernel, then one save area for each virtual processor.
 *
 * Held against vectors of virtee/sev-snp-measure, and against that program itself (docs/measure.md).
 */
import { CodedError } from '../../errors/report.ts'
import { extendByPages, extendDigest, hashPage, PAGE_BYTES } from './digest.ts'
import { type Firmware, measureFirmware } from './firmware.ts'
import { type KernelHashes, kernelHashesPage } from './kernelHashes.ts'
import type { Section } from './sections.ts'
import { RESET_VECTOR, type VcpuState, vmsaPage } from './vmsa.ts'

/** As much as KVM takes. */
export const MAX_VCPUS = 4096
/** The processor records save areas at address −1, of which the bits of a page's address remain. */
const VMSA_GPA = 0xffff_ffff_f000

export type Launch = {
  readonly firmware: Firmware
  /** The digest after the firmware's pages, where it is known already; they are not hashed then. */
  readonly firmwareDigest?: Buffer | undefined
  /** Undefined: QEMU was not told to hash a kernel (`kernel-hashes=off`, or no `-kernel`). */
  readonly kernel: KernelHashes | undefined
  readonly vcpus: number
  readonly vcpu: VcpuState
}

/** The digest after each step. */
export type MeasuredLaunch = {
  readonly firmware: Buffer
  readonly sections: Buffer
  readonly measurement: Buffer
}

/** Throws `launch.impossible` for inputs that no guest can be started from. */
export function measureLaunch({ firmware, firmwareDigest, kernel, vcpus, vcpu }: Launch): MeasuredLaunch {
  assertVcpus(vcpus)
  const afterFirmware = firmwareDigest ?? measureFirmware(firmware)
  const hashes = kernel === undefined ? undefined : kernelHashesPage(firmware, kernel)
  const afterSections = extendBySections(afterFirmware, firmware.sections, hashes)
  let measurement = afterSections
  for (const digest of digestsByVcpus(afterSections, saveAreasOf(firmware, vcpu), vcpus)) measurement = digest
  return { firmware: afterFirmware, sections: afterSections, measurement }
}

export function assertVcpus(vcpus: number): void {
  if (!Number.isInteger(vcpus) || vcpus < 1 || vcpus > MAX_VCPUS)
    throw new CodedError('launch.impossible', `a guest has 1 to ${MAX_VCPUS} vCPUs, not ${vcpus}`)
}

/** `kernelHashes` is the page that takes the place of the section's zeros. */
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

/** The SHA-384 of the first processor's save area, and of each other's. */
export type SaveAreas = { readonly first: Buffer; readonly other: Buffer }

export function saveAreasOf({ apEntry }: Firmware, vcpu: VcpuState): SaveAreas {
  return { first: hashPage(vmsaPage(RESET_VECTOR, vcpu)), other: hashPage(vmsaPage(apEntry, vcpu)) }
}

/** The MEASUREMENT of a guest with one vCPU, with two, and so on up to `most`: each goes on from the one before. */
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
