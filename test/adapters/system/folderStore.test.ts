import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createFolderStore } from '#adapters/system/folderStore.ts'
import { utf8 } from '#core/bytes.ts'

async function newStore() {
  const root = await mkdtemp(join(tmpdir(), 'cw-folder-'))
  after(() => rm(root, { recursive: true, force: true }))
  const store = createFolderStore({ root, namespace: 'ns' })
  const object = (name: string) => ({ namespace: 'ns', bucket: 'b', name })
  return { root, store, object }
}

async function* chunksOf(...texts: readonly string[]) {
  for (const text of texts) yield utf8(text)
}

test('exactly one of racing creates succeeds, whole', async () => {
  const { root, store, object } = await newStore()
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, (_, i) => store.create(object('a/b'), Buffer.alloc(1000, i))),
  )
  const lost = results.filter((result) => result.status === 'rejected')
  assert.deepEqual(
    lost.map(({ reason }) => reason.code),
    Array(7).fill('service.conflict'),
  )
  const bytes = await store.readAll(object('a/b'), 1000)
  assert.deepEqual(bytes, Buffer.alloc(1000, bytes[0]))
  assert.deepEqual(await readdir(join(root, '.partial')), [])
})

test('a read of another version throws object.changed', async () => {
  const { root, store, object } = await newStore()
  const { etag } = await store.create(object('a'), utf8('0123456789'))
  assert.deepEqual(await store.head(object('a')), { etag, size: 10, contentType: undefined })
  assert.equal((await store.read(object('a'), { start: 2, end: 4 }, etag)).toString(), '234')
  assert.equal((await store.read(object('a'), { start: 8, end: 40 }, etag)).toString(), '89')
  const { chunks, size } = await store.stream(object('a'), { etag, start: 3 })
  assert.equal(size, 10)
  assert.equal(Buffer.concat(await Array.fromAsync(chunks)).toString(), '3456789')
  await writeFile(join(root, 'b', 'a'), 'changed')
  await assert.rejects(store.head(object('a'), etag), { code: 'object.changed' })
  await assert.rejects(store.read(object('a'), { start: 0, end: 1 }, etag), { code: 'object.changed' })
  await assert.rejects(store.stream(object('a'), { etag }), { code: 'object.changed' })
})

test('a streamed object has the announced size, or does not appear', async () => {
  const { store, object } = await newStore()
  await store.createFrom(object('a'), chunksOf('one', 'two'), 6)
  assert.equal((await store.readAll(object('a'), 6)).toString(), 'onetwo')
  await assert.rejects(store.createFrom(object('b'), chunksOf('one'), 6), { code: 'internal.fault' })
  await assert.rejects(store.head(object('b')), { code: 'service.missing' })
  await assert.rejects(store.readAll(object('a'), 5), { code: 'service.failed' })
})

test('a stream that is left early, or never started, closes its file', async () => {
  const { store, object } = await newStore()
  const { etag } = await store.create(object('a'), Buffer.alloc(1_000_000))
  const openFiles = async () => (await readdir('/proc/self/fd')).length
  const before = await openFiles()
  for (let round = 0; round < 5; round++) {
    const unread = await store.stream(object('a'), { etag })
    await unread.chunks[Symbol.asyncIterator]().return?.()
    const begun = await store.stream(object('a'), { etag })
    for await (const chunk of begun.chunks) if (chunk.byteLength > 0) break
  }
  // Files close on another thread; garbage collection would close them later still.
  for (let turns = 0; turns < 50 && (await openFiles()) > before; turns++) await new Promise(setImmediate)
  assert.equal(await openFiles(), before)
})

test('names are listed in the order of their bytes, with prefix and after', async () => {
  const { root, store, object } = await newStore()
  for (const name of ['a/b', 'a.b', 'a0', 'b/c/d', 'b/c.p/1', 'é'])
    await store.create(object(name), utf8(name))
  await mkdir(join(root, 'b', 'empty'))
  await symlink('/etc/hostname', join(root, 'b', 'link'))
  const list = async (prefix: string, after?: string) =>
    (await Array.fromAsync(store.list({ namespace: 'ns', bucket: 'b' }, prefix, after))).map(
      ({ name }) => name,
    )
  assert.deepEqual(await list(''), ['a.b', 'a/b', 'a0', 'b/c.p/1', 'b/c/d', 'é'])
  assert.deepEqual(await list('b/c'), ['b/c.p/1', 'b/c/d'])
  assert.deepEqual(await list('b/c/'), ['b/c/d'])
  assert.deepEqual(await list('', 'a/b'), ['a0', 'b/c.p/1', 'b/c/d', 'é'])
})

test('names that are absent, in another namespace, or outside the folder are refused', async () => {
  const { store, object } = await newStore()
  await store.create(object('a'), utf8('x'))
  const elsewhere = { ...object('a'), namespace: 'other' }
  await assert.rejects(store.head(object('c')), { code: 'service.missing' })
  await assert.rejects(store.head(elsewhere), { code: 'service.missing' })
  await assert.rejects(store.create(elsewhere, utf8('x')), { code: 'service.missing' })
  await assert.rejects(store.head(object('a/b')), { code: 'service.missing' })
  for (const name of ['', '../x', 'x/../../y', '/a', 'a//b', '.partial', 'a/', 'a\0b'])
    await assert.rejects(store.create(object(name), utf8('x')), { code: 'service.failed' }, name)
  await assert.rejects(store.head({ ...object('a'), bucket: '..' }), { code: 'service.failed' })
  const absent = store.list({ namespace: 'ns', bucket: 'absent' }, '')
  await assert.rejects(Array.fromAsync(absent), { code: 'service.missing' })
  await store.create(object('d/e'), utf8('x'))
  await assert.rejects(store.head(object('d')), { code: 'service.missing' })
})

test('an aborted call does nothing', async () => {
  const { store, object } = await newStore()
  await assert.rejects(store.create(object('a'), utf8('x'), AbortSignal.abort(new Error('enough'))), /enough/)
  await assert.rejects(store.head(object('a')), { code: 'service.missing' })
})
