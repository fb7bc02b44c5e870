import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluate } from '#core/appraisal/appraise.ts'
import { explain, unconstrained } from '#core/appraisal/explain.ts'
import { STRICT } from '#core/appraisal/strict.ts'
import { parseReport } from '#core/snp/report.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { mint, noon, storeOf, testAuthority } from '../../amd.ts'
import { at, POLICY, REFERENCE, TCB, TRUST, verdict, verifiedReport } from './appraisalCases.ts'

const { fmc: _, ...LEVELS } = TCB.reported
const unmarked = { belowFloor: [], inconsistent: [], provisional: [] }

test('an accepted report is explained by its reference values, its assurance and its TCB', () => {
  assert.deepEqual(explain(verdict({})), {
    verdict: 'accepted',
    nearest: 'worker-1',
    assurance: 'measured',
    reasons: [],
    tcb: {
      components: ['bootloader', 'tee', 'snp', 'microcode'],
      rows: ['reported', 'committed', 'current', 'launch'].map((name) => ({
        name,
        values: LEVELS,
        ...unmarked,
      })),
      floor: LEVELS,
    },
  })
})

test('a refused report is explained by every reason, and each TCB component with a reason is marked', () => {
  const evaluation = verdict({
    vmpl: 1,
    platform: {
      committedTcb: { ...TCB.reported, snp: 28, bootloader: 10 },
      currentTcb: { ...TCB.reported, bootloader: 11 },
      launchTcb: { ...TCB.reported, microcode: 85, tee: 7 },
    },
  })
  const { verdict: kind, nearest, assurance, reasons, tcb } = explain(evaluation)
  assert.deepEqual([kind, nearest, assurance], ['refused', 'worker-1', null])
  assert.deepEqual(reasons, evaluation.kind === 'refused' ? evaluation.reasons : [])
  assert.deepEqual(
    reasons.map(({ code, field }) => `${code} ${field}`),
    [
      'tcb.below-floor tcb.launch.microcode',
      'tcb.inconsistent tcb.committed.snp',
      'tcb.provisional tcb.committed.bootloader',
      'vmpl.violated vmpl',
    ],
  )
  assert.deepEqual(tcb.rows, [
    { name: 'reported', values: LEVELS, ...unmarked },
    {
      name: 'committed',
      values: { ...LEVELS, snp: 28 },
      ...unmarked,
      inconsistent: ['snp'],
      provisional: ['bootloader'],
    },
    { name: 'current', values: { ...LEVELS, bootloader: 11 }, ...unmarked },
    {
      name: 'launch',
      values: { ...LEVELS, microcode: 85, tee: 7 },
      ...unmarked,
      belowFloor: ['microcode'],
    },
  ])
})

test('without a row for the processor there is no floor to show', () => {
  const { tcb } = explain(verdict({ platform: { cpuid: { family: 0x19, model: 0x11, stepping: 9 } } }))
  assert.equal(tcb.floor, null)
  assert.deepEqual(
    tcb.rows.flatMap(({ belowFloor }) => belowFloor),
    [],
  )
})

test('Turin has one more column', async () => {
  const turin = await testAuthority('Turin')
  const { bytes, certs } = mint(turin)
  const time = noon(turin)
  const verified = verifyReport(parseReport(bytes), certs, { roots: storeOf(turin), crls: [], at: time })
  const floor = { fmc: 9, bootloader: 0, tee: 0, snp: 0, microcode: 0 }
  const processors = [{ product: 'Turin' as const, family: 0x1a, model: 2, stepping: 1, floor }]
  const values = { ...POLICY, referenceValues: [{ ...REFERENCE, processors }] }
  const { tcb } = explain(evaluate({ verified, trust: TRUST, at: time, revoked: [] }, values))
  assert.deepEqual(tcb.components, ['fmc', 'bootloader', 'tee', 'snp', 'microcode'])
  assert.deepEqual(tcb.floor, floor)
  assert.deepEqual(
    tcb.rows.map(({ belowFloor }) => belowFloor),
    [['fmc'], ['fmc'], ['fmc'], ['fmc']],
  )
})

test('the explanation survives JSON, so that text and JSON have one source', () => {
  const explained = explain(verdict({ platform: { launchTcb: { ...TCB.reported, snp: 1 } } }))
  assert.deepEqual(JSON.parse(JSON.stringify(explained)), explained)
})

test('the nearest of several sets of reference values is named, with its floor', () => {
  const near = { ...REFERENCE, id: 'worker-2', vmpl: 1 }
  const far = { ...REFERENCE, id: 'worker-3', vmpl: 1, guestSvn: 1, processors: [] }
  const subject = { verified: verifiedReport({}), trust: TRUST, at, revoked: [] }
  const { nearest, tcb } = explain(evaluate(subject, { ...POLICY, referenceValues: [far, near] }))
  assert.equal(nearest, 'worker-2')
  assert.deepEqual(tcb.floor, LEVELS)
})

test('the fields that are not checked are named', () => {
  assert.deepEqual(unconstrained({ ...REFERENCE, chips: ['11'.repeat(64)] }), [
    'familyId',
    'imageId',
    'idKeyDigest',
    'authorKeyDigest',
    'hostData',
    'reportData',
  ])
  assert.deepEqual(unconstrained(STRICT), [
    'measurement',
    'trust',
    'familyId',
    'imageId',
    'idKeyDigest',
    'authorKeyDigest',
    'hostData',
    'chipId',
    'reportData',
  ])
})
