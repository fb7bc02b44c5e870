import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { evaluate } from '#core/appraisal/appraise.ts'
import { meetsAssurance } from '#core/appraisal/reference.ts'
import type { PolicyReference } from '#core/policy/referenceSchema.ts'
import { FIELDS } from '#core/snp/layout.ts'
import type { VerifiedReport } from '#core/snp/verify.ts'
import {
  at,
  CSP,
  OTHER_MEASUREMENT,
  POLICY,
  put,
  REFERENCE,
  ROOT,
  refuses,
  TCB,
  TRUST,
  together,
  verdict,
  verifiedReport,
} from './appraisalCases.ts'

test('an accepted verdict names the reference values, the assurance, and that the root is simulated', () => {
  const { verified: _, ...rest } = verdict({})
  assert.deepEqual(rest, {
    kind: 'accepted',
    reference: 'worker-1',
    assurance: 'measured',
    simulated: true,
    floor: TCB.reported,
  })
})

refuses([
  {
    name: 'a root that the policy does not name',
    policy: { roots: [{ ...ROOT, ark: '00'.repeat(32) }] },
    code: 'root.untrusted',
    field: 'root',
  },
  {
    name: 'a root named for another product',
    policy: { roots: [{ ...ROOT, product: 'Turin' }] },
    code: 'root.untrusted',
    field: 'root',
  },
  {
    name: 'a simulated root that is named as genuine',
    policy: { roots: [{ ...ROOT, simulated: false }] },
    code: 'root.untrusted',
    field: 'root',
  },
  {
    name: 'a simulated root under a policy without simulation',
    policy: { simulation: false },
    code: 'root.untrusted',
    field: 'root',
    expected: 'no simulated root',
  },
])

/**
 * One report and the demands that it does not meet. Each atom is one such demand, on a field of its own, or
 * one contradiction in the report. The lenient reference values make no such demand, and accept the report.
 */
const floor = { fmc: 0, bootloader: 0, tee: 0, snp: 0, microcode: 0 }
const processors = (levels: typeof floor): PolicyReference['processors'] => [
  { product: 'Genoa', family: 0x19, model: 0x11, stepping: 1, floor: levels },
]
const LENIENT: PolicyReference = {
  ...REFERENCE,
  cspIds: [CSP],
  processors: processors(floor),
  firmware: { major: 0, minor: 0, build: 0 },
  firmwareProfile: 'provisional',
  guestPolicy: { ...REFERENCE.guestPolicy, migrateMa: 'any' },
}
const ff = 'f'.repeat(16)
const BY_DEMAND: Readonly<Record<string, Partial<PolicyReference>>> = {
  measurement: { measurements: [OTHER_MEASUREMENT] },
  window: { notAfter: at - 1 },
  trust: { trust: ['x'.repeat(43)] },
  provider: { cspIds: [] },
  list: { crl: { graceSeconds: 0 } },
  floors: { processors: processors({ fmc: 255, bootloader: 255, tee: 255, snp: 255, microcode: 255 }) },
  commitment: { firmwareProfile: 'committed' },
  firmware: { firmware: { major: 255, minor: 255, build: 255 } },
  mitigations: { mitigations: { launch: ff, current: ff } },
  guestPolicy: {
    guestPolicy: {
      abi: { major: 255, minor: 255 },
      smt: 'forbidden',
      migrateMa: 'forbidden',
      debug: 'required',
      singleSocket: 'required',
      cxl: 'required',
      aes256Xts: 'required',
      raplDisabled: 'required',
      ciphertextHiding: 'required',
      pageSwapDisabled: 'required',
    },
  },
  guestSvn: { guestSvn: 1 },
  vmpl: { vmpl: 3 },
  platformInfo: {
    platformInfo: {
      smt: 'forbidden',
      tsme: 'required',
      ecc: 'forbidden',
      raplDisabled: 'required',
      ciphertextHiding: 'required',
      aliasCheck: 'forbidden',
      iommuWriteSafe: 'required',
      tio: 'required',
    },
  },
  idKey: { idKeyDigests: ['11'.repeat(48)] },
  authorKey: { authorKeyDigests: ['11'.repeat(48)] },
  family: { familyIds: ['11'.repeat(16)] },
  image: { imageIds: ['11'.repeat(16)] },
  hostData: { hostData: ['11'.repeat(32)] },
  chip: { chips: ['11'.repeat(64)] },
}
const LISTS = [
  'measurements',
  'trust',
  'idKeyDigests',
  'authorKeyDigests',
  'familyIds',
  'imageIds',
  'hostData',
  'chips',
] as const
const REVOKED = 'revoked'
/** Each changes another component, so that one report can hold them all. */
const BY_REPORT = {
  tcbOrder: (bytes: Buffer) => void bytes.writeUInt8(254, FIELDS.committedTcb.at + 1),
  firmwareOrder: put('committedFirmware', 255, 255, 254),
  unknownBit: (bytes: Buffer) => void bytes.writeUInt8(1, FIELDS.platformInfo.at + 5),
}
const base = together(put('reportIdMa', 1), (bytes) => void bytes.writeUInt8(200, FIELDS.currentTcb.at))
const ATOMS = [...Object.keys(BY_DEMAND), ...Object.keys(BY_REPORT), REVOKED]

