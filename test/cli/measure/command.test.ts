import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { MeasureOptions } from '#cli/measure/arguments.ts'
import { measureFiles } from '#cli/measure/measure.ts'
import { type SolveOptions, solveFiles } from '#cli/measure/solve.ts'
import { renderLaunch, renderSolution } from '#cli/measure/text.ts'
import { sha256, toHex } from '#core/bytes.ts'
import type { FpuState } from '#core/snp/launch/vmsa.ts'
import { mint, testAuthority } from '../../amd.ts'
import { AMD_SEV, buildFirmware, seededBytes } from '../../core/snp/launch/firmwareFile.ts'
import { type LaunchVector, VECTORS } from '../../core/snp/launch/vectors.ts'
import { cli } from '../process.ts'

const folder = await mkdtemp(join(tmpdir(), 'cw-measure-'))
after(() => rm(folder, { recursive: true }))
const path = (name: string) => join(folder, name)

async function write(name: string, content: Uint8Array): Promise<string> {
  await writeFile(path(name), content)
  return path(name)
}

const kernelBytes = seededBytes('kernel', 10_000)
const ovmf = await write('OVMF.fd', buildFirmware(AMD_SEV))
const plain = await write('plain.fd', buildFirmware({ ...AMD_SEV, hashTable: [0, 0] }))
const kernel = await write('vmlinuz', kernelBytes)
const copy = await write('vmlinuz-copy', kernelBytes)
const initrd = await write('initrd.img', seededBytes('initrd', 50_000))
const other = await write('other', Buffer.from('something else'))
const half = await write('half.fd', buildFirmware(AMD_SEV).subarray(100))

const NOTHING: MeasureOptions = {
  ovmf: [],
  vcpus: [],
  vcpuType: [],
  vcpuSig: [],
  kernel: [],
  initrd: [],
  append: [],
  guestFeatures: [],
  fpuState: [],
  vmm: 'qemu',
}

/** Records the progress of each named step. */
function watch(signal = new AbortController().signal) {
  const said = new Map<string, number>()
  const progress = (what: string) => (done: number) => void said.set(what, done)
  return { said, deps: { progress, signal } }
}

const measure = (options: Partial<MeasureOptions>) => measureFiles({ ...NOTHING, ...options }, watch().deps)
const solve = (options: Partial<SolveOptions>) => solveFiles({ ...NOTHING, ...options }, watch().deps)

async function optionsOf(vector: LaunchVector, index: number): Promise<Partial<MeasureOptions>> {
  const seeded = async (name: string, file: LaunchVector['kernel']) =>
    file === null ? [] : [await write(`${index}.${name}`, seededBytes(file.seed, file.bytes))]
  return {
    ovmf: [await write(`${index}.fd`, buildFirmware(vector.firmware))],
    ovmfHash: vector.ovmfHash ?? undefined,
    kernel: await seeded('kernel', vector.kernel),
    initrd: await seeded('initrd', vector.initrd),
    append: vector.append === null ? [] : [vector.append],
    vcpus: [String(vector.vcpus)],
    vcpuSig: [vector.vcpuSig],
    guestFeatures: [vector.guestFeatures],
    fpuState: [vector.fpuState],
  }
}

test('the vectors have the same measurement when they come from files', async () => {
  for (const [index, vector] of VECTORS.entries()) {
    const launch = await measure(await optionsOf(vector, index))
    assert.equal(launch.measurement, vector.measurement, vector.name)
    assert.equal(launch.steps.vcpus, vector.measurement)
  }
})

const usual = { ovmf: [ovmf], vcpus: ['4'], vcpuType: ['EPYC-v4'] }
const withKernel = { ...usual, kernel: [kernel], initrd: [initrd], append: ['console=ttyS0 ro'] }

