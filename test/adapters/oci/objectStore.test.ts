/** Behaviour that the contract cannot provoke: broken answers, and the bytes on the wire. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { ObjectStorageClient } from 'oci-objectstorage'
import { createObjectStore } from '#adapters/oci/objectStore.ts'
import type { ObjectRef } from '#ports/objectStore.ts'
import { answer, cut, type Reply, refuse, serve } from './service.ts'

const OBJECT: ObjectRef = { namespace: 'n', bucket: 'b', name: 'a/b' }
const BYTES = randomBytes(1000)
const ETAG = 'v1'

async function store(t: TestContext, replies: readonly Reply[]) {
  const script = await serve(t, replies)
  const client = new ObjectStorageClient(script.http.params, script.http.configuration)
  client.endpoint = script.endpoint
  return { script, store: createObjectStore(script.http, client) }
}

/** Announces `BYTES` from `start`, sends that many of them, and cuts the connection. */
const partOf =
  (start: number, bytes: number, total = BYTES.byteLength): Reply =>
  (request, response) => {
    const end = start + bytes
    response.writeHead(start === 0 ? 200 : 206, {
      etag: ETAG,
      'content-length': String(total - start),
      ...(start > 0 && { 'content-range': `bytes ${start}-${total - 1}/${total}` }),
    })
    response.write(BYTES.subarray(start, end), () => {
      if (end < total) request.socket.destroy()
      else response.end()
    })
  }

test('a stream that breaks is resumed behind its last byte, in the same version', async (t) => {
  const { script, store: objects } = await store(t, [partOf(0, 300), cut, partOf(300, 300), partOf(600, 400)])
  const { chunks, size } = await objects.stream(OBJECT, { etag: ETAG })
  assert.equal(size, 1000)
  assert.deepEqual(Buffer.concat(await Array.fromAsync(chunks)), BYTES)
  assert.deepEqual(
    script.seen.map(({ headers }) => [headers.range?.replace(/-\d+$/, '-'), headers['if-match']]),
    [
      [undefined, ETAG],
      ['bytes=300-', ETAG],
      ['bytes=300-', ETAG],
      ['bytes=600-', ETAG],
    ],
  )
})

test('a stream whose version disappears halfway throws object.changed', async (t) => {
  const { store: objects } = await store(t, [partOf(0, 300), refuse(412, 'IfMatchFailed')])
  const { chunks } = await objects.stream(OBJECT, { etag: ETAG })
  await assert.rejects(Array.fromAsync(chunks), { code: 'object.changed' })
})

test('a version that OCI cannot read is malformed; an object of our own gives no reason for a 400', async (t) => {
  const bad = refuse(400, 'InvalidParameter')
  const { store: objects } = await store(t, [bad, bad, bad])
  await assert.rejects(objects.stream(OBJECT, { etag: ETAG }), { code: 'object.malformed' })
  assert.equal((await objects.read(OBJECT, { start: 0, end: 9 }, ETAG)).byteLength, 0)
  await assert.rejects(objects.readAll(OBJECT, 10), { code: 'service.failed' })
})

test('a stream without progress ends as unavailable', async (t) => {
  const { store: objects } = await store(t, [partOf(0, 300), partOf(300, 0)])
  const { chunks } = await objects.stream(OBJECT, { etag: ETAG })
  await assert.rejects(Array.fromAsync(chunks), { code: 'service.unavailable' })
})

test('an abort during a stream ends it with its reason', async (t) => {
  const { store: objects } = await store(t, [partOf(0, 300, 2000)])
  const aborting = new AbortController()
  const reason = new Error('shutting down')
  const { chunks } = await objects.stream(OBJECT, { etag: ETAG, signal: aborting.signal })
  const run = async (): Promise<void> => {
    for await (const _ of chunks) aborting.abort(reason)
  }
  await assert.rejects(run(), reason)
})

test('a put carries its length, its MD5 and if-none-match', async (t) => {
  const { script, store: objects } = await store(t, [answer(200, '', { etag: ETAG })])
  assert.deepEqual(await objects.create(OBJECT, BYTES), { etag: ETAG })
  const [{ method, url, headers, body } = assert.fail('no request came')] = script.seen
  assert.deepEqual([method, url], ['PUT', '/n/n/b/b/o/a%2Fb'])
  assert.deepEqual(body, BYTES)
  assert.equal(headers['if-none-match'], '*')
  assert.equal(headers['content-length'], '1000')
  assert.equal(headers['content-md5'], createHash('md5').update(BYTES).digest('base64'))
})

test('a lost put is sent again whole; if the first one arrived, the name is taken', async (t) => {
  const { script, store: objects } = await store(t, [cut, refuse(412, 'IfNoneMatchFailed')])
  await assert.rejects(objects.create(OBJECT, BYTES), { code: 'service.conflict' })
  assert.deepEqual(script.seen[1]?.body, BYTES)
})

const SIZE = 17 * 1024 * 1024
async function* large(): AsyncGenerator<Uint8Array> {
  const block = new Uint8Array(1024 * 1024)
  for (let left = SIZE; left > 0; left -= block.byteLength) yield block
}

test('a part that keeps failing abandons the upload', async (t) => {
  const failing: Reply = (request, response, body) => {
    if (request.method === 'PUT') return refuse(400, 'UnmatchedContentMD5')(request, response, body)
    const json = { namespace: 'n', bucket: 'b', object: 'a/b', uploadId: 'u', timeCreated: '' }
    return answer(200, json)(request, response, body)
  }
  const { script, store: objects } = await store(t, [failing])
  await assert.rejects(objects.createFrom(OBJECT, large(), SIZE), { code: 'service.failed' })
  const last = script.seen.at(-1)
  assert.deepEqual([last?.method, last?.url], ['DELETE', '/n/n/b/b/u/a%2Fb?uploadId=u'])
})

test('the commit of an upload is sent once, because a lost answer may hide a success', async (t) => {
  const lost: Reply = (request, response, body) => {
    const isCommit = request.method === 'POST' && request.url?.includes('uploadId') === true
    if (isCommit) return cut(request, response, body)
    const json = { namespace: 'n', bucket: 'b', object: 'a/b', uploadId: 'u', timeCreated: '' }
    return answer(200, json, { etag: ETAG })(request, response, body)
  }
  const { script, store: objects } = await store(t, [lost])
  await assert.rejects(objects.createFrom(OBJECT, large(), SIZE), { code: 'service.unavailable' })
  const commits = script.seen.filter(({ method, url }) => method === 'POST' && url.includes('uploadId'))
  assert.equal(commits.length, 1)
  assert.equal(commits[0]?.headers['if-none-match'], '*')
})

test('the names . and .. are refused, because a URL would drop them', async (t) => {
  const { script, store: objects } = await store(t, [answer(200)])
  for (const name of ['.', '..'])
    for (const object of [
      { ...OBJECT, name },
      { ...OBJECT, bucket: name },
      { ...OBJECT, namespace: name },
    ])
      await assert.rejects(objects.head(object), { code: 'service.failed' })
  assert.equal(script.seen.length, 0)
})
