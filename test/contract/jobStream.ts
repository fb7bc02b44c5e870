/** The contract of the job stream port. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Oci } from '#adapters/oci/clients.ts'
import type { StreamLease, StreamMessage } from '#ports/jobStream.ts'
import { coded, type Setup, type Subject, unique } from './subject.ts'

const RESERVATION_MS = 10_000

export function testJobStream(subject: Subject): void {
  const rule = (name: string, run: (setup: Setup, stream: TestStream) => Promise<void>): void => {
    test(`${subject.name}: ${name}`, async () => {
      const setup = await subject.open()
      await run(setup, testStream(setup))
    })
  }

  rule('messages come back unchanged, in the order of their partition', async ({ first }, stream) => {
    const texts = await stream.publish(20)
    const lease = await stream.join(first, 'a')
    const messages = await stream.readAll(lease, texts)
    assert.deepEqual(new Set(messages.map(({ value }) => value.toString())), new Set(texts))
    for (const partition of new Set(messages.map((message) => message.partition))) {
      const offsets = messages
        .filter((message) => message.partition === partition)
        .map(({ offset }) => offset)
      assert.deepEqual(
        offsets,
        [...offsets].sort((a, b) => a - b),
      )
    }
    await lease.commit()
    assert.deepEqual(await stream.drain(lease), [])
  })

  rule('a get returns at most its limit, from one partition', async ({ first }, stream) => {
    await stream.publish(20)
    const lease = await stream.join(first, 'a')
    const batch = await lease.get(3)
    assert.ok(batch.length >= 1 && batch.length <= 3)
    assert.equal(new Set(batch.map(({ partition }) => partition)).size, 1)
  })

  rule(
    'messages that were not committed are read again, committed ones are not',
    async ({ first, second, pass }, stream) => {
      const texts = await stream.publish(12)
      const lease = await stream.join(first, 'a')
      const done = await lease.get(2)
      await lease.commit()
      const open = await lease.get(100)
      assert.ok(done.length > 0 && open.length > 0)
      // The consumer dies: no get, no heartbeat, no commit.
      await pass(RESERVATION_MS)
      const heir = await stream.join(second, 'b')
      const left = texts.filter((text) => !done.some(({ value }) => value.toString() === text))
      const messages = await stream.readAll(heir, left)
      assert.deepEqual(messages.map(({ value }) => value.toString()).sort(), [...left].sort())
      await assert.rejects(lease.commit(), coded('lease.lost'))
      await heir.commit()
    },
  )

  rule(
    'two consumers share the partitions; when one dies, the other takes over its share',
    async (setup, stream) => {
      const { first, second, pass } = setup
      const a = await stream.join(first, 'a')
      const b = await stream.join(second, 'b')
      // Each consumer learns its share by its own gets.
      await a.get(100)
      await b.get(100)
      const texts = await stream.publish(40)
      const ofA = await stream.drain(a)
      const ofB = await stream.drain(b)
      assert.deepEqual(textsOf([...ofA, ...ofB]), [...texts].sort())
      assert.ok(ofA.length > 0 && ofB.length > 0)
      const partitionsOf = (messages: readonly StreamMessage[]) =>
        new Set(messages.map(({ partition }) => partition))
      assert.ok(partitionsOf(ofA).isDisjointFrom(partitionsOf(ofB)))

      await b.commit()
      // For one reservation, b makes calls and a makes none.
      for (let waited = 0; waited <= RESERVATION_MS; waited += RESERVATION_MS / 2) {
        await b.heartbeat()
        await pass(RESERVATION_MS / 2)
      }
      assert.deepEqual(textsOf(await stream.readAll(b, textsOf(ofA))), textsOf(ofA))
      await b.commit()
      await assert.rejects(a.commit(), coded('lease.lost'))
      assert.deepEqual(await stream.drain(b), [])
    },
  )

  rule('heartbeats keep the batch for any length of work', async ({ first, second, pass }, stream) => {
    const texts = await stream.publish(6)
    const lease = await stream.join(first, 'a')
    const messages = await stream.readAll(lease, texts)
    for (let beat = 0; beat < 4; beat += 1) {
      await pass(RESERVATION_MS * 0.7)
      await lease.heartbeat()
    }
    await lease.commit()
    assert.deepEqual(textsOf(messages), [...texts].sort())
    await pass(RESERVATION_MS)
    assert.deepEqual(await stream.drain(await stream.join(second, 'b')), [])
  })

  rule('overlapping calls on one lease queue', async ({ first }, stream) => {
    const texts = await stream.publish(6)
    const lease = await stream.join(first, 'a')
    const [one, , two] = await Promise.all([
      lease.get(100),
      lease.heartbeat(),
      lease.get(100),
      lease.commit(),
    ])
    const rest = await stream.drain(lease)
    assert.deepEqual(textsOf([...one, ...two, ...rest]), [...texts].sort())
  })

  rule('messages with one key go to one partition', async ({ first }, stream) => {
    const texts = await stream.publish(8, unique('key-'))
    const messages = await stream.readAll(await stream.join(first, 'a'), texts)
    assert.deepEqual(
      messages.map(({ value }) => value.toString()),
      texts,
    )
    assert.equal(new Set(messages.map(({ partition }) => partition)).size, 1)
  })

  rule(
    'an aborted call rejects with the reason of its signal, and the lease still works',
    async (setup, stream) => {
      const { first, resources } = setup
      const reason = new Error('enough')
      const aborted = AbortSignal.abort(reason)
      const lease = await stream.join(first, 'a')
      const producer = first.streamProducer({ streamId: resources.stream })
      await assert.rejects(producer.publish('k', Buffer.of(1), aborted), reason)
      for (const call of [lease.heartbeat, lease.commit]) await assert.rejects(call(aborted), reason)
      const texts = await stream.publish(2)
      assert.deepEqual(textsOf(await stream.readAll(lease, texts)), [...texts].sort())
      await lease.commit()
    },
  )

  rule(
    'a reader sees what the stream keeps of every partition, and commits nothing',
    async (setup, stream) => {
      const { first, second, resources } = setup
      const texts = await stream.publish(30)
      const reader = second.streamReader({ streamId: resources.stream })
      const read = async () => {
        const messages = await Array.fromAsync(reader.messages())
        return messages.filter(({ value }) => texts.includes(value.toString()))
      }
      const messages = await read()
      assert.deepEqual(textsOf(messages), [...texts].sort())
      assert.equal(new Set(messages.map(({ partition }) => partition)).size, 2)
      assert.deepEqual(await read(), messages)
      const lease = await stream.join(first, 'a')
      assert.deepEqual(textsOf(await stream.readAll(lease, texts)), [...texts].sort())
    },
  )

  rule('an absent stream is missing', async ({ first, resources }) => {
    const streamId = resources.stream.replace(/[^.]*$/, 'none')
    await assert.rejects(
      first.streamConsumer({ streamId, group: 'g', instance: 'i' }).join(),
      coded('service.missing'),
    )
    await assert.rejects(
      first.streamProducer({ streamId }).publish('k', Buffer.of(1)),
      coded('service.missing'),
    )
    await assert.rejects(
      Array.fromAsync(first.streamReader({ streamId }).messages()),
      coded('service.missing'),
    )
  })
}

type TestStream = {
  /** Publishes values of this run only; without `key` under keys that spread over the partitions. */
  readonly publish: (count: number, key?: string) => Promise<readonly string[]>
  readonly join: (oci: Oci, instance: string) => Promise<StreamLease>
  /** Gets until all of these have arrived. */
  readonly readAll: (lease: StreamLease, texts: readonly string[]) => Promise<readonly StreamMessage[]>
  /** Gets until two gets are empty. */
  readonly drain: (lease: StreamLease) => Promise<readonly StreamMessage[]>
}

