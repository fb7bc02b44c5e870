/** A worker with several addresses of the Verifier: real TLS servers, some of which die, hang or lie. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Registry } from 'prom-client'
import { createReleaseService, type VerifierConnection } from '#adapters/http/releaseService.ts'
import { createReplicas, publishReplicas } from '#adapters/http/replicas.ts'
import { CodedError } from '#core/errors.ts'
import { linesOf } from '../../log.ts'
import { silentService } from '../../silentService.ts'
import { steerableClock } from '../../verifier/steerableClock.ts'
import { createCa } from '../../verifier/tls.ts'
import { ca, challenge, client, listen, problem, request, response, says } from './tlsServers.ts'

const NO_ONE = 'https://127.0.0.1:1'
const HOST = '127.0.0.1:1'

/** A Verifier that counts what it received; it answers as a good one does unless it is told otherwise. */
async function verifier(t: TestContext, tls: object = {}) {
  const received: string[] = []
  let answer: Parameters<typeof says> | 'never' | 'cut' | undefined
  const url = await listen(
    t,
    (incoming, outgoing) => {
      const path = incoming.url ?? ''
      received.push(path)
      incoming.resume()
      incoming.on('end', () => {
        if (answer === 'cut') incoming.socket.destroy()
        else if (answer !== 'never')
          says(...(answer ?? [200, JSON.stringify(path === '/v1/challenges' ? challenge : response)]))(
            incoming,
            outgoing,
          )
      })
    },
    tls,
  )
  return {
    url,
    received,
    answers: (how: typeof answer) => {
      answer = how
    },
  }
}

function connectTo(t: TestContext, urls: readonly string[], changes: Partial<VerifierConnection> = {}) {
  const clock = steerableClock()
  const { log, lines } = linesOf()
  const tls = { ca: ca.pem, crl: [ca.crl], ...client }
  const replicas = createReplicas(
    urls,
    (url) => createReleaseService({ url, tls: () => tls, timeoutMs: 5000, clock, ...changes }),
    { clock, log },
  )
  t.after(() => replicas.close())
  return { replicas, clock, lines }
}

const unavailable = { code: 'verifier.unavailable' }
const error = new CodedError('verifier.untrusted', 'not proven')

test('a dead first address is passed over at once; it is said once, and shown until it answers', async (t) => {
  const [first, second] = [await verifier(t), await verifier(t)]
  first.answers('cut')
  const { replicas, clock, lines } = connectTo(t, [first.url, second.url])
  const registry = new Registry()
  publishReplicas(registry, replicas)
  const resting = async () =>
    [...(await registry.metrics()).matchAll(/^cw_worker_verifier_resting\{address="([^"]+)"\} (\d)$/gm)].map(
      ([, address, rests]) => [address, rests],
    )
  const [here, there] = [first, second].map(({ url }) => url.slice('https://'.length))
  assert.deepEqual(await resting(), [
    [here, '0'],
    [there, '0'],
  ])
  for (let at = 0; at < 3; at += 1) {
    assert.deepEqual(await replicas.challenge(), challenge)
    assert.deepEqual(await replicas.release(request, challenge.nonce), response)
  }
  assert.deepEqual(first.received, ['/v1/challenges'])
  assert.deepEqual(await resting(), [
    [here, '1'],
    [there, '0'],
  ])
  clock.pass(1)
  await replicas.challenge()
  assert.equal(first.received.length, 2)
  first.answers(undefined)
  clock.pass(2)
  await replicas.challenge()
  replicas.judge(await replicas.release(request, challenge.nonce))
  assert.deepEqual(first.received.slice(2), ['/v1/challenges', '/v1/releases'])
  assert.deepEqual(await resting(), [
    [here, '0'],
    [there, '0'],
  ])
  assert.deepEqual(
    lines.map(({ level, msg, address, code }) => [level, msg, address, code]),
    [
      ['warn', 'Verifier address rests', here, 'verifier.unavailable'],
      ['info', 'Verifier address answers again', here, undefined],
    ],
  )
})

