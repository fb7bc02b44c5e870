/** A set is released as a whole, by its record, or not at all. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keySigner, peekCompact } from '#core/jws.ts'
import type { Policy } from '#core/policy/policy.ts'
import { decideJobs } from '#core/release/decide.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { memberName } from '#core/sealed/set.ts'
import { SetRecordFormat } from '#core/sealed/setRecord.ts'
import { acceptedAt, DAY, datasetOf, ed25519, jobOf, NOW, policyOf, SET, setJobOf } from './releaseWorld.ts'

const job = await setJobOf()
const [a, b, c] = job.objects
assert.ok(a !== undefined && b !== undefined && c !== undefined)
const alone = await jobOf()
const { members } = peekCompact(SetRecordFormat, job.set ?? '', 'object.malformed').payload
const other = 'd'.repeat(32)
const foreign = keySigner(ed25519())

type Case = {
  readonly name: string
  readonly given: ReleaseJob
  readonly codes: readonly string[]
  readonly withdrawn?: readonly string[]
  readonly policy?: Policy
}

function decide(asked: ReleaseJob, withdrawn: readonly string[] = [], policy: Policy = policyOf()) {
  const asker = { client: 'acme', purpose: 'HRESCH', scopesDigest: null }
  const [decision] = decideJobs(
    [asked],
    { kind: 'accepted', asker, verdict: acceptedAt('measured') },
    { policy, revocation: { objects: [...withdrawn], permissions: [] }, consent: new Map(), now: NOW },
  )
  assert.ok(decision !== undefined)
  return decision
}

test('the members in the order of the record are granted as this set', () => {
  const decision = decide(job)
  assert.equal(decision.kind, 'granted')
  assert.equal(decision.set, SET)
  assert.deepEqual(
    decision.objects.map(({ reference }) => reference),
    [a, b, c],
  )
})

test('a record sealed in the second of notSealedBefore is granted', async () => {
  assert.equal(decide(await setJobOf({ record: { sealedAt: NOW - DAY } })).kind, 'granted')
})

test('an object of its own is granted as no set', () => {
  const decision = decide(alone)
  assert.equal(decision.kind, 'granted')
  assert.equal(decision.set, null)
})

const asking = (...objects: ReleaseJob['objects']): ReleaseJob => ({ ...job, objects })
const withoutRecord = (...objects: ReleaseJob['objects']): ReleaseJob => ({
  traceparent: job.traceparent,
  objects,
})

const CASES: readonly Case[] = [
  { name: 'a member alone', given: withoutRecord(b), codes: ['set.incomplete'] },
  { name: 'all members without the record', given: withoutRecord(a, b, c), codes: ['set.incomplete'] },
  {
    name: 'objects that are no members',
    given: withoutRecord(...alone.objects, ...alone.objects),
    codes: ['set.incomplete'],
  },
  { name: 'a member alone, with the record', given: asking(b), codes: ['set.incomplete', 'set.incomplete'] },
  { name: 'without the last member', given: asking(a, b), codes: ['set.incomplete'] },
  { name: 'without the first member', given: asking(b, c), codes: ['set.incomplete', 'set.incomplete'] },
  { name: 'with a member twice', given: asking(a, b, c, c), codes: ['set.incomplete', 'set.incomplete'] },
  { name: 'with a member in the place of another', given: asking(a, b, b), codes: ['set.incomplete'] },
  {
    name: 'with a foreign object',
    given: asking(a, b, c, ...alone.objects),
    codes: ['set.incomplete', 'set.incomplete'],
  },
  {
    name: 'with a foreign object in the place of a member',
    given: asking(a, ...alone.objects, c),
    codes: ['set.incomplete'],
  },
  { name: 'in another order', given: asking(a, c, b), codes: ['set.incomplete'] },
  {
    name: 'an object of its own, under a record that names it',
    given: { ...alone, set: (await setJobOf({ record: { members: members.slice(0, 1) } })).set ?? '' },
    codes: ['set.incomplete'],
  },
  {
    name: 'a record of another key',
    given: await setJobOf({ recordSigner: foreign }),
    codes: ['object.unsigned'],
  },
  {
    name: 'a member of another key',
    given: await setJobOf({ memberSigner: foreign }),
    codes: ['object.unsigned'],
  },
  {
    name: 'a record of another set, with these members',
    given: await setJobOf({ record: { set: other } }),
    codes: ['set.incomplete'],
  },
  {
    name: 'a member of another set',
    given: await setJobOf({ member: { set: other } }),
    codes: ['set.incomplete'],
  },
  {
    name: 'a member of another dataset with the same sealing key',
    given: await setJobOf({ member: { dataset: 'cohort-2' } }),
    codes: ['set.incomplete'],
    policy: policyOf({ datasets: [datasetOf(), datasetOf({ id: 'cohort-2', permissions: [] })] }),
  },
  {
    name: 'a member of another tenant',
    given: await setJobOf({ member: { tenant: 'other' } }),
    codes: ['set.incomplete'],
  },
  {
    name: 'a record of another dataset',
    given: await setJobOf({ record: { dataset: 'other' } }),
    codes: ['set.incomplete'],
  },
  {
    name: 'a record of another tenant',
    given: await setJobOf({ record: { tenant: 'other' } }),
    codes: ['set.incomplete'],
  },
  {
    name: 'a record with another size',
    given: await setJobOf({ named: ({ size }) => ({ size: size + 1 }) }),
    codes: ['set.incomplete'],
  },
  {
    name: 'a record with other sealIds',
    given: await setJobOf({ named: (_, at) => ({ sealId: `${at}`.repeat(32) }) }),
    codes: ['set.incomplete'],
  },
  {
    name: 'a record with another header',
    given: await setJobOf({ named: () => ({ headerDigest: members[0]?.headerDigest }) }),
    codes: ['set.incomplete'],
  },
  {
    name: 'a record from before notSealedBefore',
    given: await setJobOf({ record: { sealedAt: NOW - DAY - 1 } }),
    codes: ['object.withdrawn'],
  },
  { name: 'a withdrawn member', given: job, withdrawn: ['0c'.repeat(16)], codes: ['object.withdrawn'] },
  {
    name: 'a member under another name',
    given: asking(a, { ...b, name: memberName(SET, '0c'.repeat(16)) }, c),
    codes: ['object.misplaced'],
  },
  { name: 'a malformed member', given: asking(a, { ...b, header: 'a.b.c' }, c), codes: ['object.malformed'] },
]

for (const { name, given, codes, withdrawn, policy } of CASES)
  test(`refused: ${name}`, () => {
    const decision = decide(given, withdrawn, policy)
    assert.equal(decision.kind, 'refused')
    assert.deepEqual(
      decision.reasons.map(({ code }) => code),
      codes,
    )
  })
