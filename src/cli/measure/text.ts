/** The results of `measure` for people: the digest or the sentence, then the inputs, then the steps. */

import type { DescribedLaunch, HashedFile } from '#core/snp/launch/describedLaunch.ts'
import { PAGE_BYTES } from '#core/snp/launch/digest.ts'
import type { FpuState } from '#core/snp/launch/vmsa.ts'
import type { SolveResult } from './solve.ts'

export function renderLaunch(launch: DescribedLaunch): string {
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
  const source = report === null ? [] : [`from          ${report}, which was not verified`]
  const head = [`measurement   ${measurement}`, ...source].join('\n')
  if (verdict === 'explained')
    return `EXPLAINED     ${sentence}\n${head}\n\n${inputs(launch)}\n\n${coverage(launch)}\n`
  const noKernel = tried.ovmfWithoutKernel.map(
    (file) => `              ${file} checks no kernel, so none was tried with it`,
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
    'The most frequent differences: another build of OVMF, a command line that the launcher extended, -cpu host (give --vcpu-sig).',
  ].join('\n')}\n`
}

/** "this is OVMF a.fd with kernel b, 4 vCPUs of EPYC-v4, guest features 0x1 (SNPActive)". */
export function sentenceOf(launch: DescribedLaunch): string {
  const { ovmf, kernel, vcpus, vcpuType, vcpuSig, guestFeatures, guestFeatureNames, fpuState } = launch
  return [
    `this is OVMF ${ovmf.file} ${kernel === null ? 'without a measured kernel' : `with kernel ${kernel.kernel.file}`}`,
    ...(kernel === null
      ? []
      : [
          kernel.initrd === null ? 'no initrd' : `initrd ${kernel.initrd.file}`,
          kernel.append.text === '' ? 'an empty command line' : `command line ${quote(kernel.append.text)}`,
        ]),
    `${plural(vcpus, 'vCPU')} of ${vcpuType ?? `signature ${vcpuSig}`}`,
    `guest features ${guestFeatures} (${guestFeatureNames.join(', ')})`,
    ...(fpuState === 'zero' ? ['on a host whose Linux is older than 6.10'] : []),
  ].join(', ')
}

const FPU: Readonly<Record<FpuState, string>> = {
  reset: 'as after a reset (Linux hosts since 6.10)',
  zero: 'zero (Linux hosts before 6.10)',
}

function inputs(launch: DescribedLaunch): string {
  const { ovmf, kernel, vcpus, vcpuType, vcpuSig, guestFeatures, guestFeatureNames, fpuState } = launch
  const rows = [
    `OVMF          ${hashed(ovmf)}${ovmf.digestGiven ? ', of which only table and metadata were used' : `, from ${ovmf.gpa}`}`,
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

function steps({ ovmf, sections, kernel, vcpus, steps: after }: DescribedLaunch): string {
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

function coverage({ kernel }: DescribedLaunch): string {
  return kernel === null
    ? 'covered: OVMF and the first state of the vCPUs. NOT covered: kernel, initrd, command line, disk, host data.'
    : 'covered: OVMF, kernel, initrd, command line and the first state of the vCPUs. NOT covered: disk, host data; a disk counts only if the initrd or the command line checks it.'
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function quote(text: string): string {
  return JSON.stringify(text)
}
