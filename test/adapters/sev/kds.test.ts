import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, afterEach, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createKds } from '#adapters/sev/kds.ts'
import { fromHex } from '#core/bytes.ts'
import { vcekPath } from '#core/snp/kds.ts'
import { platformOf, testAuthority } from '../../amd.ts'
import { virtualClock } from '../../clock.ts'
import { startKds, type TestKds } from '../../kds.ts'

const milan = await testAuthority('Milan')
const genoa = await testAuthority('Genoa')
const turin = await testAuthority('Turin')
const services: TestKds[] = []
after(() => Promise.all(services.map(({ close }) => close())))
let clock = virtualClock()
afterEach(() => {
  clock = virtualClock()
})

/** A service and its client in one virtual time. */
async function open(options: { readonly vcekSeconds?: number; readonly exchangeMs?: number } = {}) {
  const { vcekSeconds = 0, exchangeMs } = options
  const own = clock
  const service = await startKds([milan, genoa, turin], { vcekSeconds, now: () => own.monotonic() })
  services.push(service)
  const waits: string[] = []
  const kds = createKds({
    url: service.url,
    waiting: (why, milliseconds) => waits.push(`${why.replace(/^\S+ /, '')}: ${milliseconds}`),
    simulation: true,
    clock: own,
    ...(exchangeMs !== undefined && { exchangeMs }),
  })
  const { hardwareId } = genoa
  return {
    service,
    kds,
    waits,
    vcek: (signal?: AbortSignal) =>
      kds.vcek('Genoa', fromHex(hardwareId), platformOf(genoa).tcb.reported, signal),
    arm: (fault: object) => service.faults.arm({ service: 'kds', times: 1, ...fault }),
  }
}

describe('the client asks for', () => {
  for (const [authority, query] of [
    [milan, 'blSPL=4&teeSPL=0&snpSPL=27&ucodeSPL=222'],
    [genoa, 'blSPL=10&teeSPL=0&snpSPL=27&ucodeSPL=86'],
    [turin, 'fmcSPL=1&blSPL=3&teeSPL=2&snpSPL=5&ucodeSPL=97'],
  ] as const)
    test(`a VCEK of ${authority.product}`, async () => {
      const { product, hardwareId } = authority
      const { tcb } = platformOf(authority)
      const { kds, service } = await open()
      const der = await kds.vcek(product, fromHex(hardwareId), tcb.reported)
      assert.deepEqual(der, authority.endorse(hardwareId, tcb.reported).vcekDer)
      assert.deepEqual(service.requests, [`200 /vcek/v1/${product}/${hardwareId}?${query}`])
      assert.equal(hardwareId.length, product === 'Turin' ? 16 : 128)
    })

  test('a real chip by its documented path', () => {
    const tcb = { fmc: 0, bootloader: 9, tee: 0, snp: 23, microcode: 72 }
    assert.equal(
      vcekPath('Genoa', Buffer.alloc(64, 0x0a), tcb),
      `/vcek/v1/Genoa/${'0a'.repeat(64)}?blSPL=9&teeSPL=0&snpSPL=23&ucodeSPL=72`,
    )
  })

  test('chains and revocation lists', async () => {
    const { kds, service } = await open()
    assert.deepEqual(await kds.chain('vcek', 'Turin'), { intermediate: turin.askDer, ark: turin.arkDer })
    assert.deepEqual(await kds.chain('vlek', 'Turin'), { intermediate: turin.asvkDer, ark: turin.arkDer })
    assert.ok((await kds.crl('Turin')).byteLength > 500)
    assert.deepEqual(service.requests, [
      '200 /vcek/v1/Turin/cert_chain',
      '200 /vlek/v1/Turin/cert_chain',
      '200 /vcek/v1/Turin/crl',
    ])
    assert.deepEqual(clock.slept, [])
  })
})

