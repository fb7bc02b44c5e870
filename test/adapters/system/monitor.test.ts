import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { Counter } from 'prom-client'
import { createRegistry, startMonitor } from '#adapters/system/monitor.ts'

const registry = createRegistry()
new Counter({ name: 'cw_sample_total', help: 'of this test', registers: [registry] }).inc(3)
const state = { alive: true, ready: false }
const monitor = await startMonitor({ host: '127.0.0.1', port: 0 }, registry, {
  alive: () => state.alive,
  ready: () => state.ready,
})
after(() => monitor.close())

async function ask(path: string, method = 'GET') {
  const response = await fetch(`${monitor.url}${path}`, { method })
  return { status: response.status, body: await response.text(), type: response.headers.get('content-type') }
}

test('metrics are in the text format: ours and those of the process', async () => {
  const { status, body, type } = await ask('/metrics')
  assert.equal(status, 200)
  assert.equal(type, 'text/plain; version=0.0.4; charset=utf-8')
  assert.match(body, /^cw_sample_total 3$/m)
  assert.match(body, /^process_resident_memory_bytes \d+$/m)
})

for (const [alive, ready, healthz, readyz] of [
  [true, false, 200, 503],
  [true, true, 200, 200],
  [false, false, 503, 503],
] as const)
  test(`probes of a process that is ${alive ? '' : 'not '}alive and ${ready ? '' : 'not '}ready`, async () => {
    Object.assign(state, { alive, ready })
    assert.equal((await ask('/healthz')).status, healthz)
    assert.equal((await ask('/readyz')).status, readyz)
    assert.equal((await ask('/healthz')).body, alive ? 'alive\n' : 'not alive\n')
  })

for (const [path, method, status] of [
  ['/', 'GET', 404],
  ['/metrics/', 'GET', 404],
  ['/constructor', 'GET', 404],
  ['/metrics', 'POST', 405],
] as const)
  test(`${method} ${path} is ${status}`, async () => assert.equal((await ask(path, method)).status, status))

test('an address in use is config.invalid', async () => {
  const { port } = new URL(monitor.url)
  const taken = startMonitor({ host: '127.0.0.1', port: Number(port) }, registry, {
    alive: () => true,
    ready: () => true,
  })
  await assert.rejects(taken, {
    code: 'config.invalid',
    message: `monitor: cannot listen on 127.0.0.1:${port}`,
  })
})

test('closing does not wait for a scraper that stays connected', async () => {
  const other = await startMonitor({ host: '127.0.0.1', port: 0 }, registry, {
    alive: () => true,
    ready: () => true,
  })
  const socket = connect(Number(new URL(other.url).port), '127.0.0.1')
  await once(socket, 'connect')
  const closed = once(socket, 'close')
  await other.close()
  await closed
})
