import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { sha256, toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { measureFirmware, parseFirmware } from '#core/snp/launch/firmware.ts'
import { hashAppend, NO_INITRD } from '#core/snp/launch/kernelHashes.ts'
import { type Launch, measureLaunch } from '#core/snp/launch/measure.ts'
import { featureNames, USUAL_FEATURES } from '#core/snp/launch/sevFeatures.ts'
import { VCPU_TYPES, vcpuSignature } from '#core/snp/launch/vcpuTypes.ts'
import { assertSettled, VMMS } from '#core/snp/launch/vmm.ts'
import { AMD_SEV, buildFirmware } from './firmwareFile.ts'
import { launchOf, VECTORS } from './vectors.ts'

test('the vectors of test/vectors/launch', async (t) => {
  assert.equal(VECTORS.length, 27)
  assert.equal(new Set(VECTORS.map(({ measurement }) => measurement)).size, VECTORS.length)
  for (const vector of VECTORS)
    await t.test(vector.name, () =>
      assert.equal(toHex(measureLaunch(launchOf(vector)).measurement), vector.measurement),
    )
})

const FOLDER = new URL('../../../../../shared/fixtures/snp/measure/', import.meta.url)
const skip = existsSync(FOLDER) ? false : 'the folder of measured OVMF builds is absent'

type Fixture = {
  readonly name: string
  readonly vcpus: number
  readonly vcpuType: string
  readonly vcpuSig: string
  readonly ovmf: string
  readonly ovmfHash: string | null
  readonly kernelHex: string | null
  readonly initrdHex: string | null
  readonly append: string | null
  readonly guestFeatures: string
  readonly expectedLaunchDigest: string | null
  readonly expectedError: string | null
}

test('the vectors of sev-snp-measure, with the last parts of two real OVMF builds', { skip }, async (t) => {
  const fixtures: readonly Fixture[] = JSON.parse(readFileSync(new URL('vectors.json', FOLDER), 'utf8'))
  assert.equal(fixtures.length, 9)
  for (const fixture of fixtures)
    await t.test(fixture.name, () => {
      const { kernelHex, initrdHex, ovmfHash } = fixture
      assert.equal(VCPU_TYPES.get(fixture.vcpuType), Number(fixture.vcpuSig))
      const launch: Launch = {
        firmware: parseFirmware(readFileSync(new URL(fixture.ovmf, FOLDER))),
        firmwareDigest: ovmfHash === null ? undefined : Buffer.from(ovmfHash, 'hex'),
        kernel:
          kernelHex === null
            ? undefined
            : {
                kernel: sha256(Buffer.from(kernelHex, 'hex')),
                initrd: initrdHex === null ? NO_INITRD : sha256(Buffer.from(initrdHex, 'hex')),
                append: hashAppend(fixture.append ?? ''),
              },
        vcpus: fixture.vcpus,
        vcpu: { signature: Number(fixture.vcpuSig), features: BigInt(fixture.guestFeatures), fpu: 'reset' },
      }
      if (fixture.expectedError === null)
        assert.equal(toHex(measureLaunch(launch).measurement), fixture.expectedLaunchDigest)
      else assertRefused(() => measureLaunch(launch), NO_PLACE)
    })
})

const firmware = parseFirmware(buildFirmware(AMD_SEV))
const launch: Launch = {
  firmware,
  kernel: undefined,
  vcpus: 2,
  vcpu: { signature: 0x800f12, features: 1n, fpu: 'reset' },
}
const kernel = { kernel: NO_INITRD, initrd: NO_INITRD, append: hashAppend('') }

test('a given firmware digest replaces the pages of the firmware', () => {
  const measured = measureLaunch(launch)
  const digest = measureFirmware(firmware)
  assert.deepEqual(measured.firmware, digest)
  assert.deepEqual(measureLaunch({ ...launch, firmwareDigest: digest }), measured)
})

const NO_PLACE = 'a kernel is given, but this OVMF file has no room for its hash and would boot any kernel'
const withState = (state: Partial<Launch['vcpu']>): Launch => ({
  ...launch,
  vcpu: { ...launch.vcpu, ...state },
})
const refusals: readonly (readonly [string, Launch, string])[] = [
  ['no vCPU', { ...launch, vcpus: 0 }, 'the number of vCPUs is 0, expected 1 to 4096'],
  ['half a vCPU', { ...launch, vcpus: 1.5 }, 'the number of vCPUs is 1.5, expected 1 to 4096'],
  [
    'more vCPUs than KVM allows',
    { ...launch, vcpus: 4097 },
    'the number of vCPUs is 4097, expected 1 to 4096',
  ],
  [
    'a signature below zero',
    withState({ signature: -1 }),
    'the vCPU signature is -1, expected a 32-bit number',
  ],
  [
    'a signature of 33 bits',
    withState({ signature: 2 ** 32 }),
    'the vCPU signature is 4294967296, expected a 32-bit number',
  ],
  [
    'a fractional signature',
    withState({ signature: 0.5 }),
    'the vCPU signature is 0.5, expected a 32-bit number',
  ],
  [
    'features of 65 bits',
    withState({ features: 2n ** 64n + 1n }),
    'the guest features are not a 64-bit number',
  ],
  ['features below zero', withState({ features: -1n }), 'the guest features are not a 64-bit number'],
  [
    'features without SNPActive',
    withState({ features: 0x20n }),
    'the guest features are 0x20, expected bit 0 (SNPActive) to be set',
  ],
  [
    'a kernel with firmware that checks none',
    { ...launch, kernel, firmware: parseFirmware(buildFirmware({ ...AMD_SEV, hashTable: [0, 0] })) },
    NO_PLACE,
  ],
]
for (const [name, input, message] of refusals)
  test(`refused: ${name}`, () => assertRefused(() => measureLaunch(input), message))

test('a guest may have the minimum and the maximum of everything', () => {
  measureLaunch(withState({ signature: 0 }))
  measureLaunch({ ...launch, vcpus: 4096 })
  measureLaunch(withState({ signature: 2 ** 32 - 1, features: 2n ** 64n - 1n }))
})

test('a command line with a zero byte is refused', () =>
  assertRefused(() => hashAppend('quiet\0init=/bin/sh'), 'the kernel command line contains a zero byte'))

function assertRefused(compute: () => unknown, message: string): void {
  assert.throws(compute, (error) => {
    assert.ok(error instanceof CodedError)
    assert.deepEqual([error.code, error.message], ['launch.impossible', message])
    return true
  })
}

test('hypervisors without a confirmed computation are refused', () => {
  assert.deepEqual(VMMS, ['qemu', 'ec2', 'gce'])
  assertSettled('qemu')
  for (const vmm of ['ec2', 'gce'] as const)
    assert.throws(() => assertSettled(vmm), {
      code: 'launch.unsettled',
      message: new RegExp(`for ${vmm}: .{40}`),
    })
})

test("the CPUID signatures of QEMU's models", () => {
  const versions = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${name}-v${index + 1}`)
  const models: readonly (readonly [readonly string[], number])[] = [
    [['EPYC', ...versions('EPYC', 5), 'EPYC-IBPB'], 0x800f12],
    [['EPYC-Rome', ...versions('EPYC-Rome', 5)], 0x830f10],
    [['EPYC-Milan', ...versions('EPYC-Milan', 3)], 0xa00f11],
    [['EPYC-Genoa', ...versions('EPYC-Genoa', 2)], 0xa10f10],
    [['EPYC-Turin', ...versions('EPYC-Turin', 1)], 0xb00f00],
  ]
  assert.deepEqual(
    [...VCPU_TYPES],
    models.flatMap(([names, signature]) => names.map((name) => [name, signature])),
  )
})

test('a signature is computed from any family, model and stepping', () => {
  const cases = [
    [{ family: 0x19, model: 0xa0, stepping: 2 }, 0x00aa0f02],
    [{ family: 6, model: 0x3c, stepping: 3 }, 0x000306c3],
    [{ family: 15, model: 0, stepping: 0 }, 0x00000f00],
    [{ family: 0xff, model: 0xff, stepping: 0xff }, 0x0f0f0fff],
  ] as const
  for (const [cpuid, signature] of cases) assert.equal(vcpuSignature(cpuid), signature)
})

test('guest features have names', () => {
  assert.deepEqual(featureNames(0x221n), ['SNPActive', 'DebugSwap', 'SecureTSC'])
  assert.deepEqual(featureNames((1n << 63n) | (1n << 11n)), ['bit 11', 'bit 63'])
  assert.deepEqual(USUAL_FEATURES.slice(0, 3), [0x1n, 0x21n, 0x201n])
  assert.equal(new Set(USUAL_FEATURES).size, 16)
  assert.ok(USUAL_FEATURES.every((features) => (features & 1n) === 1n))
})