describe('the pace', () => {
  test('is one VCEK in ten seconds for any number of callers; lists do not wait for it', async () => {
    const { kds, vcek, service } = await open({ vcekSeconds: 10 })
    await kds.crl('Genoa')
    await Promise.all([vcek(), vcek(), vcek()])
    assert.deepEqual(clock.slept, [10_000, 10_000])
    await kds.crl('Genoa')
    assert.deepEqual(
      service.requests.map((line) => line.slice(0, 3)),
      ['200', '200', '200', '200', '200'],
    )
    assert.equal(clock.slept.length, 2)
  })

  test('follows a service that demands more time', async () => {
    const { vcek, service, waits } = await open({ vcekSeconds: 25 })
    await vcek()
    await vcek()
    // The second call asks after ten seconds, is told to wait fifteen more, and gets its answer.
    assert.deepEqual(clock.slept, [10_000, 15_000])
    assert.deepEqual(waits, ['gives one VCEK in ten seconds: 10000', 'answers with status 429: 15000'])
    assert.deepEqual(
      service.requests.map((line) => line.slice(0, 3)),
      ['200', '429', '200'],
    )
  })

  test('refuses at once if the demanded wait exceeds the patience, and asks nothing meanwhile', async () => {
    const { kds, vcek, service } = await open({ vcekSeconds: 1000 })
    await vcek()
    await assert.rejects(vcek(), {
      code: 'kds.unavailable',
      message: /status 429; it is asked again in 990 s/,
    })
    await assert.rejects(vcek(), { code: 'kds.unavailable' })
    await assert.rejects(kds.crl('Genoa'), { code: 'kds.unavailable' })
    assert.equal(service.requests.length, 2)
    await clock.sleep(990_000)
    await vcek()
    assert.equal(service.requests.length, 3)
  })

  test('slows down for a service that fails, and gives up after a minute', async () => {
    const { kds, service, arm } = await open()
    arm({ status: 500, times: 100 })
    await assert.rejects(kds.crl('Genoa'), { code: 'kds.unavailable', message: /status 500/ })
    for (const [index, waited] of clock.slept.entries())
      assert.ok(waited >= 1000 * 2 ** index && waited <= 2000 * 2 ** index, `${index}: ${waited}`)
    assert.ok(clock.slept.length >= 4 && clock.slept.length <= 6, `${clock.slept.length} waits`)
    assert.equal(service.requests.length, clock.slept.length + 1)
    assert.ok(clock.monotonic() <= 60_000)
  })

  test('returns to normal after an answer', async () => {
    const { kds, arm } = await open()
    arm({ status: 503 })
    arm({ reset: 'before' })
    await kds.crl('Genoa')
    assert.equal(clock.slept.length, 2)
    await kds.crl('Genoa')
    assert.equal(clock.slept.length, 2)
    arm({ status: 503 })
    await kds.crl('Genoa')
    assert.ok((clock.slept[2] ?? 0) <= 2000, `${clock.slept[2]}`)
  })
})

describe('the client refuses', () => {
  test('at once if the service does not have the certificate', async () => {
    const { kds, service } = await open()
    const { tcb } = platformOf(genoa)
    await assert.rejects(kds.vcek('Genoa', Buffer.alloc(64, 1), tcb.reported), { code: 'kds.unknown' })
    await assert.rejects(kds.vcek('Genoa', Buffer.alloc(8, 1), tcb.reported), { code: 'kds.unknown' })
    assert.deepEqual(
      service.requests.map((line) => line.slice(0, 3)),
      ['404', '400'],
    )
  })

  for (const [what, body, message] of [
    ['more bytes than a certificate has', 'oversized', /more than 4096 bytes/],
    ['another address', 'redirect', /status 302/],
    ['an answer that does not end', 'stalled', /takes more than 50 ms/],
  ] as const)
    test(what, async () => {
      const { vcek, service, arm } = await open({ exchangeMs: 50 })
      arm({ body, times: 1000 })
      const { signal } = new AbortController()
      await assert.rejects(vcek(signal), { code: 'kds.unavailable', message })
      assert.ok(service.requests.every((line) => line.includes('ucodeSPL')))
    })

  test('a chain that is not PEM', async () => {
    const { kds, arm } = await open()
    arm({ body: 'garbage' })
    await assert.rejects(kds.chain('vcek', 'Genoa'), { code: 'kds.unavailable', message: /two certificates/ })
  })

  test('if nothing listens', async () => {
    const kds = createKds({ url: 'http://127.0.0.1:1', simulation: true, clock })
    await assert.rejects(kds.crl('Genoa'), { code: 'kds.unavailable', message: /ECONNREFUSED/ })
  })

  for (const [url, simulation] of [
    ['http://127.0.0.1:1', false],
    ['http://kds.example', true],
  ] as const)
    test(`${url} is refused ${simulation ? 'in' : 'outside'} a simulation`, () => {
      assert.throws(() => createKds({ url, simulation, clock }), { code: 'config.invalid' })
    })
})

