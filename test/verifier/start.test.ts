/** SIGTERM while the Verifier still starts and waits for a service. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentService } from '../silentService.ts'
import { deploy, PROVIDER, verifierLogs, writeTls } from './deployment.ts'
import { runVerifier, says } from './program.ts'

for (const service of ['vaultManagement', 'secrets', 'objectStorage'] as const)
  test(`SIGTERM ends a Verifier that waits for ${service}, in order`, async (t) => {
    const deployment = await deploy(t)
    const silent = await silentService(t)
    const { oci } = deployment.config()
    const endpoints = { ...oci.endpoints, [service]: `http://${silent.address}` }
    const config = deployment.config({ oci: { ...oci, endpoints }, drainSeconds: 3 })
    await writeTls(config, deployment.ca)
    const verifier = runVerifier(t, ['--config', await deployment.write(config)])
    await silent.called
    verifier.kill('SIGTERM')
    assert.equal(await verifier.exit, 0)
    assert.deepEqual(verifier.lines.map(({ msg }) => msg).slice(1), ['stopping', 'stopped'])
  })

test('SIGTERM before the first policy is read closes the registered log', async (t) => {
  const deployment = await deploy(t)
  const faults = `${deployment.emulator.endpoint}/emulator/faults`
  const match = { method: 'GET', path: '/b/governance/' }
  const fault = { service: 'objectstorage', match, latencyMs: 5000, times: 1 }
  await fetch(faults, { method: 'POST', body: JSON.stringify(fault) })
  const config = deployment.config()
  await writeTls(config, deployment.ca)
  const verifier = runVerifier(t, ['--config', await deployment.write(config)])
  while ((await (await fetch(faults)).text()) !== '[]') await new Promise((go) => setTimeout(go, 20))
  verifier.kill('SIGTERM')
  assert.equal(await verifier.exit, 0)
  assert.ok(!verifier.lines.some(says('ready')))
  const auditor = (await deployment.user(PROVIDER, 'auditor')).objectStore()
  const names = await Array.fromAsync(auditor.list(verifierLogs, ''), ({ name }) => name)
  const tiles = names.filter((name) => name.includes('entries'))
  const stored = await Promise.all(tiles.map((name) => auditor.readAll({ ...verifierLogs, name }, 65_536)))
  assert.match(Buffer.concat(stored).toString(), /"log\.closed"/)
})
