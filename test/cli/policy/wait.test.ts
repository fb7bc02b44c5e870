/** `policy publish` and `revoke` return when a freshness statement names what they published. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { readerOf } from '#adapters/evidence/collection.ts'
import { createFreshnessSigner } from '#adapters/governance/freshness.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { addSeconds } from '#core/time.ts'
import { DEPLOYMENT, freshnessKey } from '../../core/release/releaseWorld.ts'
import { id, PROVIDER_NAMESPACE } from '../../lab/emulator/testEmulator.ts'
import { cli } from '../process.ts'
import { draft, setUp } from './govern.ts'

const place = (bucket: string) => ({ namespace: PROVIDER_NAMESPACE, bucket })

/** A policy is in force, and `state` publishes a statement of a later minute each time. */
async function stated(t: TestContext) {
  const { at, run, write, sign, config, store } = await setUp(t)
  await writeFile(
    at('govern.json'),
    JSON.stringify({ ...config, buckets: { ...config.buckets, freshness: 'freshness' } }),
  )
  await writeFile(at('freshness.jwk'), JSON.stringify(freshnessKey.jwk))
  const keys = ['--grant-ca', id('key', 'grant-ca'), '--freshness-key', at('freshness.jwk')]
  await run('policy', 'verifier-keys', ...keys, '--out', at('keys.json'))
  const both = [at('ada.pem'), at('ben')]
  await run('policy', 'publish', await sign(at('keys.json'), ...both), '--wait', '0')
  await run('policy', 'publish', await sign(await write('p1.json', draft()), ...both), '--wait', '0')
  let minutes = 0
  const signer = await createFreshnessSigner({
    store,
    governance: readerOf(store, place('governance')),
    bucket: place('freshness'),
    pin: { root: config.trust.providerRoot, deployment: DEPLOYMENT },
    signer: freshnessKey,
    state: at('stated.json'),
    clock: { now: () => addSeconds(systemClock.now(), 60 * minutes) },
    ignored: () => {},
    expectTrueClock: () => {},
  })
  const state = async () => {
    minutes += 1
    assert.ok(await signer.state(() => true))
  }
  const has = async (name: RegExp) => {
    const names = await Array.fromAsync(store.list(place('governance'), ''), (object) => object.name)
    return names.some((one) => name.test(one))
  }
  const withConfig = ['--config', at('govern.json'), '--json']
  return { at, write, sign, both, state, has, withConfig }
}

test('a document is published when a statement names it', async (t) => {
  const { at, write, sign, both, state, has, withConfig } = await stated(t)
  await state()
  const second = await sign(await write('p2.json', draft({ seq: 2 })), ...both)
  for (const { name, command } of [
    { name: /^policy\/000000002-/, command: ['policy', 'publish', second] },
    { name: /^revocation\//, command: ['revoke', '--permission', 'one', '--key', at('ada.pem'), '--yes'] },
  ]) {
    let returned = false
    const running = cli(...command, '--wait', '120', ...withConfig).finally(() => {
      returned = true
    })
    while (!(await has(name))) await systemClock.sleep(50)
    // Published, and the statement is an older one.
    assert.equal(returned, false)
    await state()
    const { code, stdout, stderr } = await running
    assert.equal(code, 0, stderr)
    assert.deepEqual([JSON.parse(stdout).stated, stderr], [true, ''])
  }
})

test('a document that no statement names in time is published, and that is said', async (t) => {
  const { at, state, withConfig } = await stated(t)
  await state()
  const began = systemClock.monotonic()
  const revoke = ['revoke', '--permission', 'one', '--key', at('ada.pem'), '--yes', '--wait', '2']
  const { code, stdout, stderr } = await cli(...revoke, ...withConfig)
  assert.ok(systemClock.monotonic() - began >= 2000)
  assert.equal(code, 0, stderr)
  assert.equal(JSON.parse(stdout).stated, false)
  assert.match(stderr, /no freshness statement names it yet: see that "freshness --every" runs/)
})