test('the result describes every input', async () => {
  const { said, deps } = watch()
  const launch = await measureFiles({ ...NOTHING, ...withKernel, guestFeatures: ['0x21'] }, deps)
  assert.deepEqual(launch.ovmf, {
    file: ovmf,
    bytes: 12_288,
    sha256: toHex(sha256(buildFirmware(AMD_SEV))),
    gpa: '0xffffd000',
    digestGiven: false,
  })
  assert.deepEqual(launch.sections[5], { kind: 'KERNEL_HASHES', gpa: '0x810000', pages: 1 })
  assert.deepEqual(launch.kernel, {
    kernel: { file: kernel, bytes: 10_000, sha256: toHex(sha256(kernelBytes)) },
    initrd: { file: initrd, bytes: 50_000, sha256: toHex(sha256(seededBytes('initrd', 50_000))) },
    append: { text: 'console=ttyS0 ro', sha256: toHex(sha256(Buffer.from('console=ttyS0 ro\0'))) },
  })
  const { vcpus, vcpuType, vcpuSig, guestFeatures, guestFeatureNames, fpuState, vmm } = launch
  assert.deepEqual(
    { vcpus, vcpuType, vcpuSig, guestFeatures, guestFeatureNames, fpuState, vmm },
    {
      vcpus: 4,
      vcpuType: 'EPYC-v4',
      vcpuSig: '0x00800f12',
      guestFeatures: '0x21',
      guestFeatureNames: ['SNPActive', 'DebugSwap'],
      fpuState: 'reset',
      vmm: 'qemu',
    },
  )
  assert.deepEqual(
    [...said.entries()],
    [
      [`reading ${kernel}`, 10_000],
      [`reading ${initrd}`, 50_000],
    ],
  )
  const text = renderLaunch(launch)
  for (const line of [
    new RegExp(`^MEASUREMENT {3}${launch.measurement}\n`),
    /^command line {2}"console=ttyS0 ro", /m,
    /^vCPUs {9}4 of EPYC-v4, signature 0x00800f12$/m,
    /^ {4}KERNEL_HASHES 0x810000 {4}1 page, with the hashes/m,
    /^after 3 pages of OVMF\n {4}[0-9a-f]{96}$/m,
    /^covered: OVMF, kernel, initrd, /m,
  ])
    assert.match(text, line)
  assert.match(renderLaunch(await measure(usual)), /^kernel {8}not measured$[\s\S]*NOT covered: kernel, /m)
})

test('an absent initrd or command line is an empty one', async () => {
  const empty = await write('empty', Buffer.alloc(0))
  const { measurement } = await measure({ ...usual, kernel: [kernel] })
  const spelled = await measure({ ...usual, kernel: [kernel], initrd: [empty], append: [''] })
  assert.equal(spelled.measurement, measurement)
})

