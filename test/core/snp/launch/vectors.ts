/**
 * Reads test/vectors/launch/digests.json: launches from seeds, each with the measurement that
 * virtee/sev-snp-measure 0.0.13 computes. If the registers are zero, it uses the save areas of version 0.0.9.
 */
import { readFileSync } from 'node:fs'
import { sha256 } from '#core/bytes.ts'
import { parseFirmware } from '#core/snp/launch/firmware.ts'
import { hashAppend, type KernelHashes, NO_INITRD } from '#core/snp/launch/kernelHashes.ts'
import type { Launch } from '#core/snp/launch/measure.ts'
import type { FpuState } from '#core/snp/launch/vmsa.ts'
import { buildFirmware, type FirmwareFile, seededBytes } from './firmwareFile.ts'

type Seeded = { readonly seed: string; readonly bytes: number }

export type LaunchVector = {
  readonly name: string
  readonly firmware: FirmwareFile
  readonly ovmfHash: string | null
  readonly kernel: Seeded | null
  readonly initrd: Seeded | null
  readonly append: string | null
  readonly vcpus: number
  readonly vcpuSig: string
  readonly guestFeatures: string
  readonly fpuState: FpuState
  readonly measurement: string
}

export const VECTORS: readonly LaunchVector[] = JSON.parse(
  readFileSync(new URL('../../../vectors/launch/digests.json', import.meta.url), 'utf8'),
)

export function launchOf(vector: LaunchVector): Launch {
  return {
    firmware: parseFirmware(buildFirmware(vector.firmware)),
    firmwareDigest: vector.ovmfHash === null ? undefined : Buffer.from(vector.ovmfHash, 'hex'),
    kernel: kernelOf(vector),
    vcpus: vector.vcpus,
    vcpu: {
      signature: Number(vector.vcpuSig),
      features: BigInt(vector.guestFeatures),
      fpu: vector.fpuState,
    },
  }
}

function kernelOf({ kernel, initrd, append }: LaunchVector): KernelHashes | undefined {
  if (kernel === null) return undefined
  return {
    kernel: sha256(seededBytes(kernel.seed, kernel.bytes)),
    initrd: initrd === null ? NO_INITRD : sha256(seededBytes(initrd.seed, initrd.bytes)),
    append: hashAppend(append ?? ''),
  }
}
