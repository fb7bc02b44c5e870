/** `measure`: the MEASUREMENT that reports of a guest will carry, from what the guest is launched with. */

import {
  type Deps,
  type FirmwareFile,
  type HashedFile,
  hashFile,
  readFirmware,
} from '#adapters/sev/launchFiles.ts'
import { toHex } from '#core/bytes.ts'
import { hashAppend, type KernelHashes, NO_INITRD } from '#core/snp/launch/kernelHashes.ts'
import { measureLaunch } from '#core/snp/launch/measure.ts'
import type { SectionKind } from '#core/snp/launch/sections.ts'
import { featureNames, SNP_ACTIVE } from '#core/snp/launch/sevFeatures.ts'
import { assertSettled, type Vmm } from '#core/snp/launch/vmm.ts'
import type { FpuState, VcpuState } from '#core/snp/launch/vmsa.ts'
import {
  assertTogether,
  type MeasureOptions,
  only,
  parseDigest,
  parseFeatures,
  parseFpuStates,
  parseSignatures,
  parseVcpus,
  parseVcpuTypes,
  parseVmm,
} from './arguments.ts'

/** Hashes and digests in lower-case hex, numbers of the processor as 0x…. */
export type LaunchResult = {
  readonly measurement: string
  readonly vmm: Vmm
  readonly ovmf: HashedFile & {
    readonly gpa: string
    /** Given with --ovmf-hash: then only table and metadata of the file count. */
    readonly digestGiven: boolean
  }
  readonly sections: readonly { readonly kind: SectionKind; readonly gpa: string; readonly pages: number }[]
  /** Null: kernel, initrd and command line are not measured. */
  readonly kernel: {
    readonly kernel: HashedFile
    readonly initrd: HashedFile | null
    readonly append: { readonly text: string; readonly sha256: string }
  } | null
  readonly vcpus: number
  /** Null where only the signature was given. */
  readonly vcpuType: string | null
  readonly vcpuSig: string
  readonly guestFeatures: string
  readonly guestFeatureNames: readonly string[]
  readonly fpuState: FpuState
  /** The digest after each step; the last is the measurement. */
  readonly steps: { readonly ovmf: string; readonly sections: string; readonly vcpus: string }
}

export type KernelFiles = {
  readonly kernel: HashedFile
  readonly initrd: HashedFile | undefined
  readonly append: string
}

/** Throws `usage.invalid`, `launch.*`, `firmware.malformed` and `input.*`, all of exit 2. */
export async function measureFiles(options: MeasureOptions, deps: Deps): Promise<LaunchResult> {
  assertTogether(options)
  const vmm = parseVmm(options.vmm)
  assertSettled(vmm)
  const vcpus = only(parseVcpus(options.vcpus), '--vcpus')
  const state = only(namedSignatures(options), '--vcpu-type (or --vcpu-sig)')
  const features = only(withDefault(parseFeatures(options.guestFeatures), [SNP_ACTIVE]), '--guest-features')
  const fpu = only(withDefault(parseFpuStates(options.fpuState), ['reset']), '--fpu-state')
  const ovmf = only(options.ovmf, '--ovmf')
  const kernel = options.kernel.length === 0 ? undefined : only(options.kernel, '--kernel')
  const initrd = options.initrd.length === 0 ? undefined : only(options.initrd, '--initrd')
  const append = options.append.length === 0 ? '' : only(options.append, '--append')
  const { ovmfHash } = options
  const digest = ovmfHash === undefined ? undefined : parseDigest(ovmfHash, '--ovmf-hash')
  return describeLaunch({
    vmm,
    ovmf: await readFirmware(ovmf),
    digest,
    kernel:
      kernel === undefined
        ? undefined
        : {
            kernel: await hashFile(kernel, deps),
            initrd: initrd === undefined ? undefined : await hashFile(initrd, deps),
            append,
          },
    vcpus,
    vcpuType: state.name,
    vcpu: { signature: state.signature, features, fpu },
  })
}

/** `name` is null for a signature alone. */
export function namedSignatures({
  vcpuType,
  vcpuSig,
}: MeasureOptions): readonly { readonly name: string | null; readonly signature: number }[] {
  return [
    ...parseVcpuTypes(vcpuType),
    ...parseSignatures(vcpuSig).map((signature) => ({ name: null, signature })),
  ]
}

export function withDefault<T>(given: readonly T[], standard: readonly NoInfer<T>[]): readonly T[] {
  return given.length === 0 ? standard : given
}

export function describeLaunch(launch: {
  readonly vmm: Vmm
  readonly ovmf: FirmwareFile
  /** After the firmware's pages, where it was given. */
  readonly digest: Buffer | undefined
  readonly kernel: KernelFiles | undefined
  readonly vcpus: number
  readonly vcpuType: string | null
  readonly vcpu: VcpuState
}): LaunchResult {
  const { vmm, ovmf, digest, kernel, vcpus, vcpuType, vcpu } = launch
  const { file, bytes, sha256, firmware } = ovmf
  const hashes = kernel === undefined ? undefined : hashesOf(kernel)
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

export function hashesOf({ kernel, initrd, append }: KernelFiles): KernelHashes {
  return {
    kernel: Buffer.from(kernel.sha256, 'hex'),
    initrd: initrd === undefined ? NO_INITRD : Buffer.from(initrd.sha256, 'hex'),
    append: hashAppend(append),
  }
}

export function hex(value: number | bigint, digits = 1): string {
  return `0x${value.toString(16).padStart(digits, '0')}`
}
