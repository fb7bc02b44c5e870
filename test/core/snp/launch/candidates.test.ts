import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LaunchHints, launchCandidates } from '#core/snp/launch/candidates.ts'
import type { FirmwareFile, HashedFile } from '#core/snp/launch/describedLaunch.ts'
import { parseFirmware } from '#core/snp/launch/firmware.ts'
import { countLaunches } from '#core/snp/launch/solve.ts'
import { VCPU_TYPES } from '#core/snp/launch/vcpuTypes.ts'
import { AMD_SEV, buildFirmware } from './firmwareFile.ts'

const file = (name: string, digit: string): HashedFile => ({ file: name, bytes: 1, sha256: digit.repeat(64) })
const ovmf: FirmwareFile = { ...file('OVMF.fd', '0'), firmware: parseFirmware(buildFirmware(AMD_SEV)) }
const plain: FirmwareFile = {
  ...file('plain.fd', '1'),
  firmware: parseFirmware(buildFirmware({ ...AMD_SEV, hashTable: [0, 0] })),
}
const HINTS: LaunchHints = {
  ovmf: [ovmf],
  digest: undefined,
  kernel: [],
  initrd: [],
  append: [],
  vcpus: [1],
  vcpuType: [],
  guestFeatures: [1n],
  fpuState: ['reset'],
  host: undefined,
}
const candidatesOf = (hints: Partial<LaunchHints>) => launchCandidates({ ...HINTS, ...hints })

test('files with the same content are one candidate under all their names', () => {
  const kernel = [file('a', 'a'), file('b', 'b'), file('copy', 'a'), file('a', 'a')]
  const { candidates, tried } = candidatesOf({ kernel })
  assert.deepEqual(tried.kernel, ['a = copy', 'b'])
  assert.deepEqual(
    candidates.kernels.map(({ kernel: { file: name }, initrd, append }) => [name, initrd, append]),
    [
      ['a = copy', undefined, ''],
      ['b', undefined, ''],
    ],
  )
})

test('every kernel is combined with every initrd and command line', () => {
  const { candidates } = candidatesOf({
    kernel: [file('a', 'a'), file('b', 'b')],
    initrd: [file('i', 'c'), file('j', 'd')],
    append: ['x', 'y', 'z'],
  })
  assert.equal(candidates.kernels.length, 12)
})

test('models with the same signature are one candidate', () => {
  const { tried } = candidatesOf({
    vcpuType: [
      { name: 'EPYC-v4', signature: 1 },
      { name: 'EPYC-Milan', signature: 2 },
      { name: 'EPYC', signature: 1 },
      { name: null, signature: 2 },
      { name: null, signature: 3 },
    ],
  })
  assert.deepEqual(tried.vcpuType, [
    'EPYC-v4 or EPYC',
    'EPYC-Milan or signature 0x00000002',
    'signature 0x00000003',
  ])
})

test("without names, every known signature is tried, and the host's own", () => {
  const signatures = new Set(VCPU_TYPES.values())
  const { candidates, tried } = candidatesOf({ host: { family: 0x19, model: 0xa0, stepping: 2 } })
  assert.equal(candidates.states.length, signatures.size + 1)
  assert.equal(tried.vcpuType.at(-1), "the report's processor (-cpu host)")
  assert.equal(candidatesOf({}).candidates.states.length, signatures.size)
})

test('without names, the usual features and both states of the registers are tried', () => {
  const { tried } = candidatesOf({ guestFeatures: [], fpuState: [] })
  assert.equal(tried.guestFeatures.length, 16)
  assert.equal(tried.guestFeatures[0], '0x1')
  assert.deepEqual(tried.fpuState, ['reset', 'zero'])
})

test('firmware that checks no kernel is named, and tried without one', () => {
  const { candidates, tried } = candidatesOf({
    ovmf: [ovmf, plain],
    kernel: [file('a', 'a')],
    vcpuType: [{ name: 'EPYC', signature: 1 }],
  })
  assert.deepEqual(tried.ovmfWithoutKernel, ['plain.fd'])
  assert.equal(countLaunches(candidates), 3)
})
