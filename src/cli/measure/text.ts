/** The results of `measure` for people: the digest or the sentence first, then what went in, then the steps. */

import type { HashedFile } from '#adapters/sev/launchFiles.ts'
import { PAGE_BYTES } from '#core/snp/launch/digest.ts'
import type { FpuState } from '#core/snp/launch/vmsa.ts'
import type { LaunchResult } from './measure.ts'
import type { SolveResult } from './solve.ts'

export function renderLaunch(launch: LaunchResult): string {
  return `MEASUREMENT   ${launch.measurement}\n\n${inputs(launch)}\n\n${steps(launch)}\n\n${coverage(launch)}\n`
}

export function renderSolution({
  verdict,
  sentence,
  measurement,
  report,
  launch,
  tried,
}: SolveResult): string {
  const source = report === null ? [] : [`from          ${report}, which was read and not verified`]
  const head = [`measurement   ${measurement}`, ...source].join('\n')
  if (verdict === 'explained')
    return `EXPLAINED     ${sentence}\n${head}\n\n${inputs(launch)}\n\n${coverage(launch)}\n`
  const noKernel = tried.ovmfWithoutKernel.map(
    (file) => `              ${file} checks no kernel: none was tried with it`,
  )
  return `${[
    `UNEXPLAINED   ${sentence}`,
    head,
    '',
    'tried',
    `OVMF          ${tried.ovmf.join(', ')}`,
    ...noKernel,
    `kernel        ${['none', ...tried.kernel].join(', ')}`,
    ...(tried.kernel.length === 0
      ? []
      : [
          `initrd        ${tried.initrd.length === 0 ? 'none' : tried.initrd.join(', ')}`,
          `command line  ${tried.append.length === 0 ? 'empty' : tried.append.map(quote).join(', ')}`,
        ]),
    `vCPUs         ${tried.vcpus} of ${tried.vcpuType.join(', ')}`,
    `features      ${tried.guestFeatures.join(', ')}`,
    `registers     x87 and SSE ${tried.fpuState.map((state) => FPU[state]).join(', or ')}`,
    '',
    'What is most often different: another build of OVMF, a command line that the launcher added to, -cpu host (give --vcpu-sig).',
  ].join('\n')}\n`
}

const FPU: Readonly<Record<FpuState, string>> = {
  reset: 'as after a reset (Linux hosts since 6.10)',
  zero: 'zero (Linux hosts before 6.10)',
}

function inputs(launch: LaunchResult): string {
  const { ovmf, kernel, vcpus, vcpuType, vcpuSig, guestFeatures, guestFeatureNames, fpuState } = launch
  const rows = [
    `OVMF          ${hashed(ovmf)}${ovmf.digestGiven ? ', of which table and metadata alone were used' : `, from ${ovmf.gpa}`}`,
    ...(kernel === null
      ? ['kernel        not measured']
      : [
          `kernel        ${hashed(kernel.kernel)}`,
          `initrd        ${kernel.initrd === null ? 'none' : hashed(kernel.initrd)}`,
          `command line  ${quote(kernel.append.text)}, with its zero byte SHA-256 ${kernel.append.sha256}`,
        ]),
    `vCPUs         ${vcpus}${vcpuType === null ? '' : ` of ${vcpuType}`}, signature ${vcpuSig}`,
    `features      ${guestFeatures}: ${guestFeatureNames.join(', ')}`,
    `registers     x87 and SSE ${FPU[fpuState]}`,
    'hypervisor    QEMU and KVM',
  ]
  return rows.join('\n')
}

function hashed({ file, bytes, sha256 }: HashedFile): string {
  return `${file}, ${bytes} bytes, SHA-256 ${sha256}`
}

function steps({ ovmf, sections, kernel, vcpus, steps: after }: LaunchResult): string {
  const pages = sections.map(({ kind, gpa, pages: count }) => {
    const isKernel = kind === 'KERNEL_HASHES' && kernel !== null
    return `    ${kind.padEnd(14)}${gpa.padEnd(12)}${plural(count, 'page')}${isKernel ? ', with the hashes of kernel, initrd and command line' : ''}`
  })
  return [
    `after ${ovmf.digestGiven ? 'OVMF, as given' : `${plural(ovmf.bytes / PAGE_BYTES, 'page')} of OVMF`}`,
    `    ${after.ovmf}`,
    `after ${plural(sections.length, 'section')} of its SEV metadata`,
    ...pages,
    `    ${after.sections}`,
    `after ${plural(vcpus, 'save area')}`,
    `    ${after.vcpus}`,
  ].join('\n')
}

function coverage({ kernel }: LaunchResult): string {
  return kernel === null
    ? 'covered: OVMF and the first state of the vCPUs. NOT covered: kernel, initrd, command line, disk, host data.'
    : 'covered: OVMF, kernel, initrd, command line and the first state of the vCPUs. NOT covered: disk, host data; a disk counts only where the initrd or the command line checks it.'
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function quote(text: string): string {
  return JSON.stringify(text)
}
