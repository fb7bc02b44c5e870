/** A later boot of the Verifier tells what a dead one left unended, from its log and two looks at it. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createEvidenceLog, type EvidenceLog } from '#adapters/evidence/log.ts'
import { createLogTails } from '#adapters/evidence/logTail.ts'
import type { Log } from '#adapters/system/log.ts'
import { bootOf } from '#core/boot/boot.ts'
import { utf8 } from '#core/bytes.ts'
import { checkpointName } from '#core/evidence/checkpoint.ts'
import type { EntryBody } from '#core/evidence/entry.ts'
import { noteDigest } from '#core/evidence/note.ts'
import { exportJwk } from '#core/jwk.ts'
import { createAnnouncements } from '../../src/verifier/announcements.ts'
import { createInterruptions } from '../../src/verifier/interruptions.ts'
import { decided, failed, releaseIdOf } from '../adapters/evidence/releaseEntries.ts'
import { faultyStore, temporaryFolder, unavailable } from '../adapters/evidence/stores.ts'
import { steerableClock } from './steerableClock.ts'

const evidenceBucket = { namespace: 'test', bucket: 'evidence' }
const stateBucket = { namespace: 'test', bucket: 'state' }
const REQUEST_SECONDS = 5
const DAY = 86_400
const { signal } = new AbortController()

const loaded: EntryBody = {
  event: 'policy.loaded',
  policySeq: 1,
  policyDigest: 'A'.repeat(43),
  revocationSeq: 0,
  revocations: [],
}

type Told = Extract<EntryBody, { event: 'release.interrupted' }>

/** Replicas over the same buckets, with one clock for all of them. */
async function replicas() {
  const store = await faultyStore()
  // A bucket exists before it has objects.
  for (const bucket of [evidenceBucket, stateBucket])
    await store.create({ ...bucket, name: 'other/0' }, utf8(''))
  const clock = steerableClock()
  const lines: string[] = []
  const line = (message: string, fields = {}) => {
    lines.push([message, ...Object.values(fields)].join(' '))
  }
  const log: Log = { info: line, warn: line, error: line, child: () => log }

  const start = async () => {
    const key = generateKeyPairSync('ed25519').privateKey
    const jwk = exportJwk(key)
    assert(jwk.kty === 'OKP')
    const boot = bootOf(jwk)
    const evidence = createEvidenceLog({
      store,
      bucket: evidenceBucket,
      role: 'verifier',
      key,
      boot,
      software: 'test/1',
      simulation: true,
      now: clock.now,
    })
    await evidence.flush()
    const told: Told[] = []
    const telling: Pick<EvidenceLog, 'appendAll' | 'flush'> = {
      flush: evidence.flush,
      appendAll: (bodies) => {
        for (const body of bodies) if (body.event === 'release.interrupted') told.push(body)
        return evidence.appendAll(bodies)
      },
    }
    const own = { boot, requestSeconds: REQUEST_SECONDS }
    const announcements = createAnnouncements(store, stateBucket, own, clock)
    const tails = createLogTails(store, evidenceBucket)
    const { look } = createInterruptions({ announcements, tails, evidence: telling, clock, log })
    return { boot, evidence, told, announcements, look: () => look(signal) }
  }
  const settled = async () => {
    const names: string[] = []
    for await (const { name } of store.list(stateBucket, 'settled/')) names.push(name)
    return names.length
  }
  return { store, clock, lines, start, settled }
}

/** A boot that dies with a log of these entries. */
async function dead(
  { start }: Awaited<ReturnType<typeof replicas>>,
  ...commits: readonly (readonly EntryBody[])[]
) {
  const { boot, evidence, announcements } = await start()
  await announcements.announce()
  let sealed = await evidence.flush()
  for (const entries of commits) {
    evidence.appendAll(entries)
    sealed = await evidence.flush()
  }
  const verifier = { boot, size: sealed.size, checkpointDigest: noteDigest(sealed.checkpoint) }
  return { evidence, verifier }
}

test('a log that stands still for two deadlines: its unended releases are told once, and only then', async () => {
  const world = await replicas()
  const { verifier } = await dead(world, [decided(1), decided(2), failed(1)], [decided(3)])
  const later = await world.start()
  await later.look()
  world.clock.pass(2 * REQUEST_SECONDS - 1)
  await later.look()
  assert.equal(later.told.length, 0)
  world.clock.pass(1)
  await later.look()
  assert.deepEqual(
    later.told,
    [releaseIdOf(2), releaseIdOf(3)].map((releaseId) => ({
      event: 'release.interrupted',
      releaseId,
      verifier,
    })),
  )
  assert.deepEqual(world.lines, [`another Verifier died in a request ${verifier.boot} 2`])

  const next = await world.start()
  for (const replica of [later, next])
    for (let i = 0; i < 3; i++) {
      await replica.look()
      world.clock.pass(2 * REQUEST_SECONDS)
    }
  assert.deepEqual([later.told.length, next.told.length], [2, 0])
})

test('a log that grows between two looks is not judged; it is looked at from then on', async () => {
  const world = await replicas()
  const { evidence } = await dead(world, [decided(1)])
  const later = await world.start()
  await later.look()
  world.clock.pass(2 * REQUEST_SECONDS)
  evidence.append(loaded)
  await evidence.flush()
  await later.look()
  world.clock.pass(2 * REQUEST_SECONDS - 1)
  await later.look()
  assert.equal(later.told.length, 0)
  world.clock.pass(1)
  await later.look()
  assert.deepEqual(
    later.told.map(({ releaseId, verifier }) => [releaseId, verifier.size]),
    [[releaseIdOf(1), 3]],
  )
})

