/** The probes against the emulator, under infra/policies: each tells a permission, and changes nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOci } from '#adapters/oci/clients.ts'
import { OciConfig } from '#adapters/oci/config.ts'
import type { Probes } from '#adapters/oci/probe.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { codeOf } from '#core/errors.ts'
import { managerOf, startServices } from '../../cli/emulatedServices.ts'
import { id, PROVIDER_NAMESPACE } from '../../lab/emulator/testEmulator.ts'

const at = (bucket: string, name: string) => ({ namespace: PROVIDER_NAMESPACE, bucket, name })

const ROWS: readonly (readonly [
  string,
  'sealer' | 'auditor',
  (probes: Probes) => Promise<boolean>,
  boolean,
])[] = [
  ['reads the outbox', 'sealer', (p) => p.mayRead(at('outbox', 'none')), true],
  ['reads a policy', 'sealer', (p) => p.mayRead(at('governance', 'policy/none')), false],
  ['reads a policy', 'auditor', (p) => p.mayRead(at('governance', 'policy/none')), true],
  ['creates in the outbox', 'sealer', (p) => p.mayWrite(at('outbox', 'none')), true],
  ['creates in the outbox', 'auditor', (p) => p.mayWrite(at('outbox', 'none')), false],
  ['creates a seal record', 'sealer', (p) => p.mayWrite(at('governance', 'seal/none')), true],
  ['creates a policy', 'sealer', (p) => p.mayWrite(at('governance', 'policy/none')), false],
  ['overwrites an object', 'sealer', (p) => p.mayWrite(at('outbox', 'there')), true],
  ['overwrites a record', 'sealer', (p) => p.mayWrite(at('governance', 'seal/there')), false],
  ['deletes an object', 'sealer', (p) => p.mayDelete(at('outbox', 'none')), false],
  ['uses a bucket that is not there', 'sealer', (p) => p.mayWrite(at('nowhere', 'none')), false],
  ['wraps a data key', 'sealer', (p) => p.mayEncrypt(id('key', 'dataset')), true],
  ['wraps a data key', 'auditor', (p) => p.mayEncrypt(id('key', 'dataset')), false],
  ['unwraps a data key', 'sealer', (p) => p.mayDecrypt(id('key', 'dataset')), false],
  ['reads the jobs', 'sealer', (p) => p.mayConsume(id('stream', 'jobs')), false],
]

test('each probe tells a permission and changes nothing', async (t) => {
  const { emulator, configs } = await startServices(t)
  const { store } = managerOf(t, emulator, 'provider')
  const there = [at('outbox', 'there'), at('governance', 'seal/there')]
  for (const object of there) await store.create(object, Buffer.from('as it was'))
  const before = await Promise.all(there.map((object) => store.head(object)))
  const services = (user: 'sealer' | 'auditor') => {
    const config = OciConfig.parse(configs.oci(user))
    const endpoints = { ...config.endpoints, streaming: emulator.endpoint }
    const oci = createOci({ ...config, endpoints }, { allowPlainHttp: true, clock: systemClock })
    t.after(() => oci.close())
    return oci.probes()
  }
  const probes = { sealer: services('sealer'), auditor: services('auditor') }
  for (const [what, user, ask, expected] of ROWS)
    assert.equal(await ask(probes[user]), expected, `${user} ${what}`)

  assert.deepEqual(await probes.sealer.keyShape(id('key', 'dataset')), {
    algorithm: 'AES',
    bits: 256,
    enabled: true,
  })
  await assert.rejects(
    probes.auditor.keyShape(id('key', 'dataset')),
    (error) => codeOf(error) === 'service.missing',
  )
  assert.deepEqual(await Promise.all(there.map((object) => store.head(object))), before)
  for (const bucket of ['outbox', 'governance']) {
    const names: string[] = []
    for await (const { name } of store.list({ namespace: PROVIDER_NAMESPACE, bucket }, '')) names.push(name)
    assert.equal(names.length, 1, `${bucket}: ${names.join()}`)
  }
})
