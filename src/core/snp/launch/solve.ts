/**
 * Finds the launch that explains a MEASUREMENT. It tries every combination of the candidates and computes
 * shared parts once: the pages per firmware, the sections per kernel, and one chain of digests for all
 * numbers of vCPUs.
 */
import { type Firmware, measureFirmware } from './firmware.ts'
import { type KernelHashes, kernelHashesPage } from './kernelHashes.ts'
import { assertVcpus, digestsByVcpus, extendBySections, type SaveAreas, saveAreasOf } from './measure.ts'
import type { VcpuState } from './vmsa.ts'

type FirmwareCandidate = {
  readonly firmware: Firmware
  /** The digest after the firmware's pages, if the caller knows it. */
  readonly digest?: Buffer | undefined
}
type KernelCandidate = { readonly hashes: KernelHashes }
type StateCandidate = { readonly state: VcpuState }

/**
 * The values to try. A caller may add fields of its own, such as a name: the result contains the same
 * objects.
 */
export type Candidates<
  F extends FirmwareCandidate = FirmwareCandidate,
  K extends KernelCandidate = KernelCandidate,
  S extends StateCandidate = StateCandidate,
> = {
  readonly firmwares: readonly F[]
  /** Tried only if the firmware checks kernels. A launch without a kernel is always tried. */
  readonly kernels: readonly K[]
  readonly vcpus: ReadonlySet<number>
  readonly states: readonly S[]
}

/** The launch that has the MEASUREMENT. */
export type FoundLaunch<F, K, S> = {
  readonly firmware: F
  /** Undefined if no kernel was hashed. */
  readonly kernel: K | undefined
  readonly vcpus: number
  readonly state: S
}

/** The number of launches to try. */
export function countLaunches(candidates: Candidates): number {
  const kernels = candidates.firmwares.map(({ firmware }) => kernelsOf(firmware, candidates.kernels).length)
  return kernels.reduce((sum, count) => sum + count, 0) * candidates.states.length * candidates.vcpus.size
}

/**
 * Yields the number of launches tried so far, every few milliseconds. Returns the first launch with this
 * measurement (48 bytes), or undefined if none has it.
 *
 * Throws `launch.impossible` for a number of vCPUs or a state that no guest can have.
 */
export function* solveLaunch<
  F extends FirmwareCandidate,
  K extends KernelCandidate,
  S extends StateCandidate,
>(
  measurement: Uint8Array,
  candidates: Candidates<F, K, S>,
): Generator<number, FoundLaunch<F, K, S> | undefined> {
  const { firmwares, kernels, vcpus: counts, states } = candidates
  for (const count of counts) assertVcpus(count)
  let tried = 0
  for (const firmware of firmwares) {
    const areas = states.map((it) => [it, saveAreasOf(firmware.firmware, it.state)] as const)
    const digestWith = digestsByKernel(firmware)
    for (const kernel of kernelsOf(firmware.firmware, kernels)) {
      const digest = digestWith(kernel?.hashes)
      for (const [state, area] of areas) {
        const vcpus = findVcpus(measurement, digest, area, counts)
        if (vcpus !== undefined) return { firmware, kernel, vcpus, state }
        tried += counts.size
        yield tried
      }
    }
  }
  return undefined
}

function kernelsOf<K>({ hashTable }: Firmware, kernels: readonly K[]): readonly (K | undefined)[] {
  return hashTable === undefined ? [undefined] : [undefined, ...kernels]
}

/**
 * Returns the digest after all sections for a kernel. The part before the kernel's own page is computed once.
 */
function digestsByKernel({
  firmware,
  digest,
}: FirmwareCandidate): (kernel: KernelHashes | undefined) => Buffer {
  const { sections } = firmware
  const place = sections.findIndex(({ kind }) => kind === 'KERNEL_HASHES')
  const shared = place === -1 ? sections.length : place
  const before = extendBySections(digest ?? measureFirmware(firmware), sections.slice(0, shared))
  const rest = sections.slice(shared)
  return (kernel) =>
    extendBySections(before, rest, kernel === undefined ? undefined : kernelHashesPage(firmware, kernel))
}

function findVcpus(
  measurement: Uint8Array,
  digest: Buffer,
  areas: SaveAreas,
  counts: ReadonlySet<number>,
): number | undefined {
  let vcpus = 0
  for (const candidate of digestsByVcpus(digest, areas, Math.max(...counts))) {
    vcpus += 1
    if (counts.has(vcpus) && candidate.equals(measurement)) return vcpus
  }
  return undefined
}
