/** The launch digest of a guest from its inputs (docs/measure.md). */
import { sha256 } from '../../src/core/bytes.ts'
import { CodedError } from '../../src/core/errors/report.ts'
import { parseFirmware } from '../../src/core/snp/launch/firmware.ts'
import { hashAppend, NO_INITRD } from '../../src/core/snp/launch/kernelHashes.ts'
import { measureLaunch } from '../../src/core/snp/launch/measure.ts'
import { SNP_ACTIVE } from '../../src/core/snp/launch/sevFeatures.ts'
import { VCPU_TYPES } from '../../src/core/snp/launch/vcpuTypes.ts'

/** A launch under QEMU and KVM. */
export type LaunchInputs = {
  /** The whole OVMF file, built with SEV-SNP metadata. */
  readonly firmware: Uint8Array
  /** Absent: QEMU hashes no kernel (`kernel-hashes=off`, or no `-kernel`). */
  readonly kernel?: {
    readonly kernel: Uint8Array
    readonly initrd?: Uint8Array
    /** The command line; empty if absent. */
    readonly append?: string
  }
  /** 1 to 4096. */
  readonly vcpus: number
  /** QEMU's CPU model, such as `EPYC-Milan`, or CPUID Fn0000_0001_EAX. */
  readonly vcpu: string | number
  /** SEV_FEATURES (AMD APM volume 2, table B-4). Only SNPActive if absent: 1. */
  readonly features?: bigint
  /** FPU registers at launch: `reset` under Linux 6.10 and later, `zero` before. `reset` if absent. */
  readonly fpu?: 'reset' | 'zero'
}

/**
 * The 48 bytes that the guest's reports carry as MEASUREMENT.
 *
 * Throws `firmware.malformed` for a file that is not such an OVMF, and `launch.impossible` for inputs that no
 * guest starts from.
 */
export function measure({
  firmware,
  kernel,
  vcpus,
  vcpu,
  features = SNP_ACTIVE,
  fpu = 'reset',
}: LaunchInputs): Uint8Array {
  const hashes = kernel && {
    kernel: sha256(kernel.kernel),
    initrd: kernel.initrd === undefined ? NO_INITRD : sha256(kernel.initrd),
    append: hashAppend(kernel.append ?? ''),
  }
  const { measurement } = measureLaunch({
    firmware: parseFirmware(Buffer.from(firmware)),
    kernel: hashes,
    vcpus,
    vcpu: { signature: signatureOf(vcpu), features, fpu },
  })
  return measurement
}

function signatureOf(vcpu: string | number): number {
  if (typeof vcpu === 'number') return vcpu
  const signature = VCPU_TYPES.get(vcpu)
  if (signature === undefined)
    throw new CodedError(
      'launch.impossible',
      `vcpu is no CPU model of QEMU that is known here; known are ${[...VCPU_TYPES.keys()].join(', ')}`,
    )
  return signature
}
