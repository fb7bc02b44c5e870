import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accepts, put, REFERENCE, refuses, TCB, together, verdict } from './appraisalCases.ts'

const LEVELS = TCB.reported
/** Build, minor, major, in the order of the report. */
const CURRENT = [49, 55, 1] as const
const firmware = (current: readonly number[], committed: readonly number[] = current) =>
  together(put('currentFirmware', ...current), put('committedFirmware', ...committed))
const least = (major: number, minor: number, build: number) => ({ firmware: { major, minor, build } })
const provisional = { firmwareProfile: 'provisional' as const }
const mitigated = (launch: number, current: number) =>
  together(
    put('launchMitigations', launch, 0, 0, 0, 0, 0, 0, 0),
    put('currentMitigations', current, 0, 0, 0, 0, 0, 0, 0),
  )
const demand = (launch: number, current: number) => ({
  mitigations: {
    launch: launch.toString(16).padStart(16, '0'),
    current: current.toString(16).padStart(16, '0'),
  },
})
const v5 = { version: 5 as const }
/** 27 → 30: ahead of the committed level. */
const ahead = { ...LEVELS, snp: 30 }

accepts([
  { name: 'a host that reports less than it has', platform: { currentTcb: ahead, committedTcb: ahead } },
  {
    name: 'a host that runs ahead, as the profile allows',
    platform: { currentTcb: ahead },
    reference: provisional,
  },
  {
    name: 'a version that runs ahead, as the profile allows',
    change: firmware([0, 58, 1], CURRENT),
    reference: provisional,
  },
  {
    name: 'a launch below what runs now',
    platform: { currentTcb: ahead, committedTcb: ahead, launchTcb: LEVELS },
  },
  { name: 'a launch above what runs now', platform: { launchTcb: ahead } },
  { name: 'the least firmware', reference: least(1, 55, 49) },
  { name: 'a later build', reference: least(1, 55, 48) },
  { name: 'a later minor of an earlier build', reference: least(1, 54, 255) },
  { name: 'a later major of an earlier minor', reference: least(0, 255, 255) },
  {
    name: 'the required mitigations',
    platform: v5,
    change: mitigated(0x0b, 0x3f),
    reference: demand(0x0b, 0x3f),
  },
  { name: 'more mitigations', platform: v5, change: mitigated(0x0f, 0xff), reference: demand(0x09, 0x80) },
  { name: 'no mitigations if none are required', platform: v5 },
])

refuses([
  {
    name: 'more committed than current',
    platform: { committedTcb: { ...LEVELS, snp: 28 } },
    code: 'tcb.inconsistent',
    field: 'tcb.committed.snp',
    expected: 'at most 27, as current',
    actual: '28',
  },
  {
    name: 'more committed than current, even if a host may run ahead',
    platform: { committedTcb: { ...LEVELS, snp: 28 } },
    reference: provisional,
    code: 'tcb.inconsistent',
    field: 'tcb.committed.snp',
  },
  {
    name: 'more reported than committed',
    platform: { tcb: { ...LEVELS, microcode: 90 }, committedTcb: LEVELS, currentTcb: LEVELS },
    code: 'tcb.inconsistent',
    field: 'tcb.reported.microcode',
    expected: 'at most 86, as committed',
    actual: '90',
  },
  ...(
    [
      [48, 55, 1],
      [255, 54, 1],
      [255, 255, 0],
    ] as const
  ).map((current) => ({
    name: `a committed version above the current one, ${current}`,
    change: firmware(current, CURRENT),
    reference: { ...least(0, 0, 0), ...provisional },
    code: 'tcb.inconsistent',
    field: 'firmware.committed',
    expected: `at most ${[...current].reverse().join('.')}, as current`,
    actual: '1.55.49',
  })),
  ...(['bootloader', 'tee', 'snp', 'microcode'] as const).map((component) => ({
    name: `a ${component} that is not committed`,
    platform: { currentTcb: { ...LEVELS, [component]: LEVELS[component] + 1 } },
    code: 'tcb.provisional',
    field: `tcb.committed.${component}`,
    expected: `${LEVELS[component] + 1}, as current`,
    actual: String(LEVELS[component]),
  })),
  ...(
    [
      [50, 55, 1],
      [0, 56, 1],
      [0, 0, 2],
    ] as const
  ).map((current) => ({
    name: `a version that is not committed, ${current}`,
    change: firmware(current, CURRENT),
    code: 'tcb.provisional',
    field: 'firmware.committed',
    expected: `${[...current].reverse().join('.')}, as current`,
    actual: '1.55.49',
  })),
  ...(
    [
      [48, 55, 1],
      [255, 54, 1],
      [255, 255, 0],
    ] as const
  ).map((committed) => ({
    name: `a committed version below the floor, ${committed}`,
    change: firmware(CURRENT, committed),
    reference: provisional,
    code: 'firmware.below-floor',
    field: 'firmware.committed',
    expected: 'at least 1.55.49',
    actual: [...committed].reverse().join('.'),
    remedy: /commit/,
  })),
  ...(['launch', 'current'] as const).flatMap((which) => {
    const given = which === 'launch' ? mitigated(0x80, 0xff) : mitigated(0xff, 0x80)
    const field = `mitigations.${which}`
    const code = 'mitigations.missing'
    return [
      {
        name: `${which} mitigations that are a larger number, and lack one bit`,
        platform: v5,
        change: given,
        reference: demand(0x07, 0x07),
        code,
        field,
        expected: 'bits 0, 1, 2',
        actual: 'without 0, 1, 2',
      },
      {
        name: `${which} mitigations that lack one of two bits`,
        platform: v5,
        change: given,
        reference: demand(0x88, 0x88),
        code,
        field,
        expected: 'bits 3, 7',
        actual: 'without 3',
      },
      {
        name: `${which} mitigations that a report of version 4 cannot state`,
        platform: { version: 4 as const },
        reference: which === 'launch' ? demand(1, 0) : demand(0, 1),
        code,
        field,
        expected: 'bits 0',
        actual: 'none stated, report version 4',
      },
    ]
  }),
  {
    name: 'the highest mitigation bit',
    platform: v5,
    reference: { mitigations: { launch: '8000000000000000', current: REFERENCE.mitigations.current } },
    code: 'mitigations.missing',
    field: 'mitigations.launch',
    expected: 'bits 63',
  },
])

test('a current version below the floor is refused together with the committed one', () => {
  const result = verdict({ change: firmware([48, 55, 1]) })
  assert.equal(result.kind, 'refused')
  assert.deepEqual(
    result.reasons.map(({ code, field, actual }) => [code, field, actual]),
    [
      ['firmware.below-floor', 'firmware.current', '1.55.48'],
      ['firmware.below-floor', 'firmware.committed', '1.55.48'],
    ],
  )
})

test('an uncommitted TCB and an uncommitted version give one reason each', () => {
  const result = verdict({ platform: { currentTcb: ahead }, change: firmware([50, 55, 1], CURRENT) })
  assert.equal(result.kind, 'refused')
  assert.deepEqual(
    result.reasons.map(({ code, field }) => [code, field]),
    [
      ['tcb.provisional', 'tcb.committed.snp'],
      ['tcb.provisional', 'firmware.committed'],
    ],
  )
})