const refusals: readonly (readonly [string, Partial<SolveOptions>, string, RegExp])[] = [
  ['no OVMF', { ...usual, ovmf: [] }, 'usage.invalid', /^--ovmf is missing$/],
  [
    'two OVMFs',
    { ...usual, ovmf: [ovmf, plain] },
    'usage.invalid',
    /^--ovmf takes one value; several are for --solve/,
  ],
  ['no vCPUs', { ...usual, vcpus: [] }, 'usage.invalid', /^--vcpus is missing$/],
  ['a range of vCPUs', { ...usual, vcpus: ['1-4'] }, 'usage.invalid', /^--vcpus takes one value/],
  [
    'zero vCPUs',
    { ...usual, vcpus: ['0'] },
    'usage.invalid',
    /^--vcpus takes a number or a range .* not "0"$/,
  ],
  ['4097 vCPUs', { ...usual, vcpus: ['4097'] }, 'usage.invalid', /up to 4096, not "4097"$/],
  ['a descending range', { ...usual, vcpus: ['4-2'] }, 'usage.invalid', /not "4-2"$/],
  ['vCPUs in words', { ...usual, vcpus: ['four'] }, 'usage.invalid', /not "four"$/],
  ['no type', { ...usual, vcpuType: [] }, 'usage.invalid', /^--vcpu-type \(or --vcpu-sig\) is missing$/],
  ['type and signature', { ...usual, vcpuSig: ['0x1'] }, 'usage.invalid', /takes one value/],
  ['an unknown type', { ...usual, vcpuType: ['host'] }, 'usage.invalid', /EPYC-Turin-v1, not "host"$/],
  [
    'a property of every object as a type',
    { ...usual, vcpuType: ['constructor'] },
    'usage.invalid',
    /not "constructor"$/,
  ],
  [
    'a signature in decimal',
    { ...usual, vcpuType: [], vcpuSig: ['8392466'] },
    'usage.invalid',
    /^--vcpu-sig takes 32 bits/,
  ],
  [
    'a signature of 33 bits',
    { ...usual, vcpuType: [], vcpuSig: ['0x100000000'] },
    'usage.invalid',
    /^--vcpu-sig takes 32 bits/,
  ],
  [
    'features in decimal',
    { ...usual, guestFeatures: ['33'] },
    'usage.invalid',
    /^--guest-features takes 64 bits/,
  ],
  ['features of 65 bits', { ...usual, guestFeatures: ['0x10000000000000001'] }, 'usage.invalid', /64 bits/],
  [
    'two sets of features',
    { ...usual, guestFeatures: ['0x1,0x21'] },
    'usage.invalid',
    /^--guest-features takes one/,
  ],
  [
    'features without SNP',
    { ...usual, guestFeatures: ['0x20'] },
    'launch.impossible',
    /expected bit 0 \(SNPActive\) to be set$/,
  ],
  [
    'unknown registers',
    { ...usual, fpuState: ['some'] },
    'usage.invalid',
    /^--fpu-state takes reset or zero, not "some"$/,
  ],
  [
    'two states of registers',
    { ...usual, fpuState: ['reset', 'zero'] },
    'usage.invalid',
    /^--fpu-state takes one/,
  ],
  [
    'an unknown hypervisor',
    { ...usual, vmm: 'xen' },
    'usage.invalid',
    /^--vmm takes qemu, ec2, gce, not "xen"$/,
  ],
  ['EC2', { ...usual, vmm: 'ec2' }, 'launch.unsettled', /^the launch digest is not computed for ec2: /],
  ['GCE', { ...usual, vmm: 'gce' }, 'launch.unsettled', /^the launch digest is not computed for gce: /],
  ['an initrd without a kernel', { ...usual, initrd: [initrd] }, 'usage.invalid', /--kernel is missing$/],
  ['a command line without a kernel', { ...usual, append: [''] }, 'usage.invalid', /--kernel is missing$/],
  ['two kernels', { ...usual, kernel: [kernel, copy] }, 'usage.invalid', /^--kernel takes one/],
  ['two initrds', { ...withKernel, initrd: [initrd, other] }, 'usage.invalid', /^--initrd takes one/],
  ['two command lines', { ...withKernel, append: ['a', 'b'] }, 'usage.invalid', /^--append takes one/],
  [
    'a short digest',
    { ...usual, ovmfHash: 'ab' },
    'usage.invalid',
    /^--ovmf-hash takes 96 digits of lower-case hex$/,
  ],
  [
    'a digest of two files',
    { ...usual, ovmf: [ovmf, plain], ovmfHash: 'ab'.repeat(48) },
    'usage.invalid',
    /^--ovmf-hash belongs to one file/,
  ],
  [
    'a kernel that the firmware does not check',
    { ...withKernel, ovmf: [plain] },
    'launch.impossible',
    /would boot any kernel$/,
  ],
  [
    'a file that is not an OVMF',
    { ...usual, ovmf: [half] },
    'firmware.malformed',
    /^the OVMF file has 12188 bytes/,
  ],
  ['a missing file', { ...usual, ovmf: [path('none')] }, 'input.unreadable', /cannot be read as a file$/],
  ['a folder for a kernel', { ...usual, kernel: [folder] }, 'input.unreadable', /cannot be read as a file$/],
]
for (const [name, options, code, message] of refusals)
  test(`${name}: ${code}`, () => assert.rejects(measure(options), { code, message }))

test('OVMF of more than 16 MiB is not read', async () => {
  const large = await write('large.fd', Buffer.alloc(16 * 1024 * 1024 + 4096))
  await assert.rejects(measure({ ...usual, ovmf: [large] }), {
    code: 'firmware.malformed',
    message: /has 16781312 bytes, the limit for OVMF is 16777216$/,
  })
})

const { measurement } = await measure({ ...withKernel, guestFeatures: ['0x21'] })

