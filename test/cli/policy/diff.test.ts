/** What `policy diff` says: directions, whole text, and that no change goes unsaid. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diffPolicies } from '#cli/policy/diff.ts'
import { renderDiff } from '#cli/policy/diffText.ts'
import type { Dataset, Permission, Policy } from '#core/policy/policy.ts'
import type { PolicyReference } from '#core/policy/referenceSchema.ts'
import { datasetOf, NOW, permissionOf, policyOf } from '../../core/release/releaseWorld.ts'

const before = policyOf()
const [reference] = before.referenceValues
assert.ok(reference)
const said = (after: Policy) => diffPolicies(before, after).map(({ direction, what }) => [direction, what])
const withPermission = (changes: Partial<Permission>) =>
  policyOf({ datasets: [datasetOf({ permissions: [permissionOf(changes)] })] })
const withDataset = (changes: Partial<Dataset>) => policyOf({ datasets: [datasetOf(changes)] })
const withReference = (changes: Partial<PolicyReference>) =>
  policyOf({ referenceValues: [{ ...reference, ...changes }] })
const { output, quota } = permissionOf()
const [genoa, ...processors] = reference.processors
assert.ok(genoa)

for (const { name, after, says } of [
  { name: 'only a number', after: policyOf({ seq: 8 }), says: [] },
  {
    name: 'an earlier end',
    after: policyOf({ expiresAt: NOW }),
    says: [['narrower', 'ends: 2027-02-14 08:00 UTC → 2027-01-15 08:00 UTC']],
  },
  {
    name: 'an excluded signer',
    after: policyOf({ excludedSigners: ['kid'] }),
    says: [['narrower', 'excluded signers: now also kid']],
  },
  {
    name: 'a scope more and one less',
    after: withPermission({ scopes: ['system/Condition.rs', 'system/Patient.rs'] }),
    says: [
      ['wider', 'scopes: now also system/Patient.rs'],
      ['narrower', 'scopes: no longer system/Observation.rs'],
    ],
  },
  {
    name: 'smaller counts shown',
    after: withPermission({ output: { ...output, disclosure: { form: 'exact' } } }),
    says: [['wider', 'least persons in a shown count: 11 → 1']],
  },
  {
    name: 'a shorter quota window',
    after: withPermission({ quota: { ...quota, hours: 12, bytes: 1024 } }),
    says: [
      ['wider', 'quota window in hours: 24 → 12'],
      ['narrower', 'bytes per window: 1,000,000,000 bytes → 1 KiB'],
    ],
  },
  {
    name: 'real data',
    after: withDataset({ synthetic: false }),
    says: [['wider', 'data: now also real']],
  },
  {
    name: 'machines of the consumer',
    after: withDataset({ assurance: { level: 'platform', administeredBy: 'consumer' } }),
    says: [['wider', 'machines that prove: now also only their platform, administered by the consumer']],
  },
  {
    name: 'a lower floor',
    after: withReference({ processors: [{ ...genoa, floor: { ...genoa.floor, snp: 1 } }, ...processors] }),
    says: [['wider', 'Genoa 25/17/1, least snp: 23 → 1']],
  },
  {
    name: 'debugging allowed',
    after: withReference({ guestPolicy: { ...reference.guestPolicy, debug: 'any' } }),
    says: [['wider', 'guest policy debug may be: now also set']],
  },
  {
    name: 'chips listed',
    after: withReference({ chips: ['c1'] }),
    says: [['narrower', 'chips: any → c1']],
  },
  {
    name: 'no revocation list of AMD any more, another firmware',
    after: withReference({ crl: { graceSeconds: 86_400 }, firmware: { major: 1, minor: 54, build: 9 } }),
    says: [
      ['wider', 'least firmware: 1.55.0 → 1.54.9'],
      ['narrower', "days that AMD's revocation list may be overdue: any, none is required → 1"],
    ],
  },
  {
    name: 'a mitigation given up',
    after: withReference({ mitigations: { launch: '0000000000000005', current: '0000000000000000' } }),
    says: [['narrower', 'required mitigations: now also launch bit 0 and launch bit 2']],
  },
  {
    name: 'a permission and a dataset more',
    after: policyOf({
      datasets: [datasetOf(), datasetOf({ id: 'trial', permissions: [permissionOf({ id: 'p2' })] })],
    }),
    says: [
      ['wider', 'new: acme may use trial for HRESCH (healthcare research)'],
      ['changed', 'new, synthetic'],
    ],
  },
  {
    name: 'everything gone',
    after: policyOf({ datasets: [], referenceValues: [] }),
    says: [
      ['narrower', 'gone: machines that have only them are refused'],
      ['narrower', 'gone, with all its permissions'],
    ],
  },
] as const)
  test(name, () => assert.deepEqual(said(after), says))

test('the whole text: a raised edition first, then what lets more out', () => {
  const after = policyOf({
    seq: 8,
    datasets: [
      datasetOf({ permissions: [permissionOf({ edition: 2, sensitive: ['HIV'], purpose: 'TREAT' })] }),
    ],
    clients: [],
  })
  const [key = ''] = diffPolicies(before, after).flatMap(({ what }) => /acme (\S+)/.exec(what)?.[1] ?? [])
  assert.equal(
    renderDiff(before, after, diffPolicies(before, after)).replace(key, '<key>'),
    `Policy 7 → 8 of hospital. 1 let MORE out, 1 let less out, 1 must be looked at, 1 ask the
same question AGAIN.

!! AGAIN     permission heart-2027: edition: 1 → 2: every question is answered a second time; the
             difference of two answers can tell about single persons
++ WIDER     permission heart-2027: sensitive categories: now also HIV
?? changed   permission heart-2027: purpose: HRESCH → TREAT
-- narrower  policy: clients and their keys: no longer acme <key>
`,
  )
  assert.equal(renderDiff(before, before, []), 'Policy 7 → 7 of hospital: nothing changes.\n')
})

test('the order of permissions counts, since a request gets the first that fits', () => {
  const [a, b] = [permissionOf({ id: 'a' }), permissionOf({ id: 'b' })]
  const one = withDataset({ permissions: [a, b] })
  assert.deepEqual(
    diffPolicies(one, withDataset({ permissions: [b, a] })).map(({ direction, what }) => [direction, what]),
    [['changed', 'the order is b and a, which counts if several fit']],
  )
})

type Path = readonly (string | number)[]

test('no change of any field goes unsaid', () => {
  const unsaid: string[] = []
  for (const { path, value } of variants(before, [])) {
    const after = replaced(before, path, value)
    if (diffPolicies(before, after as Policy).length === 0) unsaid.push(path.join('.'))
  }
  assert.deepEqual(unsaid, ['v', 'seq'])
})

/** Each leaf changed once, and each list with its last member twice. */
function variants(value: unknown, path: Path): readonly { readonly path: Path; readonly value: unknown }[] {
  if (Array.isArray(value)) {
    const isOfIds = value.some((member) => typeof member === 'object' && 'id' in member)
    const inside = value.flatMap((member, index) => variants(member, [...path, index]))
    return isOfIds || value.length === 0 ? inside : [...inside, { path, value: [...value, value.at(-1)] }]
  }
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, member]) => variants(member, [...path, key]))
  return [{ path, value: changed(value, path) }]
}

const RULES = ['any', 'forbidden', 'required']

function changed(value: unknown, path: Path): unknown {
  if (typeof value === 'number') return value + 1
  if (typeof value === 'boolean') return !value
  if (typeof value !== 'string') return 'something'
  if (path.includes('scopes')) return 'system/Patient.rs'
  if (RULES.includes(value)) return value === 'any' ? 'forbidden' : 'any'
  return `${value.slice(0, -1)}${value.endsWith('1') ? '2' : '1'}`
}

function replaced(whole: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value
  const copy: Record<string | number, unknown> = Array.isArray(whole)
    ? ([...whole] as never)
    : { ...(whole as object) }
  copy[key] = replaced(copy[key], rest, value)
  return copy
}
