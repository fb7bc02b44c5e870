/** The limits in front of core (number, rate, size, time), and an end that answers every accepted request. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { OutgoingHttpHeaders } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { systemClock } from '#adapters/system/clock.ts'
import { CodedError } from '#core/errors.ts'
import type { ReleaseResponse } from '#core/release/request.ts'
import { MAX_REQUEST_BYTES } from '#core/release/request.ts'
import { addSeconds } from '#core/time.ts'
import { ADMISSION_LIMITS } from '../../src/verifier/admission.ts'
import { FRONT_DOORS } from '../../src/verifier/frontDoor.ts'
import { startServer, type VerifierRoutes } from '../../src/verifier/server.ts'
import type { ServerTls } from '../../src/verifier/serverTls.ts'
import { steerableClock } from './steerableClock.ts'
import { ca, challenge, clientOf, response, send, serve } from './testServer.ts'
import { createCa } from './tls.ts'

const client = clientOf('worker')
const { requests, bodies, atOnce } = FRONT_DOORS.required.limits

test('unfinished bodies keep only their own certificate out', async (t) => {
  // An hour between any two requests: the rate is not what refuses here.
  let hours = 0
  const clock = {
    ...systemClock,
    monotonic: () => {
      hours += 1
      return hours * 3_600_000
    },
  }
  const { server, refused } = await serve(t, { clock })
  const hostile = clientOf('hostile')
  const held = Array.from({ length: atOnce }, () => send(server.url, { client: hostile }))
  // Requests that come before all heads have arrived are answered.
  let answer = await send(server.url, { client: hostile, body: '{}' }).answer
  while (answer.status === 200) answer = await send(server.url, { client: hostile, body: '{}' }).answer
  assert.equal(answer.status, 429)
  assert.equal(answer.headers['retry-after'], '2')
  assert.equal(JSON.parse(answer.text).code, 'client.busy')
  assert.deepEqual(refused, ['client.busy 127.0.0.1'])
  assert.equal(await send(server.url, { client, body: '{}' }).status, 200)
  const [first] = held
  const gone = assert.rejects(first?.status ?? Promise.resolve())
  first?.sent.destroy()
  await gone
  while (answer.status === 429) answer = await send(server.url, { client: hostile, body: '{}' }).answer
  assert.equal(answer.status, 200)
  for (const { sent } of held.slice(1)) sent.end('{}')
  const statuses = await Promise.all(held.slice(1).map(({ status }) => status))
  assert.deepEqual(new Set(statuses), new Set([200]))
})

test('complete requests beyond the places for work are shed, with a time to ask again', async (t) => {
  const gate = Promise.withResolvers<ReleaseResponse>()
  const all = Promise.withResolvers<void>()
  let working = 0
  const { server, refused } = await serve(t, {
    release: () => {
      working += 1
      if (working === ADMISSION_LIMITS.working) all.resolve()
      return gate.promise
    },
  })
  const clients = Array.from({ length: ADMISSION_LIMITS.working / atOnce }, (_, index) =>
    clientOf(`worker ${index}`),
  )
  const held = clients.flatMap((of) =>
    Array.from({ length: atOnce }, () => send(server.url, { client: of, body: '{}' }).status),
  )
  await all.promise
  const { status, headers, text } = await send(server.url, { client, body: '{}' }).answer
  assert.equal(status, 503)
  assert.equal(headers['retry-after'], '2')
  assert.equal(JSON.parse(text).code, 'verifier.unavailable')
  assert.deepEqual(refused, ['verifier.unavailable 127.0.0.1'])
  gate.resolve(response)
  assert.deepEqual(new Set(await Promise.all(held)), new Set([200]))
})

test('a certificate may ask a route so often; another route and another certificate are free', async (t) => {
  const clock = { ...steerableClock(), now: systemClock.now }
  const { server, refused } = await serve(t, { clock })
  const path = '/v1/challenges'
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ...client })
  t.after(() => agent.destroy())
  const ask = async () => {
    const sent = httpsRequest(`${server.url}${path}`, { method: 'POST', agent }).end()
    const [given] = await once(sent, 'response')
    given.resume()
    await once(given, 'close')
    return given
  }
  for (let count = 0; count < requests.burst; count += 1) assert.equal((await ask()).statusCode, 200)
  const before = clock.monotonic()
  const late = await ask()
  assert.equal(late.statusCode, 429)
  assert.equal(late.headers['retry-after'], '1')
  assert.deepEqual(refused, ['client.busy 127.0.0.1'])
  assert.equal(clock.monotonic() - before, 1000, 'the refusal comes a second late')
  assert.equal(await send(server.url, { client, body: '{}' }).status, 200)
  assert.equal(await send(server.url, { client: clientOf('other'), body: '{}', path }).status, 200)
  // That second gave twenty tokens back.
  for (let count = 0; count < requests.perSecond; count += 1) assert.equal((await ask()).statusCode, 200)
  assert.equal((await ask()).statusCode, 429)
})

test('a certificate may send so many bytes; another certificate is free', async (t) => {
  const clock = { ...steerableClock(), now: systemClock.now }
  const { server, refused } = await serve(t, { clock })
  const chunked = { 'transfer-encoding': 'chunked' }
  const ask = (headers: OutgoingHttpHeaders) => send(server.url, { client, body: '{}', headers }).status
  // Without a length each counts as the longest, so they leave less than one of it.
  const longest = Math.floor(bodies.burst / MAX_REQUEST_BYTES)
  for (let count = 0; count < longest; count += 1) assert.equal(await ask(chunked), 200)
  const before = clock.monotonic()
  // Nothing of the body is sent: the head is refused.
  const headers = { 'content-length': MAX_REQUEST_BYTES }
  const { sent, answer } = send(server.url, { client, headers })
  const late = await answer
  sent.destroy()
  assert.equal(late.status, 429)
  assert.equal(late.headers['retry-after'], '1')
  assert.deepEqual(refused, ['client.busy 127.0.0.1'])
  assert.equal(clock.monotonic() - before, 1000, 'the refusal comes a second late')
  assert.equal(
    await send(server.url, { client: clientOf('other'), body: '{}', headers: chunked }).status,
    200,
  )
  // What that second gave back.
  const rest = bodies.burst - longest * MAX_REQUEST_BYTES + bodies.perSecond
  for (let count = 1; count * MAX_REQUEST_BYTES <= rest; count += 1) assert.equal(await ask(chunked), 200)
  assert.equal(await ask({}), 200, 'two bytes still fit')
  assert.equal(await ask(chunked), 429)
})

test('a certificate that expires ends its connection', async (t) => {
  let passed = 0
  const clock = { ...systemClock, now: () => addSeconds(systemClock.now(), passed) }
  const { server, refused } = await serve(t, { clock })
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ...client })
  t.after(() => agent.destroy())
  const ask = async () => {
    const sent = httpsRequest(`${server.url}/v1/challenges`, { method: 'POST', agent }).end()
    const [given] = await once(sent, 'response')
    given.resume()
    await once(given, 'close')
    return [given.statusCode, given.headers.connection]
  }
  assert.deepEqual(await ask(), [200, 'keep-alive'])
  passed = 31 * 86_400
  assert.deepEqual(await ask(), [403, 'close'])
  assert.deepEqual(refused, ['tls.refused 127.0.0.1'])
})

/** Bytes that no HTTP library sends, on one connection. Resolves with all that comes back. */
async function sendRaw(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', ...client })
  socket.on('error', () => {})
  socket.write(text)
  let answer = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk) => {
    answer += chunk
  })
  await once(socket, 'close')
  return answer
}