test('a sentence says which launch explains a measurement', async () => {
  const given = {
    ovmf: [plain, ovmf],
    kernel: [other, copy, kernel],
    initrd: [initrd],
    append: ['quiet', 'console=ttyS0 ro'],
  }
  const { exit, result } = await solve({
    ...given,
    solve: measurement,
    vcpuType: ['EPYC-v4', 'EPYC-Milan', 'EPYC'],
  })
  assert.deepEqual([exit, result.verdict, result.launch?.measurement], [0, 'explained', measurement])
  assert.ok(renderSolution(result).startsWith(`EXPLAINED     ${result.sentence}\n`))
  assert.match(
    renderSolution(result),
    new RegExp(
      `^EXPLAINED     this is OVMF ${ovmf} with kernel ${copy} = ${kernel}, initrd ${initrd}, command line "console=ttyS0 ro", 4 vCPUs of EPYC-v4 or EPYC, guest features 0x21 \\(SNPActive, DebugSwap\\)\n`,
    ),
  )
})

const explained: readonly (readonly [string, Partial<MeasureOptions>, Partial<SolveOptions>, RegExp])[] = [
  [
    'every known type, when none is named',
    { ...usual, vcpuType: ['EPYC-Genoa-v2'] },
    { ovmf: [ovmf] },
    /without a measured kernel, 4 vCPUs of EPYC-Genoa \(any version\), guest features 0x1 \(SNPActive\)\n/,
  ],
  [
    'a signature of no known model',
    { ...usual, vcpuType: [], vcpuSig: ['0x00a10f11'], vcpus: ['1'] },
    { ovmf: [ovmf], vcpuSig: ['0x1', '0x00a10f11'] },
    /1 vCPU of signature 0x00a10f11, /,
  ],
  [
    'the usual features, when none are named',
    { ...usual, guestFeatures: ['0x221'] },
    { ovmf: [ovmf] },
    /0x221 \(SNPActive, DebugSwap, SecureTSC\)\n/,
  ],
  [
    'named features',
    { ...usual, guestFeatures: ['0x8001'] },
    { ovmf: [ovmf], guestFeatures: ['0x1,0x8001'] },
    /0x8001 \(SNPActive, SmtProtection\)\n/,
  ],
  [
    'hosts before Linux 6.10',
    { ...usual, fpuState: ['zero'] },
    { ovmf: [ovmf] },
    /, on a host whose Linux is older than 6\.10\n/,
  ],
  ['256 vCPUs', { ...usual, vcpus: ['256'] }, { ovmf: [ovmf] }, /256 vCPUs of EPYC \(any version\)/],
  ['named vCPUs', { ...usual, vcpus: ['300'] }, { ovmf: [ovmf], vcpus: ['1-4,290-310'] }, /300 vCPUs/],
  [
    'a kernel that was not measured after all',
    usual,
    { ...withKernel, vcpus: [], vcpuType: [] },
    /without a measured kernel/,
  ],
  [
    'a kernel without initrd and command line',
    { ...usual, kernel: [kernel] },
    { ovmf: [ovmf], kernel: [kernel] },
    new RegExp(`with kernel ${kernel}, no initrd, an empty command line, 4`),
  ],
  [
    'a given digest of OVMF',
    { ...usual, ovmfHash: 'ab'.repeat(48) },
    { ovmf: [ovmf], ovmfHash: 'ab'.repeat(48) },
    /of which only table and metadata were used/,
  ],
]
for (const [name, launch, options, sentence] of explained)
  test(`explained: ${name}`, async () => {
    const { measurement: wanted } = await measure(launch)
    const { exit, result } = await solve({ ...options, solve: wanted })
    assert.deepEqual([exit, result.launch?.measurement], [0, wanted])
    assert.match(renderSolution(result), sentence)
  })

