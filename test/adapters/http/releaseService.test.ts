import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { after, test } from 'node:test'
import { createReleaseService } from '#adapters/http/releaseService.ts'
import { abandonable } from '#adapters/system/abandonable.ts'
import { createClockSkew } from '#adapters/system/clockSkew.ts'
import { toBase64url } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { problemOf } from '#core/release/refusal.ts'
import { steerableClock } from '../../verifier/steerableClock.ts'
import { createCa } from '../../verifier/tls.ts'
import { ca, challenge, client, listen, problem, request, response, says, server } from './tlsServers.ts'

const opened: { close: () => void }[] = []
after(() => {
  for (const service of opened) service.close()
})
function connect(url: string, changes: Partial<Parameters<typeof createReleaseService>[0]> = {}) {
  const service = createReleaseService({
    url,
    tls: () => ({ ca: ca.pem, crl: [ca.crl], ...client }),
    timeoutMs: 5000,
    ...changes,
  })
  opened.push(service)
  return service
}

test('a challenge and a release use one connection, on which both sides authenticate', async (t) => {
  const sockets = new Set<unknown>()
  const received: string[] = []
  const url = await listen(
    t,
    (incoming, answer) => {
      sockets.add(incoming.socket)
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk) => {
        text += chunk
      })
      incoming.on('end', () => {
        received.push(`${incoming.method} ${incoming.url} ${text}`)
        answer.end(JSON.stringify(incoming.url === '/v1/challenges' ? challenge : response))
      })
    },
    { rejectUnauthorized: true, minVersion: 'TLSv1.3' },
  )
  const service = connect(url)
  assert.deepEqual(await service.challenge(), challenge)
  assert.deepEqual(await service.release(request, challenge.nonce), response)
  assert.deepEqual(received, ['POST /v1/challenges ', `POST /v1/releases ${JSON.stringify(request)}`])
  assert.equal(sockets.size, 1)
})

const large = (bytes: number): Uint8Array => Buffer.alloc(bytes, ' ')

for (const { name, listener, code } of [
  {
    name: 'a refusal that waiting mends keeps its code',
    listener: says(403, problem('nonce.expired')),
    code: 'nonce.expired',
  },
  {
    name: 'a refusal that may pass keeps its code, whatever its status',
    listener: says(503, problem('policy.stale')),
    code: 'policy.stale',
  },
  {
    name: 'a fault inside the Verifier is unavailability',
    listener: says(500, problem('internal.fault')),
    code: 'verifier.unavailable',
  },
  {
    name: 'a status without a refusal is unavailability',
    listener: says(502, '<html>bad gateway</html>'),
    code: 'verifier.unavailable',
  },
  {
    name: 'a refusal of the worker that is not signed decides nothing',
    listener: says(403, problem('measurement.unknown')),
    code: 'refusal.unsigned',
  },
  {
    name: 'a refusal with an unknown code that is not signed decides nothing',
    listener: says(403, problem('permission.none').replaceAll('permission.none', 'grant.nought')),
    code: 'refusal.unsigned',
  },
  {
    name: 'a refusal with a code that would stop the worker decides nothing',
    listener: says(403, problem('evidence.conflict')),
    code: 'refusal.unsigned',
  },
  {
    name: 'a refusal whose signed part is cut off is not trusted',
    listener: says(403, JSON.stringify({ ...problemOf('client.none', 'cd'.repeat(16)), refusal: 'a.b.c' })),
    code: 'verifier.untrusted',
  },
  { name: 'a redirection is not followed', listener: says(302, ''), code: 'verifier.unavailable' },
  { name: 'an answer that is not JSON is not trusted', listener: says(200, '{'), code: 'verifier.untrusted' },
  {
    name: 'an answer with an unknown field is not trusted',
    listener: says(200, JSON.stringify({ ...response, surplus: 1 })),
    code: 'verifier.untrusted',
  },
  {
    name: 'an answer over the limit is not trusted',
    listener: says(200, large(21_000_000)),
    code: 'verifier.untrusted',
  },
  {
    name: 'a refusal over the limit is unavailability',
    listener: says(403, large(17_000)),
    code: 'verifier.unavailable',
  },
] satisfies readonly { name: string; listener: RequestListener; code: ErrorCode }[])
  test(name, async (t) => {
    const service = connect(await listen(t, listener))
    await assert.rejects(service.release(request, challenge.nonce), { code })
  })

test('a challenge has a shape and a limit of its own', async (t) => {
  await assert.rejects(connect(await listen(t, says(200, JSON.stringify(response)))).challenge(), {
    code: 'verifier.untrusted',
  })
  await assert.rejects(connect(await listen(t, says(200, large(5000)))).challenge(), {
    code: 'verifier.untrusted',
  })
})

