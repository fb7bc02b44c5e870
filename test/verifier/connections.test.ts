/** Who may connect: the limits of strangers and of certificates, and why handshakes fail. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:https'
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Socket,
} from 'node:net'
import { type TestContext, test } from 'node:test'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { type ConnectionLimits, groupOf, guardConnections } from '../../src/verifier/connections.ts'
import { FRONT_DOORS } from '../../src/verifier/frontDoor.ts'
import { contextOf, HANDSHAKE_MILLISECONDS, handshakeOf } from '../../src/verifier/serverTls.ts'
import { tlsRefusalOf } from '../../src/verifier/tlsRefusals.ts'
import { ca, clientOf, send, serve } from './testServer.ts'
import { createCa } from './tls.ts'

const client = clientOf('worker')
const door = FRONT_DOORS.required

/** A server whose limits a few sockets reach. It answers every request with `ok`. */
async function guarded(t: TestContext, changes: Partial<ConnectionLimits>, now = () => 0) {
  const dropped: string[] = []
  const refused: string[] = []
  const server = createServer({
    ...contextOf({ ...ca.issue('v'), clientCertificates: 'required', clientCa: ca.pem, clientCrl: [ca.crl] }),
    ...handshakeOf('required'),
  })
  server.on('request', (_request, answer) => answer.end('ok'))
  const connections = guardConnections(
    server,
    now,
    { refused: (reason) => refused.push(reason), dropped: (reason) => dropped.push(reason) },
    { ...door, connections: { ...door.connections, ...changes } },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    connections.endHandshakes()
    server.closeAllConnections()
    server.close()
  })
  // A TCP listener's address is never a string.
  const { port } = server.address() as AddressInfo
  return {
    server,
    connections,
    dropped,
    refused,
    /** A connection without a handshake, once the server has taken it. */
    idle: async (localAddress = '127.0.0.1'): Promise<Socket> => {
      const taken = once(server, 'connection')
      const socket = connectTcp({ port, host: '127.0.0.1', localAddress })
      socket.on('error', () => {})
      t.after(() => socket.destroy())
      await taken
      return socket
    },
    /** A connection after its handshake. */
    secure: async (identity: object = client, by = port): Promise<TLSSocket> => {
      const secured = once(server, 'secureConnection')
      const socket = connectTls({ port: by, host: '127.0.0.1', ...identity })
      socket.on('error', () => {})
      t.after(() => socket.destroy())
      await secured
      return socket
    },
    /** The port of a network that carries the first byte of a connection by itself. */
    relayed: async (): Promise<number> => {
      const relay = createTcpServer((near) => {
        const taken = once(server, 'connection')
        const far = connectTcp({ port, host: '127.0.0.1', noDelay: true })
        far.on('error', () => {}).pipe(near.on('error', () => {}))
        near.once('data', (hello: Buffer) => {
          near.pause()
          far.write(hello.subarray(0, 1), async () => {
            await taken
            far.write(hello.subarray(1))
            near.pipe(far)
          })
        })
        t.after(() => [near, far].map((socket) => socket.destroy()))
      })
      t.after(() => relay.close())
      await once(relay.listen(0, '127.0.0.1'), 'listening')
      // A TCP listener's address is never a string.
      return (relay.address() as AddressInfo).port
    },
    /** Fails a handshake, and returns when the server has seen it. */
    fail: async (localAddress = '127.0.0.1'): Promise<void> => {
      const socket = connectTcp({ port, host: '127.0.0.1', localAddress })
      socket.on('error', () => {})
      socket.write('hello')
      socket.resume()
      await once(socket, 'close')
    },
  }
}

async function answers(socket: TLSSocket): Promise<boolean> {
  socket.write('GET / HTTP/1.1\r\nHost: v\r\n\r\n')
  const [first] = await Promise.race([once(socket, 'data'), once(socket, 'close')])
  return String(first).startsWith('HTTP/1.1 200')
}

test('an address with too many handshakes loses the oldest, never the newcomer', async (t) => {
  const { idle, secure, dropped, connections } = await guarded(t, { handshakesPerAddress: 3 })
  const [first, second] = [await idle(), await idle()]
  const other = await idle('127.0.0.2')
  await idle()
  assert.deepEqual(dropped, [])
  const gone = once(first, 'close')
  assert.ok(await answers(await secure()))
  await gone
  assert.deepEqual(dropped, ['handshakes'])
  assert.deepEqual(connections.count(), { handshakes: 3, clients: 1 })
  assert.deepEqual([second.destroyed, other.destroyed], [false, false])
})

