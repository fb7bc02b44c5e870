import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { SecretsClient } from 'oci-secrets'
import { IDLE_SOCKET_MS } from '#adapters/http/idleSockets.ts'
import { createSockets, exchange, readWhole } from '#adapters/oci/exchange.ts'
import type { CallOptions } from '#adapters/oci/http.ts'
import { createSecretStore } from '#adapters/oci/secrets.ts'
import { abandonable } from '#adapters/system/abandonable.ts'
import { CodedError } from '#core/errors.ts'
import { answer, cut, type Reply, refuse, type Script, serve } from './service.ts'

const SECRET = 'ocid1.vaultsecret.oc1..secret'
const good = answer(200, {
  secretId: SECRET,
  versionNumber: 3,
  timeCreated: '2026-09-21T14:13:20.000Z',
  secretBundleContent: { contentType: 'BASE64', content: 'AQID' },
})

async function read(t: TestContext, replies: readonly Reply[]) {
  const script = await serve(t, replies)
  const read = () => createSecretStore(script.http, clientOf(script)).read(SECRET)
  return { script, read }
}

function clientOf({ http, endpoint }: Script): SecretsClient {
  const client = new SecretsClient(http.params, http.configuration)
  client.endpoint = endpoint
  return client
}

function raw(script: Script, options: CallOptions): Promise<unknown> {
  const client = clientOf(script)
  return script.http.call('getSecretBundle', () => client.getSecretBundle({ secretId: SECRET }), options)
}

const outcomes: readonly { name: string; replies: readonly Reply[]; code?: string; calls: number }[] = [
  { name: 'an answer', replies: [good], calls: 1 },
  { name: 'a 503, then an answer', replies: [refuse(503, 'ServiceUnavailable'), good], calls: 2 },
  { name: 'a cut connection, then an answer', replies: [cut, good], calls: 2 },
  {
    name: 'three times 429, then an answer',
    replies: [refuse(429, 'TooManyRequests'), refuse(429, ''), answer(429), good],
    calls: 4,
  },
  {
    name: 'only 500',
    replies: [refuse(500, 'InternalServerError')],
    code: 'service.unavailable',
    calls: 4,
  },
  { name: 'only cut connections', replies: [cut], code: 'service.unavailable', calls: 4 },
  { name: 'a 404', replies: [refuse(404, 'NotAuthorizedOrNotFound')], code: 'service.missing', calls: 1 },
  { name: 'a 403', replies: [refuse(403, 'Forbidden')], code: 'service.denied', calls: 1 },
  { name: 'a 409', replies: [refuse(409, 'Conflict')], code: 'service.conflict', calls: 1 },
  {
    name: 'a 409 of a concurrent update, then an answer',
    replies: [refuse(409, 'ConcurrentObjectUpdate'), good],
    calls: 2,
  },
  { name: 'a 400', replies: [refuse(400, 'InvalidParameter')], code: 'service.failed', calls: 1 },
  {
    name: 'a redirect',
    replies: [answer(302, '', { location: 'http://127.0.0.1:1/' })],
    code: 'service.failed',
    calls: 1,
  },
  { name: 'an answer that is not JSON', replies: [answer(200, 'AQID')], code: 'service.failed', calls: 1 },
  { name: 'an empty answer', replies: [answer(200)], code: 'service.failed', calls: 1 },
  {
    name: 'a bundle without content',
    replies: [answer(200, { secretId: SECRET, versionNumber: 1 })],
    code: 'service.failed',
    calls: 1,
  },
  { name: 'a 401, then an answer', replies: [refuse(401, 'NotAuthenticated'), good], calls: 2 },
  { name: 'only 401', replies: [refuse(401, 'NotAuthenticated')], code: 'service.denied', calls: 2 },
]

for (const { name, replies, code, calls } of outcomes) {
  test(`${name}: ${code ?? 'the secret'} after ${calls} of at most 4 calls`, async (t) => {
    const { script, read: readSecret } = await read(t, replies)
    if (code === undefined)
      assert.deepEqual(await readSecret(), {
        content: Buffer.of(1, 2, 3),
        version: 3,
        createdAt: 1_790_000_000,
      })
    else await assert.rejects(readSecret(), { name: 'CodedError', code })
    assert.equal(script.seen.length, calls)
  })
}

test('a 401 renews the token, and the new one signs the second sending', async (t) => {
  const { script, read: readSecret } = await read(t, [refuse(401, 'NotAuthenticated'), good])
  await readSecret()
  assert.equal(script.renewals(), 1)
  const keyIds = script.seen.map(({ headers }) => /keyId="([^"]*)"/.exec(headers.authorization ?? '')?.[1])
  assert.deepEqual(keyIds, ['ST$0', 'ST$1'])
})

test('an error contains status, code and request id, and nothing else from the service', async (t) => {
  const canary = 'MRN-12345'
  const { read: readSecret } = await read(t, [refuse(400, 'InvalidParameter', `bad value ${canary}`)])
  const error = await readSecret().catch((fault: unknown) => fault)
  assert.ok(error instanceof Error)
  assert.equal(error.message, 'getSecretBundle answered 400 InvalidParameter (request A/B/C)')
  assert.ok(!JSON.stringify(error, Object.getOwnPropertyNames(error)).includes(canary))
})