/** A service with one answer to every request. */
async function answering(status: number, headers: Record<string, string>, body: string) {
  const server = createServer((_, response) => response.writeHead(status, headers).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => server.close())
  // A TCP listener's address is never a string.
  const { port } = server.address() as AddressInfo
  return createKds({ url: `http://127.0.0.1:${port}`, simulation: true, clock })
}

test('a chain of three certificates is refused', async () => {
  const block = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
  assert.equal((await (await answering(200, {}, block.repeat(2))).chain('vcek', 'Genoa')).ark.byteLength, 3)
  const kds = await answering(200, {}, block.repeat(3))
  await assert.rejects(kds.chain('vcek', 'Genoa'), { code: 'kds.unavailable' })
})

for (const { value, seconds } of [
  { value: '3000', seconds: 3000 },
  { value: '999999', seconds: 3600 },
])
  test(`Retry-After: ${value} is followed for ${seconds} s`, async () => {
    const kds = await answering(429, { 'retry-after': value }, '')
    await assert.rejects(kds.crl('Genoa'), { message: new RegExp(`asked again in ${seconds} s`) })
    assert.deepEqual(clock.slept, [])
  })

for (const value of ['Wed, 21 Oct 2026 07:28:00 GMT', '-5', '1e9', '', '9999999'])
  test(`Retry-After: "${value}" is ignored`, async () => {
    const kds = await answering(429, { 'retry-after': value }, '')
    await assert.rejects(kds.crl('Genoa'), { code: 'kds.unavailable' })
    assert.ok((clock.slept[0] ?? Number.POSITIVE_INFINITY) <= 2000)
  })

describe('an abort', () => {
  const reason = new Error('drained')

  test('ends a request', async () => {
    const { vcek, arm } = await open()
    arm({ latencyMs: 10_000 })
    const ending = new AbortController()
    const waiting = vcek(ending.signal)
    await delay(20)
    ending.abort(reason)
    await assert.rejects(waiting, reason)
    // The service did not fail.
    await vcek()
    assert.deepEqual(clock.slept, [10_000])
  })

  test('ends a wait for the service', async () => {
    const { service } = await open()
    service.faults.arm({ service: 'kds', status: 503, times: 1 })
    const ending = new AbortController()
    const forever = {
      monotonic: () => 0,
      sleep: (_: number, signal?: AbortSignal) =>
        new Promise<void>((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason))
          ending.abort(reason)
        }),
    }
    const kds = createKds({ url: service.url, simulation: true, clock: forever })
    await assert.rejects(kds.crl('Genoa', ending.signal), reason)
  })

  test('ends a wait for its turn', async () => {
    const { kds, vcek, arm } = await open()
    arm({ latencyMs: 50 })
    const ending = new AbortController()
    let ended = false
    const first = kds.crl('Genoa').then(() => {
      ended = true
    })
    const second = vcek(ending.signal)
    ending.abort(reason)
    await assert.rejects(second, reason)
    assert.equal(ended, false)
    await first
  })
})
