import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { createEvidenceLog } from '#adapters/evidence/log.ts'
import type { EndLimit } from '#adapters/evidence/openReleases.ts'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import { fromUtf8, utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { checkpointName, openCheckpoint } from '#core/evidence/checkpoint.ts'
import { type EntryBody, EntryFormat } from '#core/evidence/entry.ts'
import { noteKey, parseVkey } from '#core/evidence/note.ts'
import { parseBundle } from '#core/evidence/tile.ts'
import { leafHash, rootOf } from '#core/evidence/tree.ts'
import { exportJwk } from '#core/jwk.ts'
import { toUnixSeconds } from '#core/time.ts'
import { decided, failed } from './releaseEntries.ts'
import { type FaultyStore, faultyStore, unavailable } from './stores.ts'

const bucket = { namespace: 'test', bucket: 'evidence-worker' }
const entry: EntryBody = {
  event: 'policy.loaded',
  policySeq: 1,
  policyDigest: 'A'.repeat(43),
  revocationSeq: 0,
  revocations: [],
}

async function newLog(clock = { now: 1_000_000 }, endLimit?: EndLimit) {
  const store = await faultyStore()
  const key = generateKeyPairSync('ed25519').privateKey
  const jwk = exportJwk(key)
  assert(jwk.kty === 'OKP')
  const boot = bootOf(jwk)
  const origin = logOrigin('worker', boot)
  const log = createEvidenceLog({
    store,
    bucket,
    role: 'worker',
    key,
    boot,
    software: 'confidential-worker 0.1.0',
    simulation: true,
    now: () => toUnixSeconds(clock.now),
    ...(endLimit === undefined ? {} : { endLimit }),
  })
  return { store, log, boot, key: noteKey(origin, jwk), origin, clock }
}

const objectsOf = async (store: FaultyStore) => {
  const names: string[] = []
  for await (const { name } of store.list(bucket, '')) names.push(name)
  return names
}

/** Reads every entry of the log's only bundle at `size`, and checks that the checkpoint covers it. */
async function readLog({ store, boot, key }: Awaited<ReturnType<typeof newLog>>, size: number) {
  const read = async (name: string) => await store.readAll({ ...bucket, name: `${boot}/${name}` }, 1 << 20)
  const entries = parseBundle(await read(`tile/entries/000.p/${size}`), size)
  const { root } = openCheckpoint(fromUtf8(await read(checkpointName(size))), key)
  assert.deepEqual(rootOf(entries.map(leafHash)), root)
  return entries.map((bytes) => EntryFormat.decode(bytes))
}

test('a flush stores the appended entries in order, under a signed checkpoint', async () => {
  const made = await newLog()
  const { log, store, boot, key } = made
  assert.equal(log.append(entry), 1)
  made.clock.now += 5
  assert.equal(log.append(entry), 2)
  const { checkpoint, size } = await log.flush()
  assert.equal(size, 3)
  assert.equal(openCheckpoint(checkpoint, key).size, 3)
  assert.deepEqual(store.asked, [
    `${boot}/key`,
    `${boot}/tile/entries/000.p/3`,
    `${boot}/tile/0/000.p/3`,
    `${boot}/checkpoint/00000000000000000003`,
  ])
  const opened = {
    event: 'log.opened',
    role: 'worker',
    boot,
    software: 'confidential-worker 0.1.0',
    simulation: true,
  }
  assert.deepEqual(await readLog(made, 3), [
    { v: 1, time: 1_000_000, ...opened },
    { v: 1, time: 1_000_000, ...entry },
    { v: 1, time: 1_000_005, ...entry },
  ])
  const vkey = fromUtf8(await store.readAll({ ...bucket, name: `${boot}/key` }, 1000))
  assert.deepEqual(parseVkey(vkey.trimEnd()), key)
})

test('a flush with nothing new writes nothing', async () => {
  const { log, store } = await newLog()
  const first = await log.flush()
  assert.deepEqual(await log.flush(), first)
  assert.equal(store.asked.length, 4)
})

test('flushes that overlap share a commit, and none returns before its entries are stored', async () => {
  const { log, store } = await newLog()
  const first = log.flush()
  log.append(entry)
  const rest = Array.from({ length: 20 }, () => {
    const index = log.append(entry)
    return log.flush().then(({ size }) => assert(size > index))
  })
  await Promise.all([first, ...rest])
  assert.equal(store.asked.filter((name) => name.includes('checkpoint')).length, 2)
})

test('time never goes back within a log', async () => {
  const made = await newLog()
  made.clock.now -= 100
  made.log.append(entry)
  await made.log.flush()
  assert.deepEqual(
    (await readLog(made, 2)).map(({ time }) => time),
    [1_000_000, 1_000_000],
  )
})

test('an entry that the schema refuses is not written', async () => {
  const made = await newLog()
  const note: EntryBody = { ...entry, policyDigest: 'free text' }
  assert.throws(() => made.log.append(note), { code: 'evidence.malformed' })
  const extra: EntryBody & { patient: string } = { ...entry, patient: 'x' }
  assert.throws(() => made.log.append(extra), { code: 'evidence.malformed' })
  assert.equal(made.log.append(entry), 1)
})

for (const outcome of ['lost request', 'lost answer'] as const)
  for (const nth of [1, 2, 3, 4])
    test(`an outage at write ${nth} (${outcome}) loses nothing: the same commit is finished first`, async () => {
      const made = await newLog()
      const { log, store } = made
      made.store.fault = (_, count) => {
        if (count !== nth) return undefined
        if (outcome === 'lost request') throw unavailable()
        return 'lost'
      }
      await assert.rejects(log.flush(), { code: 'evidence.unavailable' })
      log.append(entry)
      assert.equal((await log.flush()).size, 2)
      assert.equal((await readLog(made, 1)).length, 1)
      assert.equal((await readLog(made, 2)).length, 2)
      const checkpoints = store.asked.filter((name) => name.includes('checkpoint'))
      assert.deepEqual(
        [...new Set(checkpoints)].map((name) => Number(name.slice(-20))),
        [1, 2],
      )
    })

test('no larger size is signed while a checkpoint may be lost', async () => {
  const { log, store } = await newLog()
  store.fault = (name) => {
    if (name.includes('checkpoint')) throw unavailable()
    return undefined
  }
  for (let i = 0; i < 3; i++) {
    await assert.rejects(log.flush(), { code: 'evidence.unavailable' })
    log.append(entry)
  }
  assert.deepEqual(
    [...new Set(store.asked.filter((name) => name.includes('checkpoint')))].map((name) =>
      Number(name.slice(-20)),
    ),
    [1],
  )
})

for (const [name, theirs] of [
  ['of another size', 'other'],
  ['of the same size', undefined],
] as const)
  test(`an object of another writer ${name} stops the log for good`, async () => {
    const { log, store, boot, key } = await newLog()
    const mine = `${boot}/key`
    const size = 2 + `${key.name}++`.length + 8 + 44 - 1
    await store.create({ ...bucket, name: mine }, theirs === undefined ? Buffer.alloc(size) : utf8(theirs))
    await assert.rejects(log.flush(), { code: 'evidence.conflict' })
    await assert.rejects(log.flush(), { code: 'evidence.conflict' })
    assert.throws(() => log.append(entry), { code: 'evidence.conflict' })
    assert.deepEqual(await objectsOf(store), [mine])
  })

test('a store that forbids the write gives its own code', async () => {
  const { log, store } = await newLog()
  store.fault = () => {
    throw new CodedError('service.denied', 'no permission')
  }
  await assert.rejects(log.flush(), { code: 'service.denied' })
})

test('a signal ends the wait and not the commit', async () => {
  const { log } = await newLog()
  const controller = new AbortController()
  const waiting = log.flush(controller.signal)
  controller.abort(new CodedError('lease.lost', 'enough'))
  await assert.rejects(waiting, { code: 'lease.lost' })
  await assert.rejects(log.flush(AbortSignal.abort(new CodedError('lease.lost', 'enough'))), {
    code: 'lease.lost',
  })
  assert.equal((await log.flush()).size, 1)
})

test('waiting entries are limited in number, and all are stored after an outage', async () => {
  const { log } = await newLog()
  for (let i = 1; i < 8192; i++) log.append(entry)
  assert.throws(() => log.append(entry), { code: 'evidence.unavailable' })
  assert.equal((await log.flush()).size, 8192)
  assert.equal(log.append(entry), 8192)
})

test('several entries are appended all or none', async () => {
  const { log } = await newLog()
  assert.throws(() => log.appendAll([entry, { ...entry, policyDigest: 'free text' }]), {
    code: 'evidence.malformed',
  })
  for (let i = 1; i < 8190; i++) log.append(entry)
  assert.throws(() => log.appendAll([entry, entry, entry]), { code: 'evidence.unavailable' })
  assert.equal(log.appendAll([entry, entry]), 8190)
  assert.equal((await log.flush()).size, 8192)
})

test('a decision needs room for its end too, and the end always has it', async () => {
  const { log } = await newLog()
  for (let i = 1; i < 8189; i++) log.append(entry)
  assert.throws(() => log.appendAll([decided(1), decided(2)]), { code: 'evidence.unavailable' })
  assert.equal(log.append(decided(1)), 8189)
  log.append(entry)
  assert.throws(() => log.append(entry), { code: 'evidence.unavailable' })
  assert.equal(log.append(failed(1)), 8191)
  assert.throws(() => log.append(failed(1)), { code: 'evidence.unavailable' })
})

test('a log with an unended release cannot be closed', async () => {
  const { log } = await newLog()
  log.append(decided(1))
  await assert.rejects(log.close('drained'), { code: 'evidence.unavailable' })
  log.append(failed(1))
  assert.equal((await log.close('drained')).size, 4)
})

for (const { name, lost, passed, code } of [
  { name: 'in time', lost: false, passed: 30_000, code: '' },
  { name: 'too late', lost: false, passed: 30_001, code: 'evidence.overdue' },
  {
    name: 'too late after a decision that may be stored',
    lost: true,
    passed: 30_001,
    code: 'evidence.overdue',
  },
])
  test(`the end of a decided release is stored ${name}${code === '' ? '' : ': the log goes no further'}`, async () => {
    let now = 0
    const { log, store, boot } = await newLog(undefined, { milliseconds: 30_000, monotonic: () => now })
    await log.flush()
    now += 100_000
    log.append(decided(1))
    store.fault = (object) => (lost && object.includes('checkpoint') ? 'lost' : undefined)
    await log.flush().catch(() => {})
    store.fault = () => undefined
    now += passed
    log.append(failed(1))
    const stored = async () =>
      (await objectsOf(store)).filter((object) => object.includes('checkpoint')).length
    if (code === '') {
      assert.equal((await log.flush()).size, 3)
      now += 100_000
      log.append(entry)
      assert.equal((await log.flush()).size, 4)
      return
    }
    for (let i = 0; i < 2; i++) await assert.rejects(log.flush(), { code })
    assert.throws(() => log.append(entry), { code })
    assert.equal(await stored(), 2, boot)
  })

test('a decision that no checkpoint could show, and its end with it, may be stored at any time', async () => {
  let now = 0
  const { log, store } = await newLog(undefined, { milliseconds: 30_000, monotonic: () => now })
  store.fault = () => {
    throw unavailable()
  }
  log.append(decided(1))
  await assert.rejects(log.flush(), { code: 'evidence.unavailable' })
  log.append(failed(1))
  now += 600_000
  store.fault = () => undefined
  assert.equal((await log.flush()).size, 3)
})

const object = (name: string, bytes = name) => ({ name, bytes: utf8(bytes) })

test('an object that an entry names is stored before the checkpoint over the entry, and once', async () => {
  const { log, store, boot } = await newLog()
  log.appendAll([entry], [object('terms/a'), object('request/a')])
  log.appendAll([entry], [object('terms/a'), object('request/b')])
  await log.flush()
  log.appendAll([entry], [object('terms/a')])
  await log.flush()
  const own = (name: string) => `${boot}/${name}`
  const [key, ...stage] = store.asked.slice(0, 5)
  assert.equal(key, own('key'))
  assert.deepEqual(stage.sort(), ['request/a', 'request/b', 'terms/a', own('tile/entries/000.p/3')].sort())
  assert.deepEqual(store.asked.slice(5), [
    own('tile/0/000.p/3'),
    own('checkpoint/00000000000000000003'),
    own('tile/entries/000.p/4'),
    own('tile/0/000.p/4'),
    own('checkpoint/00000000000000000004'),
  ])
})

test('while an object that an entry names is not stored, there is no checkpoint over the entry', async () => {
  const { log, store } = await newLog()
  store.fault = (name) => {
    if (name === 'request/a') throw unavailable()
    return undefined
  }
  log.appendAll([entry], [object('request/a')])
  await assert.rejects(log.flush(), { code: 'evidence.unavailable' })
  assert.deepEqual(
    (await objectsOf(store)).filter((name) => name.includes('checkpoint')),
    [],
  )
  store.fault = () => undefined
  assert.equal((await log.flush()).size, 2)
  assert.ok((await objectsOf(store)).includes('request/a'))
})

test('a named object that is there already is taken for stored if it holds the same bytes', async () => {
  const { log, store } = await newLog()
  await store.create({ ...bucket, name: 'terms/a' }, utf8('terms/a'))
  log.appendAll([entry], [object('terms/a')])
  assert.equal((await log.flush()).size, 2)
  log.appendAll([entry], [object('terms/b')])
  await store.create({ ...bucket, name: 'terms/b' }, utf8('other'))
  await assert.rejects(log.flush(), { code: 'evidence.conflict' })
})

test('objects that entries name count as waiting bytes', async () => {
  const { log } = await newLog()
  log.appendAll([entry], [{ name: 'request/a', bytes: Buffer.alloc(32 * 1024 * 1024) }])
  assert.throws(() => log.append(entry), { code: 'evidence.unavailable' })
  await log.flush()
  log.append(entry)
})

test('waiting entries are limited in bytes', async () => {
  const { log } = await newLog()
  const text = 'x'.repeat(400)
  const reason = {
    code: 'tcb.below-floor',
    field: 'tcb',
    expected: text,
    actual: text,
    remedy: text,
  } as const
  const large: EntryBody = {
    event: 'release.refused',
    denialId: '0'.repeat(32),
    accepted: 0,
    dataset: null,
    headerDigests: ['A'.repeat(43)],
    traceparents: [],
    reasons: Array.from({ length: 48 }, () => reason),
    quota: null,
  }
  let appended = 0
  assert.throws(
    () => {
      for (; appended < 8192; appended++) log.append(large)
    },
    { code: 'evidence.unavailable' },
  )
  assert(appended > 400 && appended < 700, String(appended))
})

test('a closed log ends with log.closed and takes nothing more', async () => {
  const made = await newLog()
  made.store.fault = (_, nth) => {
    if (nth === 1) throw unavailable()
    return undefined
  }
  await assert.rejects(made.log.close('drained'), { code: 'evidence.unavailable' })
  assert.equal((await made.log.close('drained')).size, 2)
  const [, closed] = await readLog(made, 2)
  assert.deepEqual(closed, { v: 1, event: 'log.closed', time: 1_000_000, reason: 'drained' })
  assert.throws(() => made.log.append(entry), { code: 'internal.fault' })
})

test('a boot must have the name of its key', async () => {
  const { store } = await newLog()
  const key = generateKeyPairSync('ed25519').privateKey
  const options = { store, bucket, key, role: 'worker', software: 's', simulation: false } as const
  assert.throws(() => createEvidenceLog({ ...options, boot: 'a'.repeat(26), now: () => toUnixSeconds(0) }), {
    code: 'internal.fault',
  })
})
