import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Quota } from '#core/policy/quota.ts'
import {
  type Asked,
  QuotaChain,
  type QuotaEntry,
  QuotaEntryFormat,
  quotaEntryName,
  SEGMENT,
  type Work,
  windowAt,
} from '#core/release/quotaChain.ts'
import { toUnixSeconds } from '#core/time.ts'
import { NOW, permissionOf } from './releaseWorld.ts'

const LIMITS: Quota = { hours: 24, releases: 3, objects: 10, bytes: 1000 }
const MANY: Quota = { hours: 24, releases: 10_000, objects: 10_000, bytes: 1_000_000 }
const workOf = (n: number, changes: Partial<Work> = {}): Work => ({
  id: n.toString(16).padStart(64, '0'),
  objects: 1,
  bytes: 10,
  ...changes,
})
const askedFor = (work: Work, limits: Partial<Quota> = {}): Asked => ({
  work,
  limits: { ...LIMITS, ...limits },
})

function chainOf(...entries: readonly (readonly Work[])[]): {
  readonly chain: QuotaChain
  readonly entries: readonly QuotaEntry[]
} {
  const chain = new QuotaChain()
  const added = entries.map((works) => {
    const entry = QuotaEntryFormat.decode(QuotaEntryFormat.encode(chain.next(works)))
    chain.add(entry)
    return entry
  })
  return { chain, entries: added }
}

test('a work is charged once, whether it is in the chain or twice in one request', () => {
  const { chain } = chainOf([workOf(1)])
  const { charges, works } = chain.plan([1, 2, 2].map((n) => askedFor(workOf(n))))
  assert.deepEqual(works, [workOf(2)])
  const [first, second] = [
    { releases: 1, objects: 1, bytes: 10 },
    { releases: 2, objects: 2, bytes: 20 },
  ]
  assert.deepEqual(charges, [
    { kind: 'charged', used: first },
    { kind: 'charged', used: second },
    { kind: 'charged', used: second },
  ])
})

for (const { unit, work, used, limit, asked } of [
  { unit: 'releases', work: {}, used: 3, limit: 3, asked: 1 },
  { unit: 'objects', work: { objects: 9 }, used: 2, limit: 10, asked: 9 },
  { unit: 'bytes', work: { bytes: 981 }, used: 20, limit: 1000, asked: 981 },
] as const)
  test(`a limit of ${unit} holds exactly, and what fits beside it is charged`, () => {
    const { chain } = chainOf(Array.from({ length: unit === 'releases' ? 3 : 2 }, (_, n) => workOf(n)))
    const limits = unit === 'releases' ? {} : { releases: 100 }
    const { charges, works } = chain.plan([askedFor(workOf(9, work), limits)])
    assert.deepEqual(charges, [{ kind: 'exceeded', unit, limit, used, asked }])
    assert.deepEqual(works, [])
    const raised = { ...limits, [unit]: limit + 1 }
    assert.equal(chain.plan([askedFor(workOf(9, work), raised)]).charges[0]?.kind, 'charged')
    const smaller = unit === 'releases' ? [] : [askedFor(workOf(8), limits)]
    assert.equal(chain.plan([askedFor(workOf(9, work), limits), ...smaller]).works.length, smaller.length)
  })

test('an entry that does not follow from the chain is refused', () => {
  const { chain, entries } = chainOf([workOf(1)])
  const good = chain.next([workOf(2)])
  for (const wrong of [
    { ...good, total: { ...good.total, releases: 1 } },
    { ...good, total: { ...good.total, objects: 1 } },
    { ...good, total: { ...good.total, bytes: 0 } },
    { ...good, before: [[workOf(1).id]] },
    // A work that is in the chain.
    chain.next([workOf(1)]),
    // A gap, and the same entry once more.
    { ...good, total: { releases: 3, objects: 3, bytes: 30 } },
    ...entries,
  ])
    assert.throws(() => chain.add(wrong), { code: 'service.failed' })
  chain.add(good)
  assert.deepEqual(chain.total, { releases: 2, objects: 2, bytes: 20 })
})

