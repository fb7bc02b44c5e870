/** `measure --solve`: from its flags to the launch that explains a measurement. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { hashFile, readFirmware } from '#adapters/sev/launchFiles.ts'
import { readInput } from '#adapters/sev/reportFiles.ts'
import { toHex } from '#core/bytes.ts'
import { type LaunchHints, launchCandidates, type Tried } from '#core/snp/launch/candidates.ts'
import { type DescribedLaunch, describeLaunch } from '#core/snp/launch/describedLaunch.ts'
import { countLaunches, solveLaunch } from '#core/snp/launch/solve.ts'
import { assertSettled } from '#core/snp/launch/vmm.ts'
import type { Cpuid } from '#core/snp/product.ts'
import { parseReport } from '#core/snp/report.ts'
import {
  assertTogether,
  type MeasureOptions,
  parseDigest,
  parseFeatures,
  parseFpuStates,
  parseNamedSignatures,
  parseVcpus,
  parseVmm,
  usage,
} from './arguments.ts'
import type { Deps } from './measure.ts'
import { sentenceOf } from './text.ts'

const TURN_MS = 50
const USUAL_VCPUS = '1-256'

export type SolveOptions = MeasureOptions & {
  /** The measurement in hex. */
  readonly solve?: string | undefined
  /** Or a report that carries it. */
  readonly report?: string | undefined
}

export type SolveResult = {
  readonly sentence: string
  readonly measurement: string
  /** The report that the measurement was read from; it was not verified. */
  readonly report: string | null
  /** How many launches there were to try, and from which candidates. */
  readonly launches: number
  readonly tried: Tried & { readonly vcpus: string }
} & (
  | { readonly verdict: 'explained'; readonly launch: DescribedLaunch }
  | { readonly verdict: 'unexplained'; readonly launch: null }
)

/** Exit 0 explained, 1 not. Throws as `measureFiles` does, and `report.*` for a file that is not a report. */
export async function solveFiles(
  options: SolveOptions,
  deps: Deps,
): Promise<{ readonly exit: number; readonly result: SolveResult }> {
  assertTogether(options)
  const vmm = parseVmm(options.vmm)
  assertSettled(vmm)
  const { measurement, cpuid } = await readMeasurement(options)
  const vcpusGiven = options.vcpus.length === 0 ? USUAL_VCPUS : options.vcpus.join(',')
  const hints = await readHints({ ...options, vcpus: [vcpusGiven] }, cpuid, deps)
  const { candidates, tried } = launchCandidates(hints)
  const launches = countLaunches(candidates)
  const found = await drive(solveLaunch(measurement, candidates), launches, deps)
  const base = {
    measurement: toHex(measurement),
    report: options.report ?? null,
    launches,
    tried: { ...tried, vcpus: vcpusGiven },
  }
  if (found === undefined) {
    const sentence = `none of the ${launches} launches that were tried has this measurement`
    return { exit: 1, result: { verdict: 'unexplained', sentence, ...base, launch: null } }
  }
  const { firmware: ovmf, kernel, vcpus, state } = found
  const { vcpuType, state: vcpu } = state
  const launch = describeLaunch({ vmm, ovmf, digest: ovmf.digest, kernel, vcpus, vcpuType, vcpu })
  return { exit: 0, result: { verdict: 'explained', sentence: sentenceOf(launch), ...base, launch } }
}

async function readMeasurement({
  solve,
  report,
}: SolveOptions): Promise<{ readonly measurement: Uint8Array; readonly cpuid: Cpuid | undefined }> {
  if (solve !== undefined && report !== undefined) throw usage('give --solve or --report, not both')
  if (solve !== undefined) return { measurement: parseDigest(solve, '--solve'), cpuid: undefined }
  if (report === undefined) throw usage('--solve or --report is missing')
  return parseReport(await readInput(report))
}

/** Parses every flag before it reads a file. */
async function readHints(options: MeasureOptions, host: Cpuid | undefined, deps: Deps): Promise<LaunchHints> {
  const { ovmfHash, append } = options
  const parsed = {
    digest: ovmfHash === undefined ? undefined : parseDigest(ovmfHash, '--ovmf-hash'),
    append,
    vcpus: parseVcpus(options.vcpus),
    vcpuType: parseNamedSignatures(options),
    guestFeatures: parseFeatures(options.guestFeatures),
    fpuState: parseFpuStates(options.fpuState),
    host,
  }
  return {
    ...parsed,
    ovmf: await inTurn(options.ovmf, readFirmware),
    kernel: await inTurn(options.kernel, (path) => hashFile(path, deps)),
    initrd: await inTurn(options.initrd, (path) => hashFile(path, deps)),
  }
}

/** One after the other: their progress shares a line. */
async function inTurn<T>(
  paths: readonly string[],
  read: (path: string) => Promise<T>,
): Promise<readonly T[]> {
  const files: T[] = []
  for (const path of paths) files.push(await read(path))
  return files
}

/** Runs a generator that yields its progress, in turns, so that progress is shown and a signal is noticed. */
async function drive<T>(steps: Generator<number, T>, total: number, { progress, signal }: Deps): Promise<T> {
  const show = progress('solving', 'launches')
  let turn = performance.now()
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value
    if (performance.now() - turn < TURN_MS) continue
    show(step.value, total)
    await nextTurn()
    signal.throwIfAborted()
    turn = performance.now()
  }
}
