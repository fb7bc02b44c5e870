/** The contract of the ObjectStore port. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { createIfAbsent, createOnce } from '#ports/createOnce.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import { coded, type Setup, unique } from './subject.ts'

type StoreSetup = {
  /** Two clients of one service. */
  readonly first: { readonly objectStore: () => ObjectStore }
  readonly second: { readonly objectStore: () => ObjectStore }
  readonly resources: { readonly namespace: string; readonly bucket: string }
  readonly arm: Setup['arm']
}

export type StoreSubject = {
  readonly name: string
  /** An object's name can be the folder of another's: `a` beside `a/b`. */
  readonly nests: boolean
  readonly open: () => Promise<StoreSetup>
}

export function testObjectStore(subject: StoreSubject): void {
  const rule = (
    name: string,
    run: (setup: StoreSetup, ref: (name: string) => ObjectRef) => Promise<void>,
  ): void => {
    test(`${subject.name}: ${name}`, async () => {
      const setup = await subject.open()
      const { namespace, bucket } = setup.resources
      const folder = unique('contract/')
      await run(setup, (leaf) => ({ namespace, bucket, name: `${folder}/${leaf}` }))
    })
  }

  rule(
    'an object reads back whole, by range, as a stream and by its etag',
    async ({ first, second }, ref) => {
      const bytes = randomBytes(100_000)
      const { etag } = await first.objectStore().create(ref('a'), bytes)
      const store = second.objectStore()
      const head = await store.head(ref('a'), etag)
      assert.deepEqual([head.size, head.etag], [bytes.byteLength, etag])
      assert.deepEqual(await store.readAll(ref('a'), bytes.byteLength), bytes)
      for (const [start, end, expected] of [
        [0, 0, bytes.subarray(0, 1)],
        [10, 99, bytes.subarray(10, 100)],
        [99_990, 200_000, bytes.subarray(99_990)],
        [100_000, 100_001, Buffer.alloc(0)],
      ] as const)
        assert.deepEqual(await store.read(ref('a'), { start, end }, etag), expected)
      for (const start of [0, 1, 99_999]) {
        const body = await store.stream(ref('a'), { etag, start })
        assert.deepEqual([body.size, body.etag], [bytes.byteLength, etag])
        assert.deepEqual(await collect(body.chunks), bytes.subarray(start))
      }
    },
  )

  rule('an empty object is an object', async ({ first }, ref) => {
    const store = first.objectStore()
    const { etag } = await store.create(ref('empty'), Buffer.alloc(0))
    assert.equal((await store.head(ref('empty'))).size, 0)
    assert.deepEqual(await store.readAll(ref('empty'), 0), Buffer.alloc(0))
    assert.deepEqual(await store.read(ref('empty'), { start: 0, end: 4095 }, etag), Buffer.alloc(0))
    assert.deepEqual(await collect((await store.stream(ref('empty'), { etag })).chunks), Buffer.alloc(0))
  })

  rule('exactly one of racing creates succeeds, and its bytes stay', async ({ first, second }, ref) => {
    const stores = [first.objectStore(), second.objectStore()]
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, writer) =>
        (stores[writer % 2] ?? first.objectStore()).create(ref('race'), Buffer.of(writer)),
      ),
    )
    const winners = outcomes.flatMap(({ status }, writer) => (status === 'fulfilled' ? [writer] : []))
    assert.equal(winners.length, 1)
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') assert.equal(outcome.reason.code, 'service.conflict')
    assert.deepEqual(await first.objectStore().readAll(ref('race'), 1), Buffer.of(winners[0] ?? -1))
  })

  rule('a create whose answer is lost is settled by reading', async ({ first, second, arm }, ref) => {
    if (arm === undefined) return
    const store = first.objectStore()
    const loseAnswer = (name: string) =>
      arm({ service: 'objectstorage', match: { method: 'PUT', path: name }, reset: 'after', times: 1 })
    await loseAnswer('lost-once')
    assert.equal(await createOnce(store, ref('lost-once'), Buffer.from('ours')), 'ours')
    assert.equal(await createOnce(second.objectStore(), ref('lost-once'), Buffer.from('mine')), 'foreign')
    await loseAnswer('lost-absent')
    assert.equal(await createIfAbsent(store, ref('lost-absent'), Buffer.from('ours')), false)
    for (const name of ['lost-once', 'lost-absent'])
      assert.deepEqual(await store.readAll(ref(name), 10), Buffer.from('ours'))
  })

  rule('another version is object.changed, an absent object is service.missing', async ({ first }, ref) => {
    const store = first.objectStore()
    await store.create(ref('b'), Buffer.from('b'))
    const gone = '00000000-0000-4000-8000-000000000000'
    await assert.rejects(store.head(ref('b'), gone), coded('object.changed'))
    await assert.rejects(store.read(ref('b'), { start: 0, end: 1 }, gone), coded('object.changed'))
    await assert.rejects(store.stream(ref('b'), { etag: gone }), coded('object.changed'))
    await assert.rejects(store.head(ref('none')), coded('service.missing'))
    await assert.rejects(store.readAll(ref('none'), 1), coded('service.missing'))
    await assert.rejects(store.head({ ...ref('b'), bucket: unique('no-bucket-') }), coded('service.missing'))
  })

  rule('readAll refuses an object over its limit', async ({ first }, ref) => {
    const store = first.objectStore()
    await store.create(ref('c'), Buffer.alloc(11))
    await assert.rejects(store.readAll(ref('c'), 10), coded('service.failed'))
  })

  rule('a listing gives names unchanged, sorted by bytes and behind `after`', async ({ first }, ref) => {
    const store = first.objectStore()
    const nested = subject.nests ? 'a/b c' : 'a./b c'
    const leaves = ['a', 'a&prefix=z', nested, 'a#1', 'b?x=%41', 'é', '+', 'Z']
    await Promise.all(leaves.map((leaf) => store.create(ref(leaf), Buffer.from(leaf))))
    const names = leaves
      .map((leaf) => ref(leaf).name)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    const bucket = ref('')
    const listed = async (prefix: string, after?: string): Promise<string[]> =>
      (await Array.fromAsync(store.list(bucket, prefix, after))).map(({ name }) => name)
    assert.deepEqual(await listed(ref('').name), names)
    assert.deepEqual(await listed(ref('').name, names[3]), names.slice(4))
    assert.deepEqual(await listed(ref('a&').name), [ref('a&prefix=z').name])
    assert.deepEqual(await listed(ref('none').name), [])
    const [entry] = await Array.fromAsync(store.list(bucket, ref('é').name))
    const head = await store.head(ref('é'))
    assert.deepEqual(entry, { name: ref('é').name, size: 2, etag: head.etag })
  })

  rule('a large object is written in parts, and never overwrites', async ({ first }, ref) => {
    const store = first.objectStore()
    const size = 40 * 1024 * 1024 + 17
    const written = createHash('sha256')
    const { etag } = await store.createFrom(ref('large'), pattern(size, written), size)
    const body = await store.stream(ref('large'), { etag })
    const read = createHash('sha256')
    let bytes = 0
    for await (const chunk of body.chunks) {
      read.update(chunk)
      bytes += chunk.byteLength
    }
    assert.equal(bytes, size)
    assert.equal(read.digest('hex'), written.digest('hex'))
    await assert.rejects(store.createFrom(ref('large'), pattern(size), size), coded('service.conflict'))
  })

  rule('a stream with another size than announced leaves no object', async ({ first }, ref) => {
    const store = first.objectStore()
    const large = 20 * 1024 * 1024
    for (const [name, announced, given] of [
      ['short', 100, 99],
      ['long', 100, 101],
      ['large short', large, large - 1],
      ['large long', large, large + 1],
    ] as const) {
      await assert.rejects(store.createFrom(ref(name), pattern(given), announced), coded('internal.fault'))
      await assert.rejects(store.head(ref(name)), coded('service.missing'))
    }
  })

  rule('a stream that is left early, or never started, frees its socket', async ({ first }, ref) => {
    const store = first.objectStore()
    const { etag } = await store.create(ref('left'), randomBytes(3_000_000))
    const begun = await store.stream(ref('left'), { etag })
    for await (const chunk of begun.chunks) {
      assert.ok(chunk.byteLength > 0)
      break
    }
    const unread = await store.stream(ref('left'), { etag })
    await unread.chunks[Symbol.asyncIterator]().return?.()
    assert.equal((await store.head(ref('left'))).size, 3_000_000)
  })

  rule('an aborted call rejects with the reason of its signal', async ({ first }, ref) => {
    const store = first.objectStore()
    const reason = new Error('enough')
    await assert.rejects(store.head(ref('x'), undefined, AbortSignal.abort(reason)), reason)
  })
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(chunks))
}

/** Varying bytes, in chunks that fit no boundary. */
async function* pattern(
  size: number,
  hash?: { update: (bytes: Uint8Array) => unknown },
): AsyncGenerator<Buffer> {
  const block = randomBytes(100_003)
  for (let left = size; left > 0; left -= block.byteLength) {
    const chunk = block.subarray(0, Math.min(left, block.byteLength))
    hash?.update(chunk)
    yield chunk
  }
}