test('a nonce that states no time is not trusted, whoever learns the time', async (t) => {
  const nonce = toBase64url(Buffer.alloc(61, 1))
  const url = await listen(t, says(200, JSON.stringify({ ...challenge, nonce })))
  for (const skew of [undefined, createClockSkew(steerableClock())])
    await assert.rejects(connect(url, skew === undefined ? {} : { skew }).challenge(), {
      code: 'verifier.untrusted',
    })
})

test('the Verifier must authenticate under the pinned CA, with TLS 1.3', async (t) => {
  const good = says(200, JSON.stringify(challenge))
  const unavailable = { code: 'verifier.unavailable' }
  const stranger = createCa('stranger').issue('verifier')
  await assert.rejects(connect(await listen(t, good, stranger)).challenge(), unavailable)
  await assert.rejects(connect(await listen(t, good, { maxVersion: 'TLSv1.2' })).challenge(), unavailable)
  const url = await listen(t, good)
  assert.deepEqual(await connect(url).challenge(), challenge)
  // The certificate is only for 127.0.0.1.
  await assert.rejects(connect(url.replace('127.0.0.1', 'localhost')).challenge(), unavailable)
})

test('after an exchange without an answer, no idle connection is used again', async (t) => {
  const sockets = new Set<unknown>()
  let lost = 0
  const url = await listen(t, (incoming, answer) => {
    // A balancer has lost the first two connections; both sides still have them.
    if (!sockets.has(incoming.socket)) answer.end(JSON.stringify(challenge))
    else lost += 1
    sockets.add(incoming.socket)
  })
  const service = connect(url, { timeoutMs: 200 })
  await Promise.all([service.challenge(), service.challenge()])
  assert.equal(sockets.size, 2)
  await assert.rejects(service.challenge(), { code: 'verifier.unavailable' })
  assert.deepEqual(await service.challenge(), challenge)
  assert.equal(lost, 1)
})

test('a connection that is idle is closed after seconds, before the server does', async (t) => {
  const closed = Promise.withResolvers<void>()
  const url = await listen(
    t,
    (incoming, answer) => {
      incoming.socket.once('close', () => closed.resolve())
      says(200, JSON.stringify(challenge))(incoming, answer)
    },
    { keepAliveTimeout: 600_000 },
  )
  await connect(url).challenge()
  await abandonable(closed.promise, AbortSignal.timeout(20_000))
})

test('no listener, no answer in time, and an abort', async (t) => {
  await assert.rejects(connect('https://127.0.0.1:1').challenge(), { code: 'verifier.unavailable' })
  const arrived = Promise.withResolvers<void>()
  const silent = await listen(t, () => arrived.resolve())
  await assert.rejects(connect(silent, { timeoutMs: 50 }).challenge(), { code: 'verifier.unavailable' })
  const reason = new Error('the worker stops')
  const ending = new AbortController()
  const waiting = connect(silent).release(request, challenge.nonce, ending.signal)
  await arrived.promise
  ending.abort(reason)
  await assert.rejects(waiting, reason)
})

test('after Retry-After nothing is sent before that time, on either path', async (t) => {
  const clock = steerableClock()
  const url = await listen(t, (incoming, answer) => {
    incoming.resume()
    if (clock.monotonic() >= 7000) answer.end(JSON.stringify(challenge))
    else answer.writeHead(429, { 'retry-after': '7' }).end(problem('client.busy'))
  })
  const service = connect(url, { clock })
  await assert.rejects(service.release(request, challenge.nonce), { code: 'client.busy' })
  assert.equal(clock.monotonic(), 0)
  assert.deepEqual(await service.challenge(), challenge)
  assert.equal(clock.monotonic(), 7000)
  assert.deepEqual(await service.challenge(), challenge)
  assert.equal(clock.monotonic(), 7000)
})

for (const [name, crl, message] of [
  ['revoked', [ca.revoke([server.cert])], /: its certificate is revoked by the list in verifier\.crl$/],
  ['of a CA whose list has ended', [ca.revoke([], -60)], /: the revocation list in verifier\.crl has ended$/],
  ['of a CA without a list', [createCa('other').crl], /: verifier\.crl has no revocation list of the CA/],
] as const)
  test(`a server certificate that is ${name} ends the exchange, and the reason is named`, async (t) => {
    const url = await listen(t, says(200, JSON.stringify(challenge)))
    const service = connect(url, { tls: () => ({ ca: ca.pem, crl, ...client }) })
    await assert.rejects(service.challenge(), { code: 'verifier.unavailable', message })
  })
