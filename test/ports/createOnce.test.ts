import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { createIfAbsent, createOnce } from '#ports/createOnce.ts'
import { faultyStore, unavailable } from '../adapters/evidence/stores.ts'

const object = { namespace: 'test', bucket: 'bucket', name: 'a' }
const bytes = utf8('ours')

/** A store that loses the answer to a create and sends it again, as an adapter does. */
async function repeatingStore() {
  const store = await faultyStore()
  return {
    ...store,
    create: async (...call: Parameters<typeof store.create>) => {
      await store.create(...call)
      return await store.create(...call)
    },
  }
}

describe('createOnce', () => {
  test('creates an object that is absent', async () => {
    const store = await faultyStore()
    assert.equal(await createOnce(store, object, bytes), 'ours')
    assert.deepEqual(await store.readAll(object, 100), bytes)
  })

  for (const content of ['ours', ''])
    test(`recognises ${content.length} own bytes after a lost answer and a conflict`, async () => {
      assert.equal(await createOnce(await repeatingStore(), object, utf8(content)), 'ours')
    })

  for (const [name, content] of [
    ['of the same length', 'hers'],
    ['that begin with ours', 'ours and more'],
    ['that ours begin with', 'our'],
    ['of no length', ''],
  ] as const)
    test(`recognises foreign bytes ${name} and leaves them`, async () => {
      const store = await faultyStore()
      await store.create(object, utf8(content))
      assert.equal(await createOnce(store, object, bytes), 'foreign')
      assert.deepEqual(await store.readAll(object, 100), utf8(content))
    })

  test('reads no more of a foreign object than it takes to tell them apart', async () => {
    const store = await faultyStore()
    await store.create(object, Buffer.alloc(1_000_000))
    const ranges: unknown[] = []
    const recording = {
      ...store,
      read: (...call: Parameters<typeof store.read>) => {
        ranges.push(call[1])
        return store.read(...call)
      },
    }
    assert.equal(await createOnce(recording, object, bytes), 'foreign')
    assert.deepEqual(ranges, [{ start: 0, end: bytes.byteLength }])
  })

  test('concludes nothing if the name is taken and the object cannot be seen', async () => {
    const store = await faultyStore()
    await store.create(object, bytes)
    const hiding = {
      create: store.create,
      read: () => store.read({ ...object, name: 'hidden' }, { start: 0, end: 1 }),
    }
    await assert.rejects(createOnce(hiding, object, bytes), { code: 'service.missing' })
  })

  test('passes on the error of a read', async () => {
    const store = await faultyStore()
    await store.create(object, bytes)
    const silent = { create: store.create, read: () => Promise.reject(unavailable()) }
    await assert.rejects(createOnce(silent, object, bytes), { code: 'service.unavailable' })
  })
})

describe('createIfAbsent', () => {
  test('says whether this call created the object, and never reads', async () => {
    const { create } = await faultyStore()
    assert.equal(await createIfAbsent({ create }, object, bytes), true)
    assert.equal(await createIfAbsent({ create }, object, bytes), false)
  })

  test('is not sure of its own create after a lost answer', async () => {
    assert.equal(await createIfAbsent(await repeatingStore(), object, bytes), false)
  })
})

for (const create of [createOnce, createIfAbsent]) {
  test(`${create.name} passes on an error other than a conflict`, async () => {
    const store = await faultyStore()
    store.fault = () => {
      throw unavailable()
    }
    await assert.rejects(create(store, object, bytes), { code: 'service.unavailable' })
  })

  test(`${create.name} ends with the reason of its signal`, async () => {
    const store = await faultyStore()
    const reason = new Error('enough')
    await assert.rejects(create(store, object, bytes, AbortSignal.abort(reason)), reason)
  })
}
