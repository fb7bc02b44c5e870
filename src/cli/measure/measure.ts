/** `measure`: from its flags to one launch with its measurement. */
import { hashFile, readFirmware } from '#adapters/sev/launchFiles.ts'
import type { Progress } from '#adapters/system/progress.ts'
import { type DescribedLaunch, describeLaunch } from '#core/snp/launch/describedLaunch.ts'
import { SNP_ACTIVE } from '#core/snp/launch/sevFeatures.ts'
import { assertSettled } from '#core/snp/launch/vmm.ts'
import {
  assertTogether,
  type MeasureOptions,
  only,
  parseDigest,
  parseFeatures,
  parseFpuStates,
  parseNamedSignatures,
  parseVcpus,
  parseVmm,
} from './arguments.ts'

export type Deps = {
  /** Shows how far the named step has come. */
  readonly progress: (step: string, unit?: 'launches') => Progress
  readonly signal: AbortSignal
}

/** Throws `usage.invalid`, `launch.*`, `firmware.malformed` and `input.*`, all of exit 2. */
export async function measureFiles(options: MeasureOptions, deps: Deps): Promise<DescribedLaunch> {
  assertTogether(options)
  const vmm = parseVmm(options.vmm)
  assertSettled(vmm)
  const vcpus = only(parseVcpus(options.vcpus), '--vcpus')
  const type = only(parseNamedSignatures(options), '--vcpu-type (or --vcpu-sig)')
  const features = only(parseFeatures(options.guestFeatures), '--guest-features', SNP_ACTIVE)
  const fpu = only(parseFpuStates(options.fpuState), '--fpu-state', 'reset')
  const ovmf = only(options.ovmf, '--ovmf')
  const kernel = options.kernel.length === 0 ? undefined : only(options.kernel, '--kernel')
  const initrd = options.initrd.length === 0 ? undefined : only(options.initrd, '--initrd')
  const append = only(options.append, '--append', '')
  const { ovmfHash } = options
  return describeLaunch({
    vmm,
    digest: ovmfHash === undefined ? undefined : parseDigest(ovmfHash, '--ovmf-hash'),
    ovmf: await readFirmware(ovmf),
    kernel:
      kernel === undefined
        ? undefined
        : {
            kernel: await hashFile(kernel, deps),
            initrd: initrd === undefined ? undefined : await hashFile(initrd, deps),
            append,
          },
    vcpus,
    vcpuType: type.name,
    vcpu: { signature: type.signature, features, fpu },
  })
}
