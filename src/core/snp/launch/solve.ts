/**
 * Which launch explains a MEASUREMENT: tries every combination of candidates, and computes what combinations share once
 * (the firmware's pages for each firmware, the sections for each kernel, and one chain for all numbers of vCPUs).
 */
import { type Firmware, measureFirmware } from './firmware.ts'
import { type KernelHashes, kernelHashesPage } from './kernelHashes.ts'
import { assertVcpus, digestsByVcpus, extendBySections, type SaveAreas, saveAreasOf } from './measure.ts'
import type { VcpuState } from './vmsa.ts'

type FirmwareCandidate = {
  readonly firmware: Firmware
  /** After the firmware's pages, where it is known already. */
  readonly digest?: Buffer | undefined
}
type KernelCandidate = { readonly hashes: KernelHashes }
type StateCandidate = { readonly state: VcpuState }

/** What each is called and where it comes from is the caller's, who gets the same values back. */
export type Candidates<
  F extends FirmwareCandidate = FirmwareCandidate,
  K extends KernelCandidate = KernelCandidate,
  S extends StateCandidate = StateCandidate,
> = {
  readonly firmwares: readonly F[]
  /** Tried where the firmware checks kernels. A launch without is tried always. */
  readonly kernels: readonly K[]
  readonly vcpus: ReadonlySet<number>
  readonly states: readonly S[]
}

export type Explanation<F, K, S> = {
  readonly firmware: F
  /** Undefined: no kernel was hashed. */
  readonly kernel: K | undefined
  readonly vcpus: number
  readonly state: S
}

/** How many launches there are to try. */
export function countLaunches(candidates: Candidates): number {
  const kernels = candidates.firmwares.map(({ firmware }) => kernelsOf(firmware, candidates.kernels).length)
  return kernels.reduce((sum, count) => sum + count, 0) * candidates.states.length * candidates.vcpus.size
}

/**
 * Yields, every few milliseconds, how many launches were tried; returns the first that has this measurement. Throws
 * `launch.impossible` for a number of vCPUs or a state that no guest has.
 */
export function* solveLaunch<
  F extends FirmwareCandidate,
  K extends KernelCandidate,
  S extends StateCandidate,
>(
  measurement: Uint8Array,
  candidates: Candidates<F, K, S>,
): Generator<number, Explanation<F, K, S> | undefined> {
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

/** The digest after all sections, for any kernel; up to the kernel's own page it is the same for all. */
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
