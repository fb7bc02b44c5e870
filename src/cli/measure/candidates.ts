/** What `measure --solve` tries: what was named, and where nothing was named what hosts are known to do. */

import {
  type Deps,
  type FirmwareFile,
  type HashedFile,
  hashFile,
  readFirmware,
} from '#adapters/sev/launchFiles.ts'
import { USUAL_FEATURES } from '#core/snp/launch/sevFeatures.ts'
import type { Candidates } from '#core/snp/launch/solve.ts'
import { VCPU_TYPES, vcpuSignature } from '#core/snp/launch/vcpuTypes.ts'
import type { FpuState, VcpuState } from '#core/snp/launch/vmsa.ts'
import type { Cpuid } from '#core/snp/product.ts'
import { type MeasureOptions, parseDigest, parseFeatures, parseFpuStates, parseVcpus } from './arguments.ts'
import { hashesOf, hex, type KernelFiles, namedSignatures, withDefault } from './measure.ts'

const USUAL_VCPUS = '1-256'

type Ovmf = FirmwareFile & { readonly digest: Buffer | undefined }
type Kernel = KernelFiles & { readonly hashes: ReturnType<typeof hashesOf> }
type State = { readonly vcpuType: string; readonly state: VcpuState }

/** What was tried, in words. */
export type Tried = {
  readonly ovmf: readonly string[]
  /** Of these, what checks no kernel: none was tried with it. */
  readonly ovmfWithoutKernel: readonly string[]
  readonly kernel: readonly string[]
  readonly initrd: readonly string[]
  readonly append: readonly string[]
  readonly vcpus: string
  readonly vcpuType: readonly string[]
  readonly guestFeatures: readonly string[]
  readonly fpuState: readonly FpuState[]
}

/** Files of one content are one candidate, under all their names. `host` is the processor, where a report says it. Throws as `measureFiles` does. */
export async function readCandidates(
  options: MeasureOptions,
  host: Cpuid | undefined,
  deps: Deps,
): Promise<{ readonly candidates: Candidates<Ovmf, Kernel, State>; readonly tried: Tried }> {
  const vcpus = withDefault(options.vcpus, [USUAL_VCPUS])
  const counts = new Set(parseVcpus(vcpus))
  const types = groupSignatures(options, host)
  const features = withDefault(parseFeatures(options.guestFeatures), USUAL_FEATURES)
  const fpus = withDefault(parseFpuStates(options.fpuState), ['reset', 'zero'])
  const digest = options.ovmfHash === undefined ? undefined : parseDigest(options.ovmfHash, '--ovmf-hash')
  const ovmfs = byContent(await inTurn(options.ovmf, readFirmware))
  const kernels = byContent(await inTurn(options.kernel, (path) => hashFile(path, deps)))
  const initrds = byContent(await inTurn(options.initrd, (path) => hashFile(path, deps)))
  return {
    candidates: {
      firmwares: ovmfs.map((ovmf) => ({ ...ovmf, digest })),
      kernels: kernels.flatMap((kernel) =>
        withDefault<HashedFile | undefined>(initrds, [undefined]).flatMap((initrd) =>
          withDefault(options.append, ['']).map((append) => {
            const files = { kernel, initrd, append }
            return { ...files, hashes: hashesOf(files) }
          }),
        ),
      ),
      vcpus: counts,
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
      append: options.append,
      vcpus: vcpus.join(','),
      vcpuType: types.map(({ name }) => name),
      guestFeatures: features.map((set) => hex(set)),
      fpuState: fpus,
    },
  }
}

type NamedSignature = { readonly name: string; readonly signature: number }

/** Models of one signature give one digest. */
function groupSignatures(options: MeasureOptions, host: Cpuid | undefined): readonly NamedSignature[] {
  const named = namedSignatures(options).map(({ name, signature }) => ({
    name: name ?? `signature ${hex(signature, 8)}`,
    signature,
  }))
  if (named.length === 0) return everySignature(host)
  return [...Map.groupBy(named, ({ signature }) => signature)].map(([signature, same]) => ({
    signature,
    name: [...new Set(same.map(({ name }) => name))].join(' or '),
  }))
}

/** QEMU's models, and the host's own signature, which guests have with `-cpu host`. */
function everySignature(host: Cpuid | undefined): readonly NamedSignature[] {
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

/** One after the other: their progress is shown on one line. */
async function inTurn<T>(
  paths: readonly string[],
  read: (path: string) => Promise<T>,
): Promise<readonly T[]> {
  const files: T[] = []
  for (const path of paths) files.push(await read(path))
  return files
}
