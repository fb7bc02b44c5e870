/** Quotas over one store: replicas that race, answers that are lost, and processes that die. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CodedError } from '#core/errors.ts'
import type { Quota } from '#core/policy/quota.ts'
import {
  type Asked,
  type Charge,
  QuotaChain,
  QuotaEntryFormat,
  quotaEntryName,
  SEGMENT,
  type Totals,
  windowAt,
} from '#core/release/quotaChain.ts'
import { toUnixSeconds } from '#core/time.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { createQuotas } from '../../src/verifier/quotas.ts'
import { unavailable } from '../adapters/evidence/stores.ts'
import { NOW, permissionOf } from '../core/release/releaseWorld.ts'
import { bucket, emptyStore, repeatingCreates } from './testBucket.ts'

const LIMITS: Quota = { hours: 24, releases: 5, objects: 9, bytes: 1000 }
const window = windowAt(permissionOf({ quota: LIMITS }), toUnixSeconds(NOW))
const idOf = (n: number) => n.toString(16).padStart(64, '0')
const askedFor = (n: number, limits: Partial<Quota> = {}): Asked => ({
  work: { id: idOf(n), objects: 1 + (n % 3), bytes: 10 * n },
  limits: { ...LIMITS, ...limits },
})

type Store = Pick<ObjectStore, 'create' | 'read' | 'readAll'>

/** Objects in memory. Counts what is asked for. */
function memory(objects = new Map<string, Buffer>()) {
  const counts = { creates: 0, reads: 0 }
  const readAll: Store['readAll'] = async ({ name }) => {
    counts.reads += 1
    const found = objects.get(name)
    if (found === undefined) throw new CodedError('service.missing', `${name} is absent`)
    return found
  }
  const store: Store = {
    readAll,
    read: async (object, { start, end }) => (await readAll(object, end)).subarray(start, end + 1),
    create: async ({ name }, bytes) => {
      counts.creates += 1
      if (objects.has(name)) throw new CodedError('service.conflict', `${name} is taken`)
      objects.set(name, Buffer.from(bytes))
      return { etag: 'e-1' }
    },
  }
  return { store, objects, counts }
}

/** The chain as an auditor would read it: entry by entry. */
function chainIn(objects: ReadonlyMap<string, Buffer>) {
  const chain = new QuotaChain()
  const works = new Map<string, Totals>()
  for (let n = 1; objects.has(quotaEntryName(window, n)); n++) {
    const entry = QuotaEntryFormat.decode(objects.get(quotaEntryName(window, n)) ?? assert.fail())
    chain.add(entry)
    for (const { id, objects: count, bytes } of entry.works)
      works.set(id, { releases: 1, objects: count, bytes })
  }
  assert.equal(chain.length, objects.size)
  return { total: chain.total, works }
}

/** What becomes of one call of the store: it or its answer is lost, or its process dies before or after it. */
const FAULTS = ['none', 'lost', 'answer lost', 'repeated', 'dies before', 'dies after'] as const
type Fault = (typeof FAULTS)[number]

/** One process. After its death none of its calls arrives, and it tells nothing. */
function replica(store: Store, scheduler: fc.Scheduler, faults: Iterator<Fault>) {
  const death = Promise.withResolvers<'dead'>()
  let dead = false
  const never = new Promise<never>(() => {})
  const call = async <T>(what: string, run: () => Promise<T>): Promise<T> => {
    await scheduler.schedule(Promise.resolve(), what)
    const fault = faults.next().value ?? 'none'
    if (fault === 'dies before') dead = true
    if (dead) {
      death.resolve('dead')
      return await never
    }
    if (fault === 'lost') throw unavailable()
    const outcome = await run().catch((error: unknown) => ({ error }))
    if (fault === 'dies after') {
      dead = true
      death.resolve('dead')
      return await never
    }
    if (fault === 'answer lost') throw unavailable()
    if (fault === 'repeated' && what === 'create') await run()
    await scheduler.schedule(Promise.resolve(), `${what} answered`)
    if (dead) return await never
    if (typeof outcome === 'object' && outcome !== null && 'error' in outcome) throw outcome.error
    return outcome as T
  }
  const quotas = createQuotas(
    {
      readAll: (...args) => call('read', () => store.readAll(...args)),
      read: (...args) => call('read', () => store.read(...args)),
      create: (...args) => call('create', () => store.create(...args)),
    },
    bucket,
  )
  const charge = (asked: readonly Asked[]) =>
    Promise.race([quotas.charge(window, asked).catch(() => 'failed' as const), death.promise])
  return { charge, isDead: () => dead }
}