test('in total handshakes go first, then clients without a request, then the newcomer', async (t) => {
  const { server, idle, secure, dropped } = await guarded(t, { total: 2 })
  const waiting = await idle()
  const silent = await secure()
  const waitingGone = once(waiting, 'close')
  const busy = await secure()
  await waitingGone
  assert.deepEqual(dropped, ['total'])

  // The server has a request of `busy` that it does not answer.
  server.removeAllListeners('request')
  const silentGone = once(silent, 'close')
  const asked = once(server, 'request')
  busy.write('GET / HTTP/1.1\r\nHost: v\r\n\r\n')
  await asked
  const third = await secure(clientOf('third'))
  await silentGone
  assert.deepEqual(dropped, ['total', 'total'])
  assert.deepEqual([busy.destroyed, third.destroyed], [false, false])
})

test('a certificate with too many connections loses the oldest that has no request', async (t) => {
  const { secure, dropped } = await guarded(t, { perClient: 2 })
  const [first, second] = [await secure(), await secure()]
  const other = await secure(clientOf('other'))
  const gone = once(first, 'close')
  const third = await secure()
  await gone
  assert.deepEqual(dropped, ['certificate'])
  for (const socket of [second, third, other]) assert.ok(await answers(socket))
})

test('a certificate whose connections all have a request gets no other, and learns so a second later', async (t) => {
  const { server, connections, secure, dropped } = await guarded(t, { perClient: 1 })
  const served = once(server, 'secureConnection')
  const first = await secure()
  const connection = connections.of((await served)[0])
  assert.ok(connection)
  connection.request = { stop: () => {} }
  server.on('request', assert.fail)

  const from = performance.now()
  const second = await secure()
  const secondGone = once(second, 'close')
  second.resume().write('GET / HTTP/1.1\r\nHost: v\r\n\r\n')
  // No more of them wait than may be served.
  const third = await secure()
  const thirdGone = once(third, 'close')
  third.resume()
  await thirdGone
  assert.equal(second.destroyed, false)
  await secondGone
  assert.ok(performance.now() - from >= 990)
  assert.deepEqual(dropped, ['certificate', 'certificate'])
  assert.equal(first.destroyed, false)
})

test('a connection that is only to be closed makes room for a newcomer', async (t) => {
  const { server, connections, secure, idle, dropped } = await guarded(t, { perClient: 1, total: 2 })
  const served = once(server, 'secureConnection')
  await secure()
  const connection = connections.of((await served)[0])
  assert.ok(connection)
  connection.request = { stop: () => {} }
  const surplus = await secure()
  const gone = once(surplus.resume(), 'close')
  const newcomer = await idle()
  await gone
  assert.deepEqual(dropped, ['certificate', 'total'])
  assert.equal(newcomer.destroyed, false)
})

test('an address whose handshakes fail too often gets none for a while', async (t) => {
  let seconds = 0
  const limits = { failedHandshakes: { perSecond: 1, burst: 2 } }
  const { fail, secure, refused, dropped } = await guarded(t, limits, () => seconds * 1000)
  const before = await secure()
  await fail()
  await fail()
  await fail()
  assert.deepEqual(refused, ['not-tls', 'not-tls'])
  assert.deepEqual(dropped, ['failures'])
  await fail('127.0.0.2')
  assert.deepEqual(refused.length, 3)
  assert.ok(await answers(before))
  seconds = 1
  assert.ok(await answers(await secure()))
})

test('a peer that says nothing is closed after a while, before any TLS', async (t) => {
  const { server, idle, refused, dropped } = await guarded(t, { silenceMilliseconds: 20 })
  server.on('tlsClientError', assert.fail)
  const socket = await idle()
  socket.resume()
  await once(socket, 'close')
  assert.deepEqual([refused, dropped], [['timeout'], []])
  assert.equal(door.connections.silenceMilliseconds, 5000)
})

test('words that begin no handshake cost none', async (t) => {
  const { server, fail, refused } = await guarded(t, {})
  server.on('tlsClientError', assert.fail)
  await fail()
  assert.deepEqual(refused, ['not-tls'])
})

