/**
 * A launch with its measurement in the form that programs print: hashes in lower-case hex, numbers as 0x….
 */
import { toHex } from '../../bytes.ts'
import type { Firmware } from './firmware.ts'
import { hashAppend, type KernelHashes, NO_INITRD } from './kernelHashes.ts'
import { measureLaunch } from './measure.ts'
import type { SectionKind } from './sections.ts'
import { featureNames } from './sevFeatures.ts'
import type { Vmm } from './vmm.ts'
import type { FpuState, VcpuState } from './vmsa.ts'

/** A file by name, size and hash, without its content. */
export type HashedFile = {
  readonly file: string
  readonly bytes: number
  /** Lower-case hex. */
  readonly sha256: string
}

/** An OVMF file and its parsed parts. */
export type FirmwareFile = HashedFile & { readonly firmware: Firmware }

/** The files and the command line of a measured kernel. */
export type KernelFiles = {
  readonly kernel: HashedFile
  readonly initrd: HashedFile | undefined
  readonly append: string
}

/** The inputs of a launch by their files. */
export type LaunchFiles = {
  readonly vmm: Vmm
  readonly ovmf: FirmwareFile
  /** The digest after the firmware's pages, if the caller knows it. */
  readonly digest: Buffer | undefined
  /** Undefined if no kernel is measured. */
  readonly kernel: KernelFiles | undefined
  readonly vcpus: number
  /** QEMU's name of the CPU model; null if only the signature is known. */
  readonly vcpuType: string | null
  readonly vcpu: VcpuState
}

/** A launch and its digests, as JSON values. */
export type DescribedLaunch = {
  readonly measurement: string
  readonly vmm: Vmm
  readonly ovmf: HashedFile & {
    readonly gpa: string
    /**
     * True if the digest after OVMF's pages was given. The file then served only for its table and metadata.
     */
    readonly digestGiven: boolean
  }
  readonly sections: readonly { readonly kind: SectionKind; readonly gpa: string; readonly pages: number }[]
  /** Null if kernel, initrd and command line are not measured. */
  readonly kernel: {
    readonly kernel: HashedFile
    readonly initrd: HashedFile | null
    readonly append: { readonly text: string; readonly sha256: string }
  } | null
  readonly vcpus: number
  /** Null if only the signature is known. */
  readonly vcpuType: string | null
  readonly vcpuSig: string
  readonly guestFeatures: string
  readonly guestFeatureNames: readonly string[]
  readonly fpuState: FpuState
  /** The digest after each step; the last is the measurement. */
  readonly steps: { readonly ovmf: string; readonly sections: string; readonly vcpus: string }
}

/** Measures a launch and describes it. Throws `launch.impossible` as `measureLaunch`. */
export function describeLaunch({
  vmm,
  ovmf,
  digest,
  kernel,
  vcpus,
  vcpuType,
  vcpu,
}: LaunchFiles): DescribedLaunch {
  const { file, bytes, sha256, firmware } = ovmf
  const hashes = kernel === undefined ? undefined : kernelHashesOf(kernel)
  const steps = measureLaunch({ firmware, firmwareDigest: digest, kernel: hashes, vcpus, vcpu })
  return {
    measurement: toHex(steps.measurement),
    vmm,
    ovmf: { file, bytes, sha256, gpa: hex(firmware.gpa), digestGiven: digest !== undefined },
    sections: firmware.sections.map(({ kind, gpa, pages }) => ({ kind, gpa: hex(gpa), pages })),
    kernel:
      kernel === undefined || hashes === undefined
        ? null
        : {
            kernel: kernel.kernel,
            initrd: kernel.initrd ?? null,
            append: { text: kernel.append, sha256: toHex(hashes.append) },
          },
    vcpus,
    vcpuType,
    vcpuSig: hex(vcpu.signature, 8),
    guestFeatures: hex(vcpu.features),
    guestFeatureNames: featureNames(vcpu.features),
    fpuState: vcpu.fpu,
    steps: {
      ovmf: toHex(steps.firmware),
      sections: toHex(steps.sections),
      vcpus: toHex(steps.measurement),
    },
  }
}

/** The hashes of these files. Throws `launch.impossible` as `hashAppend`. */
export function kernelHashesOf({ kernel, initrd, append }: KernelFiles): KernelHashes {
  return {
    kernel: Buffer.from(kernel.sha256, 'hex'),
    initrd: initrd === undefined ? NO_INITRD : Buffer.from(initrd.sha256, 'hex'),
    append: hashAppend(append),
  }
}

/** A number as `0x` and at least this many hex digits. */
export function hex(value: number | bigint, digits = 1): string {
  return `0x${value.toString(16).padStart(digits, '0')}`
}
