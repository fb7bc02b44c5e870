import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { answerTo, readBody } from '#adapters/http/answer.ts'

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  // A TCP listener's address is never a string.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('the body of the request is sent, the body of the answer is read whole', async (t) => {
  const url = await serve(t, (incoming, answer) => incoming.pipe(answer))
  const sent = Buffer.alloc(200_000, 'ab')
  const response = await answerTo(request(url, { method: 'POST' }), sent)
  assert.equal(response.statusCode, 200)
  assert.deepEqual(await readBody(response, sent.byteLength), sent)
})

for (const [name, bytes, expected] of [
  ['a body of the limit', 1000, 1000],
  ['no body', 0, 0],
  ['one byte too many', 1001, undefined],
] as const)
  test(`${name} reads as ${expected ?? 'nothing'}`, async (t) => {
    const url = await serve(t, (_incoming, answer) => answer.end(Buffer.alloc(bytes)))
    const body = await readBody(await answerTo(request(url)), 1000)
    assert.equal(body?.byteLength, expected)
  })

test('a body without end is cut off at the limit, and its socket closed', async (t) => {
  const closed = Promise.withResolvers<void>()
  const url = await serve(t, (_incoming, answer) => {
    answer.once('close', closed.resolve)
    const write = () => {
      while (!answer.destroyed && answer.write(Buffer.alloc(65_536)));
    }
    answer.on('drain', write)
    write()
  })
  const response = await answerTo(request(url))
  assert.equal(await readBody(response, 100_000), undefined)
  assert.ok(response.destroyed)
  await closed.promise
})

test('a connection that breaks before the head rejects, and so does one that breaks in the body', async (t) => {
  const before = await serve(t, (incoming) => incoming.socket.destroy())
  await assert.rejects(answerTo(request(before)), { code: 'ECONNRESET' })
  const within = await serve(t, (incoming, answer) => {
    answer.writeHead(200, { 'content-length': 100 }).write('half')
    setImmediate(() => incoming.socket.destroy())
  })
  await assert.rejects(readBody(await answerTo(request(within)), 1000), { code: 'ECONNRESET' })
})