const POST =
  'POST /v1/releases HTTP/1.1\r\nHost: v\r\nConnection: close\r\nContent-Type: application/json\r\n'
for (const { name, text } of [
  {
    name: 'Content-Length beside Transfer-Encoding',
    text: `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  },
  { name: 'no HTTP', text: 'hello\r\n\r\n' },
  { name: 'a head that is too long', text: `${POST}X: ${'x'.repeat(20_000)}\r\n\r\n` },
  { name: 'a broken chunk', text: `${POST}Transfer-Encoding: chunked\r\n\r\nZZ\r\n` },
  { name: 'a body that is too long', text: `${POST}Content-Length: ${MAX_REQUEST_BYTES + 1}\r\n\r\n` },
  {
    name: 'chunks that are too long',
    text: `${POST}Transfer-Encoding: chunked\r\n\r\n1c0001\r\n${'x'.repeat(MAX_REQUEST_BYTES + 1)}\r\n0\r\n\r\n`,
  },
  {
    name: 'another type',
    text: `${POST.replace('application/json', 'text/plain')}Content-Length: 1\r\n\r\nx`,
  },
  { name: 'a path that is no path', text: `${POST.replace('/v1/releases', '/v1/%zz')}\r\n` },
  { name: 'another method', text: `${POST.replace('POST', 'PROPFIND')}\r\n` },
  { name: 'an expectation', text: `${POST}Expect: tea\r\n\r\n` },
])
  test(`refused with problem details and counted once: ${name}`, async (t) => {
    const { port, refused } = await serve(t)
    const [head = '', body = ''] = (await sendRaw(port, text)).split('\r\n\r\n')
    assert.match(head, /^HTTP\/1\.1 400 Bad Request\r\n/)
    assert.match(head, /\r\ncontent-type: application\/problem\+json/i)
    assert.equal(JSON.parse(body).code, 'request.malformed')
    assert.deepEqual(refused, ['request.malformed 127.0.0.1'])
  })

test('a client that does not wait for its answer is cut off', async (t) => {
  const gate = Promise.withResolvers<ReleaseResponse>()
  const { port, refused } = await serve(t, { release: () => gate.promise })
  const one = `${POST.replace('Connection: close\r\n', '')}Content-Length: 2\r\n\r\n{}`
  assert.equal(await sendRaw(port, one + one), '')
  assert.deepEqual(refused, ['request.malformed 127.0.0.1'])
  gate.resolve(response)
})

test('a coded failure gives its own status; any other gives 500 without its cause', async (t) => {
  for (const { error, status, code } of [
    { error: new CodedError('nonce.spent', 'of the cause'), status: 409, code: 'nonce.spent' },
    { error: new CodedError('policy.stale', 'of the cause'), status: 503, code: 'policy.stale' },
    { error: new RangeError('of the cause'), status: 500, code: 'internal.fault' },
  ]) {
    const { server, refused, answered } = await serve(t, {
      release: async () => {
        throw error
      },
    })
    const { status: given, text } = await send(server.url, { client, body: '{}' }).answer
    assert.equal(given, status)
    assert.equal(JSON.parse(text).code, code)
    assert.ok(!text.includes('of the cause'))
    assert.deepEqual(refused, [`${code} 127.0.0.1`])
    assert.deepEqual(answered, [`/v1/releases ${status}`])
  }
})

test('close answers the current requests and takes no new ones', async (t) => {
  const arrived = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<ReleaseResponse>()
  const { server } = await serve(t, {
    release: () => {
      arrived.resolve()
      return gate.promise
    },
  })
  const { status } = send(server.url, { client, body: '{}' })
  await arrived.promise
  const closed = server.close(10_000)
  await assert.rejects(send(server.url, { client, body: '{}' }).status, { code: 'ECONNREFUSED' })
  gate.resolve(response)
  assert.equal(await status, 200)
  await closed
})

test('close waits for an unfinished request only until its limit', async (t) => {
  const { server } = await serve(t)
  const { sent, status } = send(server.url, { client })
  const cut = assert.rejects(status, { code: 'ECONNRESET' })
  const [socket] = await once(sent, 'socket')
  await once(socket, 'secureConnect')
  assert.equal(await send(server.url, { client, body: '{}' }).status, 200)
  await server.close(20)
  await cut
})

test('new files serve new handshakes: idle connections end, and the client CA is the new one', async (t) => {
  const { server } = await serve(t)
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const post = async (identity: object) => {
    const sent = httpsRequest(`${server.url}/v1/challenges`, { method: 'POST', agent, ...identity })
    const [answer] = await once(sent.end(), 'response')
    const { serialNumber } = answer.socket.getPeerCertificate()
    const closed = once(answer.socket, 'close')
    for await (const _ of answer);
    return { serialNumber, closed }
  }
  const before = await post(client)
  assert.equal((await post(client)).serialNumber, before.serialNumber)

  const other = createCa('provider CA 2')
  server.setTls({
    ...other.issue('verifier'),
    clientCertificates: 'required',
    clientCa: other.pem,
    clientCrl: [other.crl],
  })
  await before.closed
  const newcomer = { ca: other.pem, ...other.issue('worker') }
  assert.notEqual((await post(newcomer)).serialNumber, before.serialNumber)
  await assert.rejects(post({ ...client, ca: other.pem }), { code: 'ECONNRESET' })

  const halfWritten: ServerTls = {
    ...other.issue('verifier'),
    key: client.key,
    clientCertificates: 'required',
    clientCa: other.pem,
    clientCrl: [other.crl],
  }
  assert.throws(() => server.setTls(halfWritten), { code: 'config.invalid' })
  assert.ok(await post(newcomer))
})

test('a revoked client gets one answer more at most, and no new connection', async (t) => {
  const asked = Promise.withResolvers<void>()
  const held = Promise.withResolvers<ReleaseResponse>()
  const { server, tlsRefused, until } = await serve(t, {
    release: () => {
      asked.resolve()
      return held.promise
    },
  })
  const lost = clientOf('lost')
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const busy = send(server.url, { client: lost, body: '{}', tls: { agent } })
  await asked.promise
  server.setTls({
    ...ca.issue('verifier'),
    clientCertificates: 'required',
    clientCa: ca.pem,
    clientCrl: [ca.revoke([lost.cert])],
  })
  held.resolve(response)
  const { status, headers } = await busy.answer
  assert.deepEqual([status, headers.connection], [200, 'close'])

  await assert.rejects(send(server.url, { client: lost, body: '{}' }).status, { code: 'ECONNRESET' })
  assert.equal(await send(server.url, { client: clientOf('kept'), body: '{}' }).status, 200)
  server.setTls({
    ...ca.issue('verifier'),
    clientCertificates: 'required',
    clientCa: ca.pem,
    clientCrl: [ca.revoke([], -1)],
  })
  await assert.rejects(send(server.url, { client, body: '{}' }).status, { code: 'ECONNRESET' })
  await until(() => tlsRefused.length >= 2)
  assert.deepEqual(tlsRefused, ['revoked-certificate 127.0.0.1', 'no-revocation-list 127.0.0.1'])
})

test('an invalid certificate, key or address is config.invalid', async () => {
  const identity = ca.issue('verifier')
  const routes: VerifierRoutes = {
    challenge: () => challenge,
    release: async () => response,
    witness: async () => assert.fail(),
    checkNonce: () => {},
    refused: () => {},
    answered: () => {},
    tlsRefused: () => {},
    dropped: () => {},
  }
  const clock = systemClock
  const listen = { host: '127.0.0.1', port: 0 }
  const invalid = { code: 'config.invalid' }
  const other: ServerTls = {
    ...identity,
    key: ca.issue('other').key,
    clientCertificates: 'required',
    clientCa: ca.pem,
    clientCrl: [ca.crl],
  }
  await assert.rejects(startServer({ listen, tls: other, clock }, routes), invalid)
  const tls: ServerTls = {
    ...identity,
    clientCertificates: 'required',
    clientCa: ca.pem,
    clientCrl: [ca.crl],
  }
  await assert.rejects(startServer({ listen: { host: '192.0.2.1', port: 1 }, tls, clock }, routes), invalid)
})