test('an unexplained measurement: exit 1, with everything that was tried', async () => {
  const { exit, result } = await solve({
    solve: measurement,
    ovmf: [ovmf, plain],
    kernel: [other, kernel],
    append: ['console=ttyS0'],
    vcpus: ['1-8'],
    vcpuType: ['EPYC-v4'],
    guestFeatures: ['0x1'],
    fpuState: ['reset'],
  })
  assert.equal(exit, 1)
  assert.deepEqual(result, {
    verdict: 'unexplained',
    sentence: 'none of the 32 launches that were tried has this measurement',
    measurement,
    report: null,
    launch: null,
    launches: 32,
    tried: {
      ovmf: [ovmf, plain],
      ovmfWithoutKernel: [plain],
      kernel: [other, kernel],
      initrd: [],
      append: ['console=ttyS0'],
      vcpus: '1-8',
      vcpuType: ['EPYC-v4'],
      guestFeatures: ['0x1'],
      fpuState: ['reset'] satisfies readonly FpuState[],
    },
  })
  const text = renderSolution(result)
  assert.match(text, /^UNEXPLAINED {3}none of the 32 launches that were tried has this measurement\n/)
  assert.ok(text.includes(`${plain} checks no kernel, so none was tried with it\n`))
})

test('the measurement may come from a report', async () => {
  const { bytes } = mint(await testAuthority(), { measurement })
  const report = await write('report.bin', bytes)
  const { exit, result } = await solve({ ...withKernel, vcpus: [], vcpuType: [], report })
  assert.deepEqual([exit, result.measurement, result.report], [0, measurement, report])
  assert.ok(renderSolution(result).includes(`\nfrom          ${report}, which was not verified\n`))
  await assert.rejects(solve({ ...usual, report: other }), { code: 'report.malformed' })
  await assert.rejects(solve({ ...usual, report, solve: measurement }), { code: 'usage.invalid' })
  await assert.rejects(solve({ ...usual, solve: measurement.toUpperCase() }), { code: 'usage.invalid' })
  await assert.rejects(solve({ ...usual, vmm: 'gce', report }), { code: 'launch.unsettled' })
  await assert.rejects(solve({ ...usual, ovmf: [], report }), { code: 'usage.invalid' })
})

test("the signature of the report's own processor is tried: guests have it with -cpu host", async () => {
  const cpuid = { family: 0x19, model: 0xa0, stepping: 2 }
  const own = await measure({ ...usual, vcpuType: [], vcpuSig: ['0x00aa0f02'] })
  const { bytes } = mint(await testAuthority(), { measurement: own.measurement, cpuid })
  const { result } = await solve({ ovmf: [ovmf], report: await write('host.bin', bytes) })
  assert.match(result.sentence, /, 4 vCPUs of the report's processor \(-cpu host\), /)
  assert.equal(result.launch?.vcpuSig, '0x00aa0f02')
})

test('a signal ends the search', async () => {
  const { said, deps } = watch(AbortSignal.abort(new Error('enough')))
  const options = {
    ...NOTHING,
    ovmf: [ovmf],
    vcpus: ['1-4096'],
    guestFeatures: ['0x1,0x3,0x5,0x7,0x9,0xb,0xd,0xf'],
  }
  await assert.rejects(solveFiles({ ...options, solve: 'ab'.repeat(48) }, deps), { message: 'enough' })
  assert.ok((said.get('solving') ?? 0) > 0)
})

test('measure on the command line: text, JSON and exit codes', async () => {
  const typed = ['--ovmf', ovmf, '--kernel', kernel, '--initrd', initrd, '--append', 'console=ttyS0 ro']
  const [text, json, solved, unsolved, nothing] = await Promise.all([
    cli('measure', ...typed, '--vcpus', '4', '--vcpu-type', 'EPYC-v4', '--guest-features', '0x21'),
    cli('measure', ...typed, '--vcpus', '4', '--vcpu-type', 'EPYC-v4', '--guest-features', '0x21', '--json'),
    cli('measure', ...typed, '--append', 'quiet', '--vcpus', '1-8', '--solve', measurement, '--json'),
    cli('measure', '--ovmf', plain, '--solve', measurement),
    cli('measure', '--ovmf', ovmf),
  ])
  assert.equal(text.code, 0, text.stderr)
  assert.equal(text.stdout.split('\n')[0], `MEASUREMENT   ${measurement}`)
  assert.equal(JSON.parse(json.stdout).measurement, measurement)
  assert.deepEqual([solved.code, JSON.parse(solved.stdout).launch.vcpus], [0, 4])
  assert.deepEqual([unsolved.code, unsolved.stderr], [1, ''])
  assert.deepEqual([nothing.code, nothing.stdout], [2, ''])
  assert.match(nothing.stderr, /^error: --vcpus is missing \(usage\.invalid\)\n/)
})
