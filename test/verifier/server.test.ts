/** The limits in front of core (number, size, time), and an end that answers every accepted request. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request as httpsRequest } from 'node:https'
import { type TestContext, test } from 'node:test'
import { CodedError } from '#core/errors.ts'
import type { ReleaseResponse } from '#core/release/request.ts'
import { MAX_RELEASES, startServer, type VerifierRoutes } from '../../src/verifier/server.ts'
import { createCa } from './tls.ts'

const ca = createCa('provider CA')
const known = { ca: ca.pem, ...ca.issue('worker') }
const challenge = { nonce: 'AA', exp: 1, aud: 'https://verifier.hospital.example' }
const response: ReleaseResponse = {
  verifierKeys: { payload: '', signatures: [] },
  grantKey: 'a.b.c',
  answers: [],
}

async function serve(t: TestContext, release: VerifierRoutes['release']) {
  const refused: string[] = []
  const answered: string[] = []
  const server = await startServer(
    {
      listen: { host: '127.0.0.1', port: 0 },
      tls: { ...ca.issue('verifier'), clientCa: ca.pem },
    },
    {
      challenge: () => challenge,
      release,
      refused: ({ code, address }) => refused.push(`${code} ${address}`),
      answered: (route, status) => answered.push(`${route} ${status}`),
    },
  )
  t.after(() => server.close(1000))
  return { server, refused, answered }
}

/** Sends the head, and the body if there is one. `status` is the answer's. */
function send(url: string, body?: string) {
  const headers = { 'content-type': 'application/json', 'content-length': 2 }
  const sent = httpsRequest(`${url}/v1/releases`, { method: 'POST', headers, ...known })
  sent.on('error', () => {})
  if (body === undefined) sent.flushHeaders()
  else sent.end(body)
  const status = once(sent, 'response').then(([answer]) => {
    answer.resume()
    return answer.statusCode
  })
  return { sent, status }
}

test('requests beyond the limit are refused before their bodies are read', async (t) => {
  const { server, refused } = await serve(t, async () => response)
  const held = Array.from({ length: MAX_RELEASES }, () => send(server.url))
  // Requests that came before all heads had arrived were answered.
  let status = 200
  while (status === 200) status = await send(server.url, '{}').status
  assert.equal(status, 503)
  assert.deepEqual(refused, ['verifier.unavailable 127.0.0.1'])
  const [first] = held
  const gone = assert.rejects(first?.status ?? Promise.resolve())
  first?.sent.destroy()
  await gone
  while (status === 503) status = await send(server.url, '{}').status
  assert.equal(status, 200)
  for (const { sent } of held.slice(1)) sent.end('{}')
  const statuses = await Promise.all(held.slice(1).map(({ status: of }) => of))
  assert.deepEqual(new Set(statuses), new Set([200]))
})

test('a coded failure gives its own status; any other gives 500 without its cause', async (t) => {
  for (const { error, status, code } of [
    { error: new CodedError('nonce.spent', 'of the cause'), status: 409, code: 'nonce.spent' },
    { error: new CodedError('policy.stale', 'of the cause'), status: 503, code: 'policy.stale' },
    { error: new RangeError('of the cause'), status: 500, code: 'internal.fault' },
  ]) {
    const { server, refused, answered } = await serve(t, async () => {
      throw error
    })
    const { sent, status: given } = send(server.url, '{}')
    const [answer] = await once(sent, 'response')
    let text = ''
    for await (const chunk of answer) text += chunk
    assert.equal(await given, status)
    assert.equal(JSON.parse(text).code, code)
    assert.ok(!text.includes('of the cause'))
    assert.deepEqual(refused, [`${code} 127.0.0.1`])
    assert.deepEqual(answered, [`/v1/releases ${status}`])
  }
})

test('close answers the current requests and takes no new ones', async (t) => {
  const arrived = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<ReleaseResponse>()
  const { server } = await serve(t, () => {
    arrived.resolve()
    return gate.promise
  })
  const { status } = send(server.url, '{}')
  await arrived.promise
  const closed = server.close(10_000)
  await assert.rejects(send(server.url, '{}').status, { code: 'ECONNREFUSED' })
  gate.resolve(response)
  assert.equal(await status, 200)
  await closed
})

test('close waits for an unfinished request only until its limit', async (t) => {
  const { server } = await serve(t, async () => response)
  const { sent, status } = send(server.url)
  const cut = assert.rejects(status, { code: 'ECONNRESET' })
  const [socket] = await once(sent, 'socket')
  await once(socket, 'secureConnect')
  assert.equal(await send(server.url, '{}').status, 200)
  await server.close(20)
  await cut
})

test('new files serve new handshakes: idle connections end, and the client CA is the new one', async (t) => {
  const { server } = await serve(t, async () => response)
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const post = async (client: object) => {
    const sent = httpsRequest(`${server.url}/v1/challenges`, { method: 'POST', agent, ...client })
    const [answer] = await once(sent.end(), 'response')
    const { serialNumber } = answer.socket.getPeerCertificate()
    const closed = once(answer.socket, 'close')
    for await (const _ of answer);
    return { serialNumber, closed }
  }
  const before = await post(known)
  assert.equal((await post(known)).serialNumber, before.serialNumber)

  const other = createCa('provider CA 2')
  server.setTls({ ...other.issue('verifier'), clientCa: other.pem })
  await before.closed
  const client = { ca: other.pem, ...other.issue('worker') }
  assert.notEqual((await post(client)).serialNumber, before.serialNumber)
  await assert.rejects(post({ ...known, ca: other.pem }), { code: 'ECONNRESET' })

  const halfWritten = { ...other.issue('verifier'), key: known.key, clientCa: other.pem }
  assert.throws(() => server.setTls(halfWritten), { code: 'config.invalid' })
  assert.ok(await post(client))
})

test('an invalid certificate, key or address is config.invalid', async () => {
  const identity = ca.issue('verifier')
  const routes: VerifierRoutes = {
    challenge: () => challenge,
    release: async () => response,
    refused: () => {},
    answered: () => {},
  }
  const listen = { host: '127.0.0.1', port: 0 }
  const invalid = { code: 'config.invalid' }
  const other = { ...identity, key: ca.issue('other').key, clientCa: ca.pem }
  await assert.rejects(startServer({ listen, tls: other }, routes), invalid)
  const tls = { ...identity, clientCa: ca.pem }
  await assert.rejects(startServer({ listen: { host: '192.0.2.1', port: 1 }, tls }, routes), invalid)
})