test('a long chain is the same by its segments and its end', () => {
  const lengths = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 600 }))
  fc.assert(
    fc.property(lengths, ([known, more]) => {
      const entries = Array.from({ length: known + more }, (_, n) => [workOf(2 * n), workOf(2 * n + 1)])
      const whole = chainOf(...entries)
      const skipping = new QuotaChain()
      for (const entry of whole.entries.slice(0, known)) skipping.add(entry)
      for (let n = (Math.floor(known / SEGMENT) + 1) * SEGMENT; n <= known + more; n += SEGMENT)
        skipping.skipTo(n, whole.entries[n - 1] ?? assert.fail())
      for (const entry of whole.entries.slice(skipping.length)) skipping.add(entry)
      const works = [...entries.flat(), workOf(9999)].map((work) => askedFor(work, MANY))
      const seen = (chain: QuotaChain) => [chain.length, chain.total, chain.next([workOf(9999)])]
      assert.deepEqual(seen(skipping), seen(whole.chain))
      assert.deepEqual(skipping.plan(works), whole.chain.plan(works))
      assert.deepEqual(skipping.plan(works).works, [workOf(9999)])
    }),
    { numRuns: 20 },
  )
})

test('a segment that does not continue what is known is refused', () => {
  const { entries } = chainOf(...Array.from({ length: 2 * SEGMENT }, (_, n) => [workOf(n)]))
  const last = entries[SEGMENT - 1] ?? assert.fail()
  const knowing = (length: number) => {
    const chain = new QuotaChain()
    for (const entry of entries.slice(0, length)) chain.add(entry)
    return chain
  }
  const total = { ...last.total, releases: last.total.releases - 1 }
  for (const [n, entry] of [
    [SEGMENT - 1, last],
    [2 * SEGMENT, last],
    [SEGMENT, { ...last, total }],
    [SEGMENT, { ...last, total: { ...last.total, bytes: 0 } }],
    [SEGMENT, { ...last, before: last.before.slice(1) }],
    [SEGMENT, { ...last, before: last.before.slice(0, -1), total }],
    [SEGMENT, { ...last, before: last.before.map((_, i) => [workOf(900 + i).id]) }],
  ] as const)
    assert.throws(() => knowing(3).skipTo(n, entry), { code: 'service.failed' }, String(n))
  assert.throws(() => knowing(SEGMENT).skipTo(SEGMENT, last), { code: 'service.failed' })
  // Two segments at once, and back into the one before.
  assert.throws(() => knowing(0).skipTo(2 * SEGMENT, last), { code: 'service.failed' })
  const full = knowing(2 * SEGMENT - 1)
  assert.throws(() => full.skipTo(SEGMENT, full.next([workOf(900)])), { code: 'service.failed' })
  // The last known entry once more, and one entry too far.
  const known = knowing(SEGMENT - 1)
  const again = { ...known.next([workOf(900)]), before: last.before }
  assert.throws(() => known.skipTo(SEGMENT - 1, again), { code: 'service.failed' })
  const nearly = knowing(SEGMENT - 2)
  const far = { ...nearly.next([workOf(900), workOf(901)]), works: [workOf(901)] }
  const before = [...last.before.slice(0, -1), [workOf(900).id]]
  assert.throws(() => nearly.skipTo(2 * SEGMENT - 1, { ...far, before }), { code: 'service.failed' })
  knowing(3).skipTo(SEGMENT, last)
})

test('works without a byte fill a segment too', () => {
  const { entries } = chainOf(
    ...Array.from({ length: SEGMENT }, (_, n) => [workOf(n, { objects: 0, bytes: 0 })]),
  )
  const chain = new QuotaChain()
  chain.skipTo(SEGMENT, entries[SEGMENT - 1] ?? assert.fail())
  assert.deepEqual(chain.total, { releases: SEGMENT, objects: 0, bytes: 0 })
})

test('a window begins at a multiple of its hours; another number of hours is another chain', () => {
  const at = (hours: number, seconds: number) => {
    const permission = permissionOf({ quota: { ...LIMITS, hours } })
    return windowAt(permission, toUnixSeconds(seconds))
  }
  const begins = NOW - (NOW % 86_400)
  const window = { folder: `quota/heart-2027/24h-${begins}`, begins, ends: begins + 86_400 }
  assert.deepEqual(at(24, begins), window)
  assert.deepEqual(at(24, begins + 86_399), window)
  assert.equal(at(24, begins + 86_400).begins, window.ends)
  assert.equal(at(1, begins).folder, `quota/heart-2027/1h-${begins}`)
  assert.equal(quotaEntryName(window, 7), `${window.folder}/000000007`)
})