test('a handshake may come byte by byte', async (t) => {
  const { secure, relayed } = await guarded(t, { silenceMilliseconds: 20_000 })
  assert.ok(await answers(await secure(client, await relayed())))
})

const stranger = createCa('stranger')
const handshakes: readonly { name: string; options: object; reason: string }[] = [
  { name: 'no certificate', options: { ca: ca.pem }, reason: 'no-certificate' },
  {
    name: 'another CA',
    options: { ca: ca.pem, ...stranger.issue('worker') },
    reason: 'untrusted-certificate',
  },
  { name: 'an expired certificate', options: clientOf('late', -60), reason: 'expired-certificate' },
  { name: 'TLS 1.2', options: { ...client, maxVersion: 'TLSv1.2' }, reason: 'old-protocol' },
  { name: 'ffdhe2048', options: { ...client, ecdhCurve: 'ffdhe2048' }, reason: 'no-common-parameters' },
  { name: 'P-521', options: { ...client, ecdhCurve: 'P-521' }, reason: 'no-common-parameters' },
  { name: 'CCM', options: { ...client, ciphers: 'TLS_AES_128_CCM_SHA256' }, reason: 'no-common-parameters' },
]
for (const { name, options, reason } of handshakes)
  test(`refused in the handshake: ${name}`, async (t) => {
    const { port, tlsRefused, refused, until } = await serve(t)
    const socket = connectTls({ port, host: '127.0.0.1', ...options })
    const closed = new Promise((resolve) => socket.on('error', () => {}).once('close', resolve))
    socket.resume()
    await until(() => tlsRefused.length > 0)
    await closed
    assert.deepEqual(tlsRefused, [`${reason} 127.0.0.1`])
    assert.deepEqual(refused, [])
  })

for (const { name, text, reason } of [
  { name: 'HTTP', text: 'POST /v1/releases HTTP/1.1\r\nHost: v\r\n\r\n', reason: 'plain-http' },
  { name: 'SSH', text: 'SSH-2.0-OpenSSH_9.2\r\n', reason: 'not-tls' },
  { name: 'nothing', text: '', reason: 'abandoned' },
])
  test(`a stranger who speaks ${name} gets no answer`, async (t) => {
    const { port, tlsRefused, until } = await serve(t)
    const socket = connectTcp({ port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.on('data', (bytes) => assert.ok(bytes.byteLength < 16, 'more than an alert'))
    socket.end(text)
    await until(() => tlsRefused.length > 0)
    assert.deepEqual(tlsRefused, [`${reason} 127.0.0.1`])
  })

for (const ecdhCurve of ['X25519', 'P-256', 'P-384'])
  test(`accepted: TLS 1.3 with ${ecdhCurve}`, async (t) => {
    const { server } = await serve(t)
    assert.equal(await send(server.url, { client, tls: { ecdhCurve }, body: '{}' }).status, 200)
  })

test('no session is resumed, so that every connection shows a certificate of today', async (t) => {
  const { secure, server } = await guarded(t, {})
  const first = await secure()
  const [session] = await once(first, 'session')
  const again = await secure({ ...client, session })
  assert.ok(await answers(again))
  assert.equal(again.isSessionReused(), false)
  const failed = once(server, 'tlsClientError')
  const without = connectTls({ port: first.remotePort ?? 0, host: '127.0.0.1', ca: ca.pem, session })
  without.on('error', () => {})
  assert.equal((await failed)[0].code, 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
})

for (const { code, authorization = null, reason } of [
  { code: 'ERR_TLS_HANDSHAKE_TIMEOUT', reason: 'timeout' },
  { code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', reason: 'client-refused' },
  { code: 'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED', reason: 'client-refused' },
  { code: 'ECONNRESET', authorization: 'CERT_NOT_YET_VALID', reason: 'expired-certificate' },
  { code: 'ECONNRESET', reason: 'abandoned' },
  { code: 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', reason: 'not-tls' },
] as const)
  test(`${code} with ${authorization} is ${reason}`, () => {
    assert.equal(tlsRefusalOf(Object.assign(new Error('x'), { code }), authorization), reason)
  })

for (const [address, group] of [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
] as const)
  test(`the address ${address} counts as ${group}`, () => assert.equal(groupOf(address), group))

test('a handshake has ten seconds', () => assert.equal(HANDSHAKE_MILLISECONDS, 10_000))
