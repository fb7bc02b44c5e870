/** The worker's reading of consent lists: exactly those that the grant names, or nothing. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { sha256, toBase64url, toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import type { Grant } from '#core/release/grant.ts'
import { nodeCipher } from '#core/sealed/cipher.ts'
import { listName, sealList } from '#core/sealed/consentList.ts'
import { plainMemory } from '#core/secretMemory.ts'
import type { ObjectRef } from '#ports/objectStore.ts'
import type { GrantedJob } from '../../src/worker/attester.ts'
import { readWithdrawn } from '../../src/worker/consent.ts'

const PLACE = { namespace: 'hospital', bucket: 'governance' }
const identityOf = (id: string) => ({ tenant: 'hospital', dataset: 'cohort', id })
const { signal } = new AbortController()

async function listOf(...ids: readonly string[]) {
  const [id, dek] = [toHex(randomBytes(16)), randomBytes(32)]
  const sealed = await sealList(ids, { identity: identityOf(id), dek, cipher: nodeCipher })
  const named = { id, digest: toBase64url(sha256(sealed)), bytes: sealed.byteLength }
  return { named, dek, sealed, name: listName('cohort', sha256(sealed)) }
}
type List = Awaited<ReturnType<typeof listOf>>

/** A grant over these lists, in a bucket that has what `stored` says. */
function world(lists: readonly List[], stored = new Map(lists.map(({ name, sealed }) => [name, sealed]))) {
  const consent: Grant['consent'] = {
    seq: 3,
    digest: toBase64url(Buffer.alloc(32)),
    ...PLACE,
    lists: lists.map(({ named }) => named),
    keyDigest: toBase64url(Buffer.alloc(32)),
  }
  const keys: Buffer[] = []
  const granted = {
    // Only these fields of a grant are read.
    accepted: { grant: { consent, tenant: 'hospital', dataset: 'cohort' } },
    openListKey: (index: number) => {
      const key = Buffer.from(lists[index]?.dek ?? [])
      keys.push(key)
      return key
    },
  } as unknown as GrantedJob
  const readAll = async ({ name, ...place }: ObjectRef, maxBytes: number) => {
    assert.deepEqual(place, PLACE)
    const found = stored.get(name)
    if (found === undefined) throw new CodedError('service.missing', 'getObject answered 404')
    if (found.byteLength > maxBytes) throw new CodedError('service.failed', 'too large')
    return found
  }
  const absent = async () => assert.fail()
  const objects = { readAll, read: absent, head: absent, stream: absent }
  const boot = { objects, cipher: nodeCipher, memory: plainMemory }
  return { granted, keys, read: () => readWithdrawn(granted, boot, signal) }
}
const isWiped = (key: Buffer) => key.every((byte) => byte === 0)
const unopened = { name: 'CodedError', code: 'consent.unopened' }

test('the union of the lists', async () => {
  const { read, keys } = world([await listOf('a', 'b'), await listOf(), await listOf('b', 'c')])
  const patients = await read()
  assert.equal(patients?.size, 3)
  for (const id of ['a', 'b', 'c']) assert.ok(patients.has(Buffer.from(id), 0, 1))
  assert.equal(keys.length, 3)
  assert.ok(keys.every(isWiped))
})

test('a grant without lists asks for none', async () => {
  const { granted } = world([])
  const none = { ...granted, accepted: { grant: { consent: null } } } as unknown as GrantedJob
  const boot = { objects: {}, cipher: nodeCipher, memory: plainMemory } as never
  assert.equal(await readWithdrawn(none, boot, signal), null)
})

test('a list that is not there, or that storage exchanged: nothing, and the job waits', async () => {
  const [first, second] = [await listOf('a'), await listOf('b')]
  for (const [name, stored] of Object.entries({
    missing: undefined,
    'of another content': second.sealed,
    cut: first.sealed.subarray(0, -1),
    empty: Buffer.alloc(0),
  })) {
    const bucket = new Map(stored === undefined ? [] : [[first.name, stored]])
    await assert.rejects(world([first], bucket).read(), unopened, name)
  }
})

test('a list under another key or of another dataset opens nothing, and what was opened is wiped', async () => {
  const [first, second] = [await listOf('a'), await listOf('b')]
  for (const wrong of [
    { ...second, dek: randomBytes(32) },
    { ...second, named: { ...second.named, id: '00'.repeat(16) } },
  ]) {
    const { read, keys } = world([first, wrong])
    await assert.rejects(read(), unopened)
    assert.ok(keys.every(isWiped))
  }
})

test('an outage stays an outage', async () => {
  const { granted } = world([await listOf('a')])
  const readAll = async () => {
    throw new CodedError('service.unavailable', 'storage does not answer')
  }
  const boot = { objects: { readAll }, cipher: nodeCipher, memory: plainMemory } as never
  await assert.rejects(readWithdrawn(granted, boot, signal), { code: 'service.unavailable' })
})