test('an address that hangs is passed over after its deadline', async (t) => {
  const [first, second] = [await verifier(t), await verifier(t)]
  first.answers('never')
  const { replicas } = connectTo(t, [first.url, second.url], { timeoutMs: 300 })
  assert.deepEqual(await replicas.challenge(), challenge)
  assert.deepEqual(await replicas.release(request, challenge.nonce), response)
  assert.deepEqual(second.received, ['/v1/challenges', '/v1/releases'])
})

test('each rest is twice as long, to five minutes; a proven answer alone ends that', async (t) => {
  const [first, second] = [await verifier(t), await verifier(t)]
  const { replicas, clock } = connectTo(t, [first.url, second.url])
  const comesBackAfter = async (seconds: number) => {
    replicas.judge(await replicas.release(request, challenge.nonce), error)
    clock.pass(seconds - 0.001)
    const before = first.received.length
    await replicas.challenge()
    assert.equal(first.received.length, before, `asked before ${seconds} seconds`)
    clock.pass(0.001)
    await replicas.challenge()
    assert.equal(first.received.length, before + 1, `not asked after ${seconds} seconds`)
  }
  await replicas.challenge()
  for (const seconds of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) await comesBackAfter(seconds)
  replicas.judge(await replicas.release(request, challenge.nonce))
  await comesBackAfter(1)
})

test('a false challenge, and a refusal without a signature, let their address rest', async (t) => {
  const [first, second] = [await verifier(t), await verifier(t)]
  const { replicas, clock } = connectTo(t, [first.url, second.url])
  replicas.judge(await replicas.challenge(), error)
  await replicas.challenge()
  assert.deepEqual(second.received, ['/v1/challenges'])
  let seconds = 1
  for (const [status, code] of [
    [403, 'measurement.unknown'],
    [403, 'evidence.conflict'],
    [403, 'nonce.expired'],
    [503, 'policy.stale'],
    [500, 'internal.fault'],
  ] as const) {
    clock.pass(seconds)
    first.answers(undefined)
    await replicas.challenge()
    first.answers([status, problem(code)])
    const [asked, elsewhere] = [first.received.length, second.received.length]
    await assert.rejects(replicas.release(request, challenge.nonce))
    assert.equal(first.received.length, asked + 1)
    assert.equal(second.received.length, elsewhere, `${code}: a nonce that was spent goes nowhere else`)
    assert.ok(replicas.another())
    await replicas.challenge()
    assert.deepEqual(second.received.at(-1), '/v1/challenges')
    assert.equal(first.received.length, asked + 1)
    seconds *= 2
  }
})

test('a release goes to a second address only if the first received no byte of it', async (t) => {
  const { address } = await silentService(t)
  const refusing = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  t.after(() => refusing.close())
  await new Promise((resolve) => refusing.once('listening', resolve))
  const port = Reflect.get(Object(refusing.address()), 'port')
  const stranger = await verifier(t, createCa('stranger').issue('verifier'))
  for (const unsent of [NO_ONE, `https://${address}`, `https://127.0.0.1:${port}`, stranger.url]) {
    const good = await verifier(t)
    const { replicas } = connectTo(t, [unsent, good.url], { timeoutMs: 1000 })
    assert.deepEqual(await replicas.release(request, challenge.nonce), response)
    assert.deepEqual(good.received, ['/v1/releases'])
  }
  assert.deepEqual(stranger.received, [])
  for (const used of [false, true])
    for (const how of ['cut', 'never'] as const) {
      const [first, second] = [await verifier(t), await verifier(t)]
      const { replicas } = connectTo(t, [first.url, second.url], { timeoutMs: 300 })
      if (used) await replicas.challenge()
      first.answers(how)
      await assert.rejects(replicas.release(request, challenge.nonce), unavailable)
      assert.equal(first.received.at(-1), '/v1/releases')
      assert.deepEqual(second.received, [])
    }
})