/** Which work is asked for where, in which order: three replicas, of which any may be dead by then. */
const requests = fc.array(
  fc.record({
    at: fc.nat({ max: 2 }),
    works: fc.uniqueArray(fc.nat({ max: 11 }), { minLength: 1, maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 12 },
)
const faults = fc.array(
  fc.oneof({ weight: 4, arbitrary: fc.constant('none' as const) }, fc.constantFrom(...FAULTS)),
  {
    maxLength: 60,
  },
)

test('whatever races, is lost or dies, nothing is told that is not charged, and no limit is exceeded', async () => {
  await fc.assert(
    fc.asyncProperty(requests, faults, fc.scheduler(), async (asked, wrong, scheduler) => {
      const { store, objects } = memory()
      const next = wrong.values()
      const replicas = [0, 1, 2].map(() => replica(store, scheduler, next))
      const told = new Set<string>()
      const refused: { readonly id: string; readonly used: Totals; readonly charge: Charge }[] = []
      const answers = asked.map(async ({ at, works }) => {
        const jobs = works.map((n) => askedFor(n))
        const charges = await replicas[at]?.charge(jobs)
        if (!Array.isArray(charges)) return
        for (const [i, charge] of charges.entries())
          if (charge.kind === 'charged') told.add(jobs[i]?.work.id ?? '')
          else refused.push({ id: jobs[i]?.work.id ?? '', used: chainIn(objects).total, charge })
      })
      await scheduler.waitFor(Promise.all(answers))

      const { total, works } = chainIn(objects)
      for (const id of told) assert.ok(works.has(id), `${id} is told and not charged`)
      for (const unit of ['releases', 'objects', 'bytes'] as const) assert.ok(total[unit] <= LIMITS[unit])
      // No refusal is too early: the chain was that full, and another replica had not charged the work.
      for (const { id, used, charge } of refused)
        assert.ok(!works.has(id) && charge.kind === 'exceeded' && charge.used <= used[charge.unit])
    }),
    { numRuns: 300 },
  )
})

test('without faults everything that fits is charged, once', async () => {
  await fc.assert(
    fc.asyncProperty(requests, fc.scheduler(), async (asked, scheduler) => {
      const { store, objects } = memory()
      const none: Fault[] = []
      const replicas = [0, 1, 2].map(() => replica(store, scheduler, none.values()))
      const limits = { releases: 100, objects: 300, bytes: 10_000 }
      const answers = asked.map(async ({ at, works }) => {
        const charges = await replicas[at]?.charge(works.map((n) => askedFor(n, limits)))
        assert.ok(Array.isArray(charges) && charges.every(({ kind }) => kind === 'charged'))
      })
      await scheduler.waitFor(Promise.all(answers))
      const { total, works } = chainIn(objects)
      assert.equal(total.releases, new Set(asked.flatMap((request) => request.works)).size)
      assert.equal(works.size, total.releases)
    }),
    { numRuns: 100 },
  )
})

test('a repeated create is one charge, also on disk', async () => {
  const quotas = createQuotas(repeatingCreates(await emptyStore()), bucket)
  const [first, second] = [
    await quotas.charge(window, [askedFor(1)]),
    await quotas.charge(window, [askedFor(1), askedFor(2)]),
  ]
  assert.deepEqual(first, [{ kind: 'charged', used: { releases: 1, objects: 2, bytes: 10 } }])
  assert.deepEqual(second[1], { kind: 'charged', used: { releases: 2, objects: 5, bytes: 30 } })
})

test('an outage refuses, and the same work asked again is charged once', async () => {
  const { store, objects } = memory()
  let lost = true
  const quotas = createQuotas(
    {
      ...store,
      create: async (object, bytes) => {
        const created = await store.create(object, bytes)
        if (lost) throw unavailable()
        return created
      },
    },
    bucket,
  )
  await assert.rejects(quotas.charge(window, [askedFor(1)]), { code: 'service.unavailable' })
  lost = false
  assert.equal((await quotas.charge(window, [askedFor(1), askedFor(2)]))[0]?.kind, 'charged')
  assert.equal(chainIn(objects).total.releases, 2)
})

test('requests that wait for the same chain share an entry; a replica alone needs one create per entry', async () => {
  const { store, objects, counts } = memory()
  const quotas = createQuotas(store, bucket)
  const limits = { releases: 1000, objects: 3000, bytes: 1_000_000 }
  await Promise.all(Array.from({ length: 300 }, (_, n) => quotas.charge(window, [askedFor(n, limits)])))
  assert.equal(chainIn(objects).total.releases, 300)
  // The first, 256, and the rest.
  assert.deepEqual(counts, { creates: 3, reads: 0 })
  await quotas.charge(window, [askedFor(299, limits)])
  assert.deepEqual(counts, { creates: 3, reads: 0 })
})

test('a replica that starts finds the end of a long chain by few reads, and knows every work', async () => {
  const length = 20 * SEGMENT + 100
  const objects = new Map<string, Buffer>()
  const chain = new QuotaChain()
  for (let n = 1; n <= length; n++) {
    const entry = chain.next([askedFor(n).work])
    chain.add(entry)
    objects.set(quotaEntryName(window, n), QuotaEntryFormat.encode(entry))
  }
  const limits = { releases: 10_000, objects: 30_000, bytes: 10 ** 12 }
  for (const old of [1, SEGMENT, length - 1]) {
    const { store, counts } = memory(new Map(objects))
    const quotas = createQuotas(store, bucket)
    const [again, fresh] = await quotas.charge(window, [askedFor(old, limits), askedFor(length + 1, limits)])
    assert.deepEqual(again, { kind: 'charged', used: chain.total })
    assert.equal(fresh?.kind === 'charged' && fresh.used.releases, length + 1)
    assert.ok(counts.reads < 400, `${counts.reads} reads for ${length} entries`)
  }
})

test('a chain that cannot be read, or is not in order, refuses', async () => {
  const { store, objects } = memory()
  const charge = (changes: Partial<Store> = {}) =>
    createQuotas({ ...store, ...changes }, bucket).charge(window, [askedFor(3)])
  const entry = new QuotaChain().next([askedFor(1).work])
  objects.set(quotaEntryName(window, 1), QuotaEntryFormat.encode(entry))
  await assert.rejects(charge({ readAll: () => Promise.reject(unavailable()) }), {
    code: 'service.unavailable',
  })
  const lower = { ...entry, total: { ...entry.total, bytes: 0 } }
  for (const stored of [QuotaEntryFormat.encode(lower), Buffer.from('{}')]) {
    objects.set(quotaEntryName(window, 1), stored)
    await assert.rejects(charge(), { code: 'service.failed' })
  }
})

test('a replica that loses every race gives up', async () => {
  const { store } = memory()
  let n = 100
  const rival = createQuotas(store, bucket)
  const losing = createQuotas(
    {
      ...store,
      create: async (object, bytes) => {
        await rival.charge(window, [askedFor(n++, { releases: 1000, objects: 3000, bytes: 1_000_000 })])
        return await store.create(object, bytes)
      },
    },
    bucket,
  )
  const limits = { releases: 1000, objects: 3000, bytes: 1_000_000 }
  await assert.rejects(losing.charge(window, [askedFor(1, limits)]), { code: 'service.unavailable' })
})

test('another window is another chain; those that are over are forgotten', async () => {
  const { store, counts } = memory()
  const quotas = createQuotas(store, bucket)
  const at = (days: number) => windowAt(permissionOf({ quota: LIMITS }), toUnixSeconds(NOW + days * 86_400))
  const charge = async (days: number) => (await quotas.charge(at(days), [askedFor(1)]))[0]
  const used = { releases: 1, objects: 2, bytes: 10 }
  assert.deepEqual([await charge(0), await charge(1)], Array(2).fill({ kind: 'charged', used }))
  assert.equal(quotas.fullest(toUnixSeconds(NOW)), 2 / 9)
  assert.equal(quotas.fullest(at(1).ends), 0)
  assert.deepEqual(counts, { creates: 2, reads: 0 })
  await charge(0)
  assert.deepEqual(counts, { creates: 2, reads: 0 })
  await charge(2)
  await charge(0)
  // Forgotten, and read again.
  assert.equal(counts.creates, 4)
})