/** An answer by a clock that is ten minutes behind. */
const late =
  (status: number, code: string): Reply =>
  (request, response, body) => {
    response.setHeader('date', new Date(Date.now() - 600_000).toUTCString())
    refuse(status, code)(request, response, body)
  }

test('a 401 names a clock that differs; a 403 does not', async (t) => {
  for (const [status, clause] of [
    [401, /; this clock is (?:599|600|601) seconds ahead of OCI's$/],
    [403, /answered 403 Forbidden \(request A\/B\/C\)$/],
  ] as const) {
    const { read: readSecret } = await read(t, [
      late(status, status === 401 ? 'NotAuthenticated' : 'Forbidden'),
    ])
    await assert.rejects(readSecret(), { code: 'service.denied', message: clause })
  }
})

test('a principal without a token asks for the time, unsigned, and names a clock that differs', async (t) => {
  const script = await serve(t, [late(404, 'NotFound')], () => {
    throw new CodedError('service.unavailable', 'no session token')
  })
  const client = createSecretStore(script.http, clientOf(script))
  await assert.rejects(client.read(SECRET), {
    code: 'service.unavailable',
    message: /^no session token; this clock is (?:599|600|601) seconds ahead of OCI's$/,
  })
  assert.ok(script.seen.every(({ url, headers }) => url === '/' && headers.authorization === undefined))
})

test('an answer that cannot be read is not quoted', async (t) => {
  const canary = 'MRN-12345'
  const { read: readSecret } = await read(t, [answer(200, `{"plaintext": "${canary}`)])
  const error = await readSecret().catch((fault: unknown) => fault)
  assert.ok(error instanceof Error)
  assert.equal(error.cause, undefined)
  assert.ok(!`${error.message} ${error.stack}`.includes(canary))
})

test('the SDK prints nothing, and other code keeps its console', async (t) => {
  const { read: readSecret } = await read(t, [refuse(400, 'InvalidParameter')])
  const printed: string[] = []
  t.mock.method(process.stderr, 'write', (text: string) => {
    printed.push(text)
    return true
  })
  await assert.rejects(readSecret())
  console.warn('outside')
  assert.deepEqual(printed, ['outside\n'])
})

test('a service that does not answer in time is unavailable', async (t) => {
  const script = await serve(t, [() => {}])
  await assert.rejects(raw(script, { answerMs: 20, attempts: 2 }), { code: 'service.unavailable' })
  assert.equal(script.seen.length, 2)
})

test('a body that stops halfway is unavailable', async (t) => {
  const stalled: Reply = (_, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('{')
  }
  const script = await serve(t, [stalled])
  await assert.rejects(raw(script, { answerMs: 50, attempts: 1 }), { code: 'service.unavailable' })
})

test('an exchange without a byte ends, on a new socket and on one that was kept', async (t) => {
  const stalled: Reply = (_, response) => response.writeHead(200, { 'content-length': '100' }).write('{')
  const script = await serve(t, [stalled, good, stalled])
  const sockets = createSockets()
  t.after(() => sockets.plain.destroy())
  const limits = { answerMs: 2000, idleMs: 50, signal: undefined }
  const outgoing = {
    method: 'GET',
    origin: script.endpoint,
    target: '/',
    headers: {},
    body: new Uint8Array(),
  }
  const ask = async () => await readWhole(await exchange(outgoing, sockets, limits), limits)
  await assert.rejects(ask(), { message: 'aborted' })
  assert.equal((await ask()).status, 200)
  await assert.rejects(ask(), { message: 'aborted' })
})

test('an idle connection is closed after seconds, and a slow answer is not cut', async (t) => {
  const closed = Promise.withResolvers<void>()
  const slow: Reply = (request, response, body) => {
    request.socket.once('close', () => closed.resolve())
    setTimeout(() => good(request, response, body), IDLE_SOCKET_MS + 500)
  }
  const script = await serve(t, [slow])
  await raw(script, { attempts: 1 })
  await abandonable(closed.promise, AbortSignal.timeout(20_000))
})

test('an abort ends a waiting call with its reason', async (t) => {
  const aborting = new AbortController()
  const reason = new Error('shutting down')
  const script = await serve(t, [() => aborting.abort(reason)])
  await assert.rejects(raw(script, { signal: aborting.signal }), reason)
  await assert.rejects(raw(script, { signal: aborting.signal }), reason)
  assert.equal(script.seen.length, 1)
})

test('an abort ends the pause between two attempts', async (t) => {
  const aborting = new AbortController()
  const reason = new Error('shutting down')
  const replies: Reply = (request, response, body) => {
    refuse(503, 'ServiceUnavailable')(request, response, body)
    setImmediate(() => aborting.abort(reason))
  }
  const script = await serve(t, [replies])
  await assert.rejects(raw(script, { signal: aborting.signal, attempts: 1000 }), reason)
})

test('an SDK client outside of `call` sends nothing', async (t) => {
  const script = await serve(t, [good])
  await assert.rejects(clientOf(script).getSecretBundle({ secretId: SECRET }))
  assert.equal(script.seen.length, 0)
})