test('a release goes where its challenge came from, also if a better address is back', async (t) => {
  const [first, second] = [await verifier(t), await verifier(t)]
  const { replicas, clock } = connectTo(t, [first.url, second.url])
  replicas.judge(await replicas.challenge(), error)
  await replicas.challenge()
  clock.pass(1)
  await replicas.release(request, challenge.nonce)
  assert.deepEqual(second.received, ['/v1/challenges', '/v1/releases'])
  assert.deepEqual(first.received, ['/v1/challenges'])
})

test('a release that no address can receive lets all of them rest', async (t) => {
  const second = await verifier(t)
  const first = await verifier(t)
  let isGone = false
  const { replicas } = connectTo(t, [first.url, second.url], {
    tls: () => ({ ca: isGone ? createCa('other').pem : ca.pem, crl: [ca.crl], ...client }),
  })
  await replicas.challenge()
  isGone = true
  await assert.rejects(replicas.release(request, challenge.nonce), unavailable)
  isGone = false
  assert.deepEqual([first.received, second.received], [['/v1/challenges'], []])
  assert.ok(!replicas.another())
})

test('while all rest, the one whose rest ends first is asked; the one that is back is found', async (t) => {
  const replicasOf = [await verifier(t), await verifier(t), await verifier(t)]
  for (const each of replicasOf) each.answers([502, '<html>'])
  const { replicas, clock } = connectTo(
    t,
    replicasOf.map(({ url }) => url),
  )
  await assert.rejects(replicas.challenge(), unavailable)
  assert.deepEqual(
    replicasOf.map(({ received }) => received.length),
    [1, 1, 1],
  )
  assert.ok(!replicas.another())
  const [, , third] = replicasOf
  third?.answers(undefined)
  await assert.rejects(replicas.challenge(), unavailable)
  await assert.rejects(replicas.challenge(), unavailable)
  assert.deepEqual(await replicas.challenge(), challenge)
  assert.ok(replicas.another())
  assert.deepEqual(await replicas.release(request, challenge.nonce), response)
  assert.equal(clock.monotonic(), 0)
  assert.deepEqual(third?.received, ['/v1/challenges', '/v1/challenges', '/v1/releases'])
})

test('the pause that an address asks for is its own', async (t) => {
  const [first, second] = [await verifier(t), await verifier(t)]
  let busy = true
  const url = await listen(t, (incoming, answer) => {
    first.received.push('asked')
    incoming.resume()
    if (busy) answer.writeHead(429, { 'retry-after': '7' }).end(problem('client.busy'))
    else answer.end(JSON.stringify(challenge))
  })
  const { replicas, clock } = connectTo(t, [url, second.url])
  await replicas.challenge()
  busy = false
  clock.pass(6.9)
  await replicas.challenge()
  assert.deepEqual(first.received, ['asked'])
  assert.equal(clock.monotonic(), 6900)
  clock.pass(0.1)
  await replicas.challenge()
  assert.deepEqual(first.received, ['asked', 'asked'])
})

test('an abort is no failure of an address', async (t) => {
  const first = await verifier(t)
  first.answers('never')
  const { replicas } = connectTo(t, [first.url, NO_ONE])
  const reason = new CodedError('lease.lost', 'another worker has the partition')
  for (const call of [
    replicas.challenge,
    (signal: AbortSignal) => replicas.release(request, challenge.nonce, signal),
  ]) {
    const ending = new AbortController()
    setTimeout(() => ending.abort(reason), 100)
    await assert.rejects(call(ending.signal), reason)
  }
  await assert.rejects(replicas.challenge(AbortSignal.abort(reason)), reason)
  assert.equal(replicas.failures(), 0)
  assert.ok(replicas.resting().every(({ rests }) => !rests))
  assert.equal(replicas.resting()[1]?.address, HOST)
})
