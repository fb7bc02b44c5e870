/** Consumer groups on the wire: reservations, shares, commits. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LETTERS, openStream, readAll, UNRESERVED } from './streamClient.ts'
import { armFault } from './testEmulator.ts'

test('after an instance falls silent, its group continues at the committed offset', async (t) => {
  const stream = await openStream(t)
  await stream.put(...LETTERS)
  const first = await stream.get(await stream.join('a'), 1)
  const committed = await stream.commit(first.next)
  const lost = await stream.get(committed)
  stream.time.now += 9999
  assert.deepEqual(
    (await stream.group()).reservations?.map(({ reservedInstance }) => reservedInstance),
    ['a', 'a'],
  )
  stream.time.now += 1
  assert.deepEqual(
    (await stream.group()).reservations?.map(({ reservedInstance }) => reservedInstance),
    [undefined, undefined],
  )
  const heir = await stream.join('b')
  assert.deepEqual(
    await readAll(stream, heir),
    LETTERS.filter((letter) => letter !== first.values[0]),
  )
  await assert.rejects(stream.commit(lost.next), UNRESERVED)
  // A heartbeat after the loss succeeds, but restores no reservation.
  const late = await stream.heartbeat(lost.next)
  await assert.rejects(stream.commit(late), UNRESERVED)
})

test('a new instance gets its share at the next call of the instance that has too much', async (t) => {
  const stream = await openStream(t)
  const a = await stream.join('a')
  await stream.join('b')
  const owners = async () =>
    (await stream.group()).reservations?.map(({ reservedInstance }) => reservedInstance)
  assert.deepEqual(await owners(), ['a', 'a'])
  const { next } = await stream.get(a)
  assert.deepEqual(await owners(), ['a', undefined])
  await stream.get(await stream.join('b'))
  assert.deepEqual(await owners(), ['a', 'b'])
  // A third instance gets no partition, but its call succeeds.
  assert.deepEqual((await stream.get(await stream.join('c'))).values, [])
  await stream.get(next)
  assert.deepEqual(await owners(), ['a', 'b'])
})

test('with commitOnGet, a get commits the previous batch', async (t) => {
  const stream = await openStream(t)
  await stream.put('a')
  const { values, next } = await stream.get(await stream.join('i', { commitOnGet: true }))
  assert.deepEqual(values, ['a'])
  const offsets = async () =>
    (await stream.group()).reservations?.map(({ committedOffset }) => committedOffset)
  assert.ok((await offsets())?.every((offset) => offset === undefined))
  await stream.get(next)
  assert.deepEqual(
    (await offsets())?.filter((offset) => offset !== undefined),
    [0],
  )
})

test('a fault of reservations takes the partitions from the caller, as its silence would', async (t) => {
  const stream = await openStream(t)
  await stream.put(...LETTERS)
  const first = await stream.get(await stream.join('a'))
  await armFault(stream, { service: 'reservations', match: { path: '/commit' }, times: 1 })
  await assert.rejects(stream.commit(first.next), UNRESERVED)
  assert.deepEqual(
    (await stream.group()).reservations?.map(({ reservedInstance }) => reservedInstance),
    [undefined, undefined],
  )
  assert.deepEqual(await readAll(stream, await stream.join('b')), LETTERS)
})