/** Signs and verifies one report per set of contradictions. */
const reports = new Map<string, VerifiedReport>()
function reportWith(atoms: readonly string[]): VerifiedReport {
  const named = Object.entries(BY_REPORT).filter(([atom]) => atoms.includes(atom))
  const key = named.map(([atom]) => atom).join()
  const change = together(base, ...named.map(([, change]) => change))
  const verified = reports.get(key) ?? verifiedReport({ csp: CSP, platform: { version: 4 }, change })
  reports.set(key, verified)
  return verified
}

function reasonsOf(atoms: readonly string[]): readonly string[] {
  const demands = atoms.flatMap((atom) => BY_DEMAND[atom] ?? [])
  const reference: PolicyReference = Object.assign({ ...LENIENT }, ...demands)
  const revoked = atoms.includes(REVOKED) ? [LENIENT.id] : []
  const subject = { verified: reportWith(atoms), trust: TRUST, at, revoked }
  const result = evaluate(subject, { ...POLICY, referenceValues: [reference] })
  return result.kind === 'refused' ? result.reasons.map(({ code, field }) => `${code} ${field}`) : []
}
const ALONE = new Map(ATOMS.map((atom) => [atom, reasonsOf([atom])]))

test('each violation gives its own reasons', () => {
  assert.deepEqual(reasonsOf([]), [])
  for (const [atom, reasons] of ALONE) assert.ok(reasons.length > 0, atom)
})

test('no violation hides another: a report with several gives the reasons of each', () => {
  const property = fc.property(fc.subarray(ATOMS), (atoms) => {
    const told = new Set(reasonsOf(atoms))
    const each = new Set(atoms.flatMap((atom) => ALONE.get(atom) ?? []))
    assert.deepEqual([...told].sort(), [...each].sort())
  })
  fc.assert(property, { numRuns: 200, examples: [[ATOMS]] })
})

test('every reason fits an evidence entry, even if the lists are long', () => {
  const many = <T>(values: readonly T[] | 'any') =>
    values === 'any' ? values : Array.from({ length: 64 }, () => values).flat()
  const reference = Object.assign({ ...LENIENT, id: 'w'.repeat(64) }, ...Object.values(BY_DEMAND))
  for (const list of LISTS) reference[list] = many(reference[list])
  const verified = verifiedReport({
    csp: 'C'.repeat(128),
    change: together(base, ...Object.values(BY_REPORT)),
  })
  const values = {
    roots: [{ ...ROOT, ark: '00'.repeat(32) }],
    simulation: true,
    referenceValues: [{ ...reference, cspIds: Array.from({ length: 16 }, () => 'D'.repeat(128)) }],
  }
  const result = evaluate({ verified, trust: 'x'.repeat(43), at, revoked: [reference.id] }, values)
  assert.equal(result.kind, 'refused')
  assert.ok(result.reasons.length > 50)
  for (const { field, expected, actual, remedy } of result.reasons) {
    assert.ok(field.length <= 80)
    for (const text of [expected, actual, remedy]) assert.ok(text.length >= 1 && text.length <= 400, text)
  }
})

test('the reasons are against the nearest reference values: the same measurement, then the fewest reasons', () => {
  const stranger = { ...REFERENCE, id: 'worker-9', measurements: [OTHER_MEASUREMENT] }
  const strict = { ...REFERENCE, id: 'worker-2', vmpl: 1, trust: ['x'.repeat(43)] }
  const near = { ...REFERENCE, id: 'worker-3', vmpl: 1 }
  const given = verdict({ policy: { referenceValues: [stranger, strict, near] } })
  assert.equal(given.kind, 'refused')
  assert.equal(given.nearest, 'worker-3')
  assert.deepEqual(
    given.reasons.map(({ code }) => code),
    ['vmpl.violated'],
  )
  assert.deepEqual(given.distances, [
    { reference: 'worker-3', fields: ['vmpl'] },
    { reference: 'worker-2', fields: ['trust', 'vmpl'] },
    { reference: 'worker-9', fields: ['measurement'] },
  ])
})

test('if two are equally near, the first is named; a policy without reference values throws', () => {
  const referenceValues = ['worker-2', 'worker-3', 'worker-4'].map((id) => ({ ...REFERENCE, id, vmpl: 1 }))
  const given = verdict({ policy: { referenceValues } })
  assert.equal(given.kind === 'refused' && given.nearest, 'worker-2')
  assert.throws(() => verdict({ policy: { referenceValues: [] } }), RangeError)
})

test('if two match, the one with the higher assurance counts', () => {
  const platform = { ...REFERENCE, id: 'worker-p', assurance: 'platform' as const }
  for (const referenceValues of [
    [platform, REFERENCE],
    [REFERENCE, platform],
  ]) {
    const given = verdict({ policy: { referenceValues } })
    assert.equal(given.kind === 'accepted' && given.reference, 'worker-1')
  }
})

test('assurance measured satisfies platform, and platform does not satisfy measured', () => {
  assert.deepEqual(
    [
      meetsAssurance('measured', 'platform'),
      meetsAssurance('measured', 'measured'),
      meetsAssurance('platform', 'platform'),
      meetsAssurance('platform', 'measured'),
    ],
    [true, true, true, false],
  )
})
