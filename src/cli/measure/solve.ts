/** `measure --solve`: which of the candidates a MEASUREMENT comes from, in a sentence. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Deps } from '#adapters/sev/launchFiles.ts'
import { readInput } from '#adapters/sev/reportFiles.ts'
import { toHex } from '#core/bytes.ts'
import { countLaunches, solveLaunch } from '#core/snp/launch/solve.ts'
import { assertSettled } from '#core/snp/launch/vmm.ts'
import type { Cpuid } from '#core/snp/product.ts'
import { parseReport } from '#core/snp/report.ts'
import { assertTogether, type MeasureOptions, parseDigest, parseVmm, usage } from './arguments.ts'
import { readCandidates, type Tried } from './candidates.ts'
import { describeLaunch, type LaunchResult } from './measure.ts'

const TURN_MS = 50

export type SolveOptions = MeasureOptions & {
  /** MEASUREMENT in hex. */
  readonly solve?: string | undefined
  /** Or a report that carries it. */
  readonly report?: string | undefined
}

export type SolveResult = {
  readonly sentence: string
  readonly measurement: string
  /** Where the measurement was read from; nothing of it is verified here. */
  readonly report: string | null
  /** How many launches there were to try, and what they were made of. */
  readonly launches: number
  readonly tried: Tried
} & (
  | { readonly verdict: 'explained'; readonly launch: LaunchResult }
  | { readonly verdict: 'unexplained'; readonly launch: null }
)

/** Exit 0 explained, 1 not. Throws as `measureFiles` does, and `report.*` for a file that is no report. */
export async function solveFiles(
  options: SolveOptions,
  deps: Deps,
): Promise<{ readonly exit: number; readonly result: SolveResult }> {
  assertTogether(options)
  const vmm = parseVmm(options.vmm)
  assertSettled(vmm)
  const { measurement, cpuid } = await readMeasurement(options)
  const { candidates, tried } = await readCandidates(options, cpuid, deps)
  const launches = countLaunches(candidates)
  const steps = solveLaunch(measurement, candidates)
  const found = await drive(steps, launches, deps)
  const base = { measurement: toHex(measurement), report: options.report ?? null, launches, tried }
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
}: SolveOptions): Promise<{ readonly measurement: Buffer; readonly cpuid: Cpuid | undefined }> {
  if (solve !== undefined && report !== undefined) throw usage('give --solve or --report, not both')
  if (solve !== undefined) return { measurement: parseDigest(solve, '--solve'), cpuid: undefined }
  if (report === undefined) throw usage('--solve or --report is missing')
  return parseReport(await readInput(report))
}

/** Runs what yields how much it has done, in turns, so that progress is seen and a signal heard. */
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

/** "this is OVMF a.fd with kernel b, 4 vCPUs of EPYC-v4, guest features 0x1 (SNPActive)". */
function sentenceOf({
  ovmf,
  kernel,
  vcpus,
  vcpuType,
  vcpuSig,
  guestFeatures,
  guestFeatureNames,
  fpuState,
}: LaunchResult): string {
  const type = vcpuType ?? `signature ${vcpuSig}`
  return [
    `this is OVMF ${ovmf.file} ${kernel === null ? 'without a measured kernel' : `with kernel ${kernel.kernel.file}`}`,
    ...(kernel === null
      ? []
      : [
          kernel.initrd === null ? 'no initrd' : `initrd ${kernel.initrd.file}`,
          kernel.append.text === ''
            ? 'an empty command line'
            : `command line ${JSON.stringify(kernel.append.text)}`,
        ]),
    `${vcpus} ${vcpus === 1 ? 'vCPU' : 'vCPUs'} of ${type}`,
    `guest features ${guestFeatures} (${guestFeatureNames.join(', ')})`,
    ...(fpuState === 'zero' ? ['on a host whose Linux is older than 6.10'] : []),
  ].join(', ')
}