/** A new group on the stream. Messages of other tests and runs are skipped. */
function testStream({ first, resources }: Setup): TestStream {
  const streamId = resources.stream
  const run = unique('run-')
  return {
    publish: async (count, key) => {
      const texts = Array.from({ length: count }, (_, index) => `${run}-${unique('')}-${index}`)
      const producer = first.streamProducer({ streamId })
      for (const text of texts) await producer.publish(key ?? text, Buffer.from(text))
      return texts
    },
    join: async (oci, instance) => {
      const consumer = oci.streamConsumer({ streamId, group: run, instance, reservationMs: RESERVATION_MS })
      const lease = await consumer.join()
      return {
        ...lease,
        get: async (limit) => {
          for (;;) {
            const batch = await lease.get(limit)
            const own = batch.filter(({ value }) => value.toString().startsWith(run))
            if (own.length > 0 || batch.length === 0) return own
          }
        },
      }
    },
    readAll: async (lease, texts) => {
      const messages: StreamMessage[] = []
      for (let gets = 0; gets < 50 && messages.length < texts.length; gets += 1)
        messages.push(...(await lease.get(100)))
      return messages
    },
    drain: async (lease) => {
      const messages: StreamMessage[] = []
      for (let empty = 0; empty < 2; ) {
        const batch = await lease.get(100)
        empty = batch.length === 0 ? empty + 1 : 0
        messages.push(...batch)
      }
      return messages
    },
  }
}

function textsOf(messages: readonly StreamMessage[]): readonly string[] {
  return messages.map(({ value }) => value.toString()).sort()
}
