import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluate } from '#core/appraisal/appraise.ts'
import type { PolicyReference } from '#core/policy/referenceSchema.ts'
import { parseReport, type TcbName } from '#core/snp/report.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { mint, noon, storeOf, testAuthority } from '../../amd.ts'
import { accepts, POLICY, REFERENCE, refuses, TCB, TRUST, verdict } from './appraisalCases.ts'

const rowOf = (
  changes: Partial<PolicyReference['processors'][number]>,
): PolicyReference['processors'][number] => ({
  product: 'Genoa',
  family: 0x19,
  model: 0x11,
  stepping: 1,
  floor: TCB.reported,
  ...changes,
})
accepts([
  {
    name: 'one of several steppings',
    reference: { processors: [rowOf({ stepping: 2 }), rowOf({})] },
  },
  {
    name: 'a TCB above the floor of its own stepping only',
    reference: { processors: [rowOf({ stepping: 2, floor: { ...TCB.reported, snp: 255 } }), rowOf({})] },
  },
  { name: 'a TCB at its floor', reference: { processors: [rowOf({ floor: TCB.reported })] } },
])

refuses([
  {
    name: 'another stepping',
    platform: { cpuid: { family: 0x19, model: 0x11, stepping: 2 } },
    code: 'product.excluded',
    field: 'processor',
    expected: 'Genoa 19/11/01',
    actual: 'Genoa 19/11/02',
    remedy: /approved processor/,
  },
  {
    name: 'another model',
    platform: { cpuid: { family: 0x19, model: 0xa0, stepping: 1 } },
    code: 'product.excluded',
    field: 'processor',
  },
  {
    name: 'a row of another family',
    reference: { processors: [rowOf({ family: 0x1a })] },
    code: 'product.excluded',
    field: 'processor',
  },
  {
    name: 'a report without a stepping',
    platform: { version: 2 },
    code: 'product.excluded',
    field: 'processor',
    actual: 'Genoa of unknown stepping',
  },
  {
    name: 'a row of another product',
    reference: { processors: [rowOf({ product: 'Turin' })] },
    code: 'product.excluded',
    field: 'processor',
  },
])

/** One component is lower, in one more of the ordered TCBs each time. */
const LOW: readonly (readonly TcbName[])[] = [
  ['reported'],
  ['reported', 'committed'],
  ['reported', 'committed', 'current'],
  ['launch'],
]
for (const component of ['bootloader', 'tee', 'snp', 'microcode'] as const)
  for (const names of LOW)
    test(`refuses ${names.join(', ')} below the floor in ${component}`, () => {
      const enough = { ...TCB.reported, tee: 3 }
      const low = { ...enough, [component]: enough[component] - 1 }
      const of = (name: TcbName) => (names.includes(name) ? low : enough)
      const result = verdict({
        platform: {
          tcb: of('reported'),
          committedTcb: of('committed'),
          currentTcb: of('current'),
          launchTcb: of('launch'),
        },
        reference: { firmwareProfile: 'provisional', processors: [rowOf({ floor: enough })] },
      })
      assert.equal(result.kind, 'refused')
      assert.deepEqual(
        result.reasons.map(({ remedy: _, ...reason }) => reason),
        names.map((name) => ({
          code: 'tcb.below-floor',
          field: `tcb.${name}.${component}`,
          expected: `at least ${enough[component]}`,
          actual: String(enough[component] - 1),
        })),
      )
      for (const { remedy } of result.reasons)
        assert.match(remedy, component === 'microcode' ? /microcode/ : /SEV firmware/)
    })

test('a refused Milan report explains why Milan is excluded', async () => {
  const milan = await testAuthority('Milan')
  const { bytes, certs } = mint(milan)
  const roots = storeOf(milan)
  const verified = verifyReport(parseReport(bytes), certs, { roots, crls: [], at: noon(milan) })
  const excluded = (processors: PolicyReference['processors']) => {
    const subject = { verified, trust: TRUST, at: noon(milan), revoked: [] }
    const values = { ...POLICY, referenceValues: [{ ...REFERENCE, processors }] }
    const result = evaluate(subject, values)
    assert.equal(result.kind, 'refused')
    return result.reasons.find(({ code }) => code === 'product.excluded')
  }
  assert.match(excluded([rowOf({})])?.remedy ?? '', /AMD-SB-3045/)
  // Where some Milan is approved, it is the stepping that is wrong.
  const other = rowOf({ product: 'Milan', model: 1, stepping: 0 })
  assert.match(excluded([other])?.remedy ?? '', /approved processor/)
  assert.equal(excluded([{ ...other, stepping: 1 }]), undefined)
})
