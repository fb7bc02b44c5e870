/**
 * The launches to try for a measurement: the values that the caller names, or else the usual values of hosts.
 */
import type { Cpuid } from '../product.ts'
import {
  type FirmwareFile,
  type HashedFile,
  hex,
  type KernelFiles,
  kernelHashesOf,
} from './describedLaunch.ts'
import type { KernelHashes } from './kernelHashes.ts'
import { USUAL_FEATURES } from './sevFeatures.ts'
import type { Candidates } from './solve.ts'
import { VCPU_TYPES, vcpuSignature } from './vcpuTypes.ts'
import type { FpuState, VcpuState } from './vmsa.ts'

/** The signature of a vCPU (CPUID Fn0000_0001_EAX), and the CPU model that has it. */
export type NamedSignature = {
  /** Null for a signature without a name. */
  readonly name: string | null
  readonly signature: number
}

/** The values that the caller names. An empty list means that it names none. */
export type LaunchHints = {
  readonly ovmf: readonly FirmwareFile[]
  /** The digest after OVMF's pages, if it is given. */
  readonly digest: Buffer | undefined
  readonly kernel: readonly HashedFile[]
  readonly initrd: readonly HashedFile[]
  readonly append: readonly string[]
  readonly vcpus: readonly number[]
  readonly vcpuType: readonly NamedSignature[]
  readonly guestFeatures: readonly bigint[]
  readonly fpuState: readonly FpuState[]
  /** The host's processor, if a report names it. */
  readonly host: Cpuid | undefined
}

type NamedOvmf = FirmwareFile & { readonly digest: Buffer | undefined }
type NamedKernel = KernelFiles & { readonly hashes: KernelHashes }
type NamedState = { readonly vcpuType: string; readonly state: VcpuState }
/** Candidates for `solveLaunch` that carry their names. */
export type LaunchCandidates = Candidates<NamedOvmf, NamedKernel, NamedState>

/** The names of the candidates, for a message that nothing explains the measurement. */
export type Tried = {
  readonly ovmf: readonly string[]
  /** Firmware that checks no kernel, and so was tried without one. */
  readonly ovmfWithoutKernel: readonly string[]
  readonly kernel: readonly string[]
  readonly initrd: readonly string[]
  readonly append: readonly string[]
  readonly vcpuType: readonly string[]
  readonly guestFeatures: readonly string[]
  readonly fpuState: readonly FpuState[]
}

/**
 * The candidates for these hints. Files with the same content are one candidate with all their names. Throws
 * `launch.impossible` if a command line contains a zero byte.
 */
export function launchCandidates(hints: LaunchHints): {
  readonly candidates: LaunchCandidates
  readonly tried: Tried
} {
  const { digest, append, vcpus, host } = hints
  const types = signaturesOf(hints.vcpuType, host)
  const features = orDefault(hints.guestFeatures, USUAL_FEATURES)
  const fpus = orDefault(hints.fpuState, ['reset', 'zero'])
  const ovmfs = byContent(hints.ovmf)
  const kernels = byContent(hints.kernel)
  const initrds = byContent(hints.initrd)
  return {
    candidates: {
      firmwares: ovmfs.map((ovmf) => ({ ...ovmf, digest })),
      kernels: kernels.flatMap((kernel) =>
        orDefault<HashedFile | undefined>(initrds, [undefined]).flatMap((initrd) =>
          orDefault(append, ['']).map((text) => {
            const files = { kernel, initrd, append: text }
            return { ...files, hashes: kernelHashesOf(files) }
          }),
        ),
      ),
      vcpus: new Set(vcpus),
      states: fpus.flatMap((fpu) =>
        features.flatMap((set) =>
          types.map(({ name, signature }) => ({ vcpuType: name, state: { signature, features: set, fpu } })),
        ),
      ),
    },
    tried: {
      ovmf: ovmfs.map(({ file }) => file),
      ovmfWithoutKernel: ovmfs
        .filter(({ firmware }) => firmware.hashTable === undefined)
        .map(({ file }) => file),
      kernel: kernels.map(({ file }) => file),
      initrd: initrds.map(({ file }) => file),
      append,
      vcpuType: types.map(({ name }) => name),
      guestFeatures: features.map((set) => hex(set)),
      fpuState: fpus,
    },
  }
}

type Signature = { readonly name: string; readonly signature: number }

/** Models with the same signature give the same digest, so they are one candidate. */
function signaturesOf(named: readonly NamedSignature[], host: Cpuid | undefined): readonly Signature[] {
  if (named.length === 0) return everySignature(host)
  const signatures = named.map(({ name, signature }) => ({
    name: name ?? `signature ${hex(signature, 8)}`,
    signature,
  }))
  return [...Map.groupBy(signatures, ({ signature }) => signature)].map(([signature, same]) => ({
    signature,
    name: [...new Set(same.map(({ name }) => name))].join(' or '),
  }))
}

/** QEMU's models, and the host's own signature, which guests with `-cpu host` have. */
function everySignature(host: Cpuid | undefined): readonly Signature[] {
  const models = [...VCPU_TYPES].map(([name, signature]) => ({ name: `${name} (any version)`, signature }))
  const own =
    host === undefined ? [] : [{ name: "the report's processor (-cpu host)", signature: vcpuSignature(host) }]
  return [...Map.groupBy([...models, ...own], ({ signature }) => signature).values()].flatMap((same) =>
    same.slice(0, 1),
  )
}

function byContent<T extends HashedFile>(files: readonly T[]): readonly T[] {
  return [...Map.groupBy(files, ({ sha256 }) => sha256).values()].flatMap((same) =>
    same.slice(0, 1).map((first) => ({
      ...first,
      file: [...new Set(same.map(({ file }) => file))].join(' = '),
    })),
  )
}

function orDefault<T>(given: readonly T[], standard: readonly NoInfer<T>[]): readonly T[] {
  return given.length === 0 ? standard : given
}
