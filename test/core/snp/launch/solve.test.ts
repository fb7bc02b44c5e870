import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFirmware } from '#core/snp/launch/firmware.ts'
import { hashAppend, NO_INITRD } from '#core/snp/launch/kernelHashes.ts'
import { measureLaunch } from '#core/snp/launch/measure.ts'
import { type Candidates, countLaunches, solveLaunch } from '#core/snp/launch/solve.ts'
import { AMD_SEV, buildFirmware } from './firmwareFile.ts'
import { launchOf, VECTORS } from './vectors.ts'

const ovmf = (name: string, change: Partial<typeof AMD_SEV> = {}) => ({
  name,
  firmware: parseFirmware(buildFirmware({ ...AMD_SEV, seed: name, ...change })),
})
const kernel = (name: string) => ({
  name,
  hashes: { kernel: hashAppend(name), initrd: NO_INITRD, append: hashAppend('quiet') },
})
const first = AMD_SEV.sections[5]
assert.ok(first)

const candidates = {
  firmwares: [
    ovmf('no kernel', { hashTable: [0, 0] }),
    ovmf('usual'),
    ovmf('hashes first', { sections: [first, ...AMD_SEV.sections.filter((row) => row !== first)] }),
  ],
  kernels: [kernel('old'), kernel('new')],
  vcpus: new Set([1, 2, 7]),
  states: (['reset', 'zero'] as const).map((fpu) => ({
    name: fpu,
    state: { signature: 0x800f12, features: 1n, fpu },
  })),
}

/** Runs the search to its end: every number of tried launches that it yields, and its result. */
function solve<C extends Candidates>(measurement: Buffer, given: C) {
  const steps = solveLaunch(measurement, given)
  const progress: number[] = []
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return { progress, found: step.value }
    progress.push(step.value)
  }
}

test('every candidate launch is found by its measurement', () => {
  let launches = 0
  for (const firmware of candidates.firmwares)
    for (const measured of firmware.name === 'no kernel' ? [undefined] : [undefined, ...candidates.kernels])
      for (const vcpus of candidates.vcpus)
        for (const state of candidates.states) {
          launches += 1
          const { measurement } = measureLaunch({
            firmware: firmware.firmware,
            kernel: measured?.hashes,
            vcpus,
            vcpu: state.state,
          })
          assert.deepEqual(solve(measurement, candidates).found, { firmware, kernel: measured, vcpus, state })
        }
  assert.equal(launches, countLaunches(candidates))
})

test('a measurement without an explanation is tried to the end, with progress', () => {
  const { progress, found } = solve(Buffer.alloc(48, 1), candidates)
  assert.equal(found, undefined)
  assert.equal(progress.length, countLaunches(candidates) / candidates.vcpus.size)
  assert.equal(progress.at(-1), countLaunches(candidates))
})

test('a number of vCPUs that is not a candidate explains nothing', () => {
  const [, firmware] = candidates.firmwares
  assert.ok(firmware)
  const vcpu = { signature: 0x800f12, features: 1n, fpu: 'reset' } as const
  const { measurement } = measureLaunch({ firmware: firmware.firmware, kernel: undefined, vcpus: 5, vcpu })
  assert.equal(solve(measurement, candidates).found, undefined)
})

test('an impossible number of vCPUs is refused', () => {
  for (const vcpus of [0, 4097])
    assert.throws(() => solve(Buffer.alloc(48), { ...candidates, vcpus: new Set([1, vcpus]) }), {
      code: 'launch.impossible',
    })
})

test('every vector is found again', () => {
  for (const vector of VECTORS) {
    const { firmware, firmwareDigest: digest, kernel: hashes, vcpus, vcpu } = launchOf(vector)
    const { found } = solve(Buffer.from(vector.measurement, 'hex'), {
      firmwares: [{ firmware, digest }],
      kernels: hashes === undefined ? [] : [{ hashes }],
      vcpus: new Set([vcpus]),
      states: [{ state: vcpu }],
    })
    assert.deepEqual([found?.kernel?.hashes, found?.vcpus], [hashes, vcpus], vector.name)
  }
})