test('a boot that is idle is looked at again, and told if it dies later', async () => {
  const world = await replicas()
  const { evidence } = await dead(world, [decided(1), failed(1)])
  const later = await world.start()
  for (let i = 0; i < 3; i++) {
    await later.look()
    world.clock.pass(2 * REQUEST_SECONDS)
  }
  assert.equal(await world.settled(), 0)
  evidence.append(decided(2))
  await evidence.flush()
  await later.look()
  world.clock.pass(2 * REQUEST_SECONDS)
  await later.look()
  assert.deepEqual(
    later.told.map(({ releaseId }) => releaseId),
    [releaseIdOf(2)],
  )
  assert.equal(await world.settled(), 1)
})

test('a closed log, and a silent one that announced itself days ago, are settled and not looked at again', async () => {
  const world = await replicas()
  const { evidence } = await dead(world, [decided(1), failed(1)])
  await evidence.close('drained')
  await dead(world, [loaded])
  const later = await world.start()
  await later.look()
  world.clock.pass(2 * REQUEST_SECONDS)
  await later.look()
  assert.equal(await world.settled(), 1)
  world.clock.pass(3 * DAY)
  await later.look()
  assert.equal(await world.settled(), 2)
  assert.deepEqual(await later.announcements.unsettled(signal), [])
  assert.deepEqual(later.told, [])
})

test('a boot of more than a month ago is not listed', async () => {
  const world = await replicas()
  await dead(world, [decided(1)])
  world.clock.pass(33 * DAY)
  assert.deepEqual(await (await world.start()).announcements.unsettled(signal), [])
})

test('a boot announces itself once a day, and again after a failure', async () => {
  const { store, clock, start } = await replicas()
  const { boot, announcements } = await start()
  store.asked.length = 0
  store.fault = () => {
    throw unavailable()
  }
  await assert.rejects(announcements.announce(), { code: 'service.unavailable' })
  store.fault = () => undefined
  for (const _ of [1, 2]) await announcements.announce()
  clock.pass(DAY)
  for (const _ of [1, 2]) await announcements.announce()
  assert.equal(store.asked.length, 3)
  assert.equal(new Set(store.asked).size, 2)
  for (const name of store.asked) assert.match(name, new RegExp(`^boots/\\d{4}-\\d\\d-\\d\\d/${boot}/5$`))
})

test('two replicas may tell the same; one that dies before it settles the boot leaves it to the next', async () => {
  const world = await replicas()
  await dead(world, [decided(1)])
  const [first, second] = [await world.start(), await world.start()]
  for (const replica of [first, second]) await replica.look()
  world.clock.pass(2 * REQUEST_SECONDS)
  world.store.fault = (name) => {
    if (name.startsWith('settled/')) throw unavailable()
    return undefined
  }
  await assert.rejects(first.look(), { code: 'service.unavailable' })
  world.store.fault = () => undefined
  await second.look()
  assert.deepEqual([first.told.length, second.told.length], [1, 1])
  assert.deepEqual(first.told, second.told)
})

test('a log in disorder is said once, and keeps no other boot from being told', async () => {
  const world = await replicas()
  const { start, store, clock, lines } = world
  const boots = await Promise.all([start(), start()])
  for (const { announcements } of boots) await announcements.announce()
  const [first, second] = boots.map(({ boot }) => boot).sort()
  assert.ok(first !== undefined && second !== undefined)
  for (const { boot, evidence } of boots)
    if (boot === second) {
      evidence.append(decided(1))
      await evidence.flush()
    } else
      await store.create(
        { ...evidenceBucket, name: `${first}/checkpoint/${'2'.padStart(20, '0')}` },
        utf8('x'),
      )
  const later = await start()
  for (let i = 0; i < 3; i++) {
    await later.look()
    clock.pass(2 * REQUEST_SECONDS)
  }
  assert.equal(later.told.length, 1)
  assert.equal(lines.filter((text) => text.includes(`cannot be read ${first} evidence.malformed`)).length, 1)
})

test('the last of more checkpoints than a page holds is found', async () => {
  const root = await temporaryFolder()
  const store = await faultyStore(root)
  const boot = 'b'.repeat(26)
  // As files, since a create waits for the disk. Sizes 7, 14, …; and one of another log behind them.
  const folderOf = (owner: string) => join(root, evidenceBucket.bucket, owner)
  for (const owner of [boot, 'c'.repeat(26)])
    await mkdir(join(folderOf(owner), 'checkpoint'), { recursive: true })
  for (let n = 1; n <= 1100; n++) await writeFile(join(folderOf(boot), checkpointName(n * 7)), '')
  await writeFile(join(folderOf('c'.repeat(26)), checkpointName(9999)), '')
  const { sizeOf } = createLogTails(store, evidenceBucket)
  for (const from of [0, 6999, 7693]) assert.equal(await sizeOf(boot, from), 7700)
  assert.equal(await sizeOf(boot, 7700), 7700)
  assert.equal(await sizeOf('d'.repeat(26), 0), 0)
})

test('the tail of a log goes back over bundles, and no further than the time that a release may take', async () => {
  const world = await replicas()
  const { evidence, verifier } = await dead(world, [...Array.from({ length: 100 }, () => loaded), decided(1)])
  evidence.appendAll(Array.from({ length: 200 }, () => loaded))
  world.clock.pass(3601)
  evidence.appendAll([decided(2), ...Array.from({ length: 600 }, () => loaded), decided(3)])
  const { size } = await evidence.flush()
  const { read } = createLogTails(world.store, evidenceBucket)
  const tail = await read(verifier.boot, size)
  assert.deepEqual(tail.unended, [releaseIdOf(2), releaseIdOf(3)])
  assert.equal(tail.closed, false)
  // The first checkpoint is not the end of what it covers.
  assert.deepEqual((await read(verifier.boot, verifier.size)).unended, [releaseIdOf(1)])
})
