/** The life of a certificate by the commands alone: request, issue, mutual TLS, renew, revoke, refused. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { copyFile, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createReleaseService } from '#adapters/http/releaseService.ts'
import type { ErrorCode } from '#core/errors.ts'
import { id, temporaryFolder } from '../../lab/emulator/testEmulator.ts'
import { deploy } from '../../verifier/deployment.ts'
import { runVerifier, says } from '../../verifier/program.ts'
import { startServices } from '../emulatedServices.ts'
import { cli, expectFailure } from '../process.ts'

async function run(...parameters: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await cli('enrol', ...parameters, '--json')
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

async function refused(code: ErrorCode, exit: number, ...parameters: readonly string[]): Promise<void> {
  expectFailure(await cli('enrol', ...parameters), code, exit)
}

test('request, issue, meet, renew, revoke: the revoked worker meets no Verifier any more', async (t) => {
  const { configs } = await startServices(t)
  const folder = await temporaryFolder(t)
  const at = (name: string) => join(folder, name)
  const oci = configs.oci('enroller')
  const small = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' })
  await writeFile(at('small.key'), small)
  const keys = {
    workers: { key: { kind: 'vault', keyId: id('key', 'workers-ca') }, oci },
    verifiers: { key: { kind: 'file', path: at('small.key') } },
  }
  for (const [name, key] of Object.entries(keys))
    await writeFile(at(`${name}.json`), JSON.stringify({ folder: at(name), ...key, simulation: true }))
  const [workers, verifiers] = [
    ['--config', at('workers.json')],
    ['--config', at('verifiers.json')],
  ]

  await refused('config.invalid', 78, 'list', ...workers)
  await run('authority', ...workers, '--name', 'Hospital: workers', '--for', 'workers')
  await run('authority', ...verifiers, '--name', 'Hospital: Verifiers', '--for', 'verifiers', '--days', '100')

  const request = (name: string) =>
    run('request', '--name', name, '--key', at(`${name}.key`), '--out', at(`${name}.csr`))
  const printed = JSON.stringify(await request('worker-1'))
  const secret = (await readFile(at('worker-1.key'), 'utf8')).split('\n')[1] ?? ''
  assert.equal((await stat(at('worker-1.key'))).mode & 0o777, 0o600)
  assert.ok(secret.length > 40 && !printed.includes(secret))
  await request('verifier')
  const issue = (name: string, authority: readonly string[], ...rest: readonly string[]) =>
    run('issue', at(`${name}.csr`), ...authority, '--name', name, '--out', at(`${name}.pem`), ...rest)
  await issue('worker-1', workers)
  await issue('verifier', verifiers, '--ip', '127.0.0.1')
  await refused('usage.invalid', 2, 'issue', at('worker-1.csr'), ...workers, '--name', 'A B')

  const deployment = await deploy(t)
  const base = deployment.config()
  const config = {
    ...base,
    tls: {
      clientCertificates: 'required',
      cert: at('verifier.pem'),
      key: at('verifier.key'),
      clientCa: join(at('workers'), 'authority.pem'),
      clientCrl: at('client-crl.pem'),
    },
  }
  await copyFile(join(at('workers'), 'crl.pem'), config.tls.clientCrl)
  const verifier = runVerifier(t, ['--config', await deployment.write(config)])
  const { url } = await verifier.line(says('ready'))
  const meet = async (cert: string, key: string) => {
    const text = (file: string) => readFile(file, 'utf8')
    const tls = {
      ca: await text(join(at('verifiers'), 'authority.pem')),
      crl: [await text(join(at('verifiers'), 'crl.pem'))],
      cert: await text(cert),
      key: await text(key),
    }
    const service = createReleaseService({ url: String(url), tls: () => tls, timeoutMs: 5000 })
    try {
      return await service.challenge()
    } finally {
      service.close()
    }
  }
  assert.ok(await meet(at('worker-1.pem'), at('worker-1.key')))

  await request('worker-1b')
  const first = new X509Certificate(await readFile(at('worker-1.pem')))
  const renewed = await run(
    'renew',
    at('worker-1.pem'),
    ...workers,
    '--request',
    at('worker-1b.csr'),
    '--out',
    at('worker-1b.pem'),
  )
  assert.deepEqual([renewed['name'], renewed['renews']], ['worker-1', first.serialNumber.toLowerCase()])
  const again = new X509Certificate(await readFile(at('worker-1b.pem')))
  assert.equal(again.subject, first.subject)
  assert.ok(!again.publicKey.equals(first.publicKey))
  await run('renew', at('worker-1b.pem'), ...workers, '--out', at('same.pem'))
  assert.ok(new X509Certificate(await readFile(at('same.pem'))).publicKey.equals(again.publicKey))
  assert.ok(await meet(at('worker-1b.pem'), at('worker-1b.key')))

  const revocation = await run('revoke', at('worker-1.pem'), ...workers, '--reason', 'key-compromise')
  assert.equal(revocation['number'], 2)
  assert.ok(await meet(at('worker-1.pem'), at('worker-1.key')), 'the list has not come yet')
  await copyFile(join(at('workers'), 'crl.pem'), config.tls.clientCrl)
  verifier.kill('SIGHUP')
  await verifier.line(says('TLS files in use'))
  await assert.rejects(meet(at('worker-1.pem'), at('worker-1.key')), { code: 'verifier.unavailable' })
  await verifier.line(says('TLS refused', { reason: 'revoked-certificate' }))
  assert.ok(await meet(at('worker-1b.pem'), at('worker-1b.key')))

  await refused('enrolment.revoked', 1, 'renew', at('worker-1.pem'), ...workers, '--out', at('none.pem'))
  const compromised = ['issue', at('worker-1.csr'), ...workers, '--name', 'x', '--out', at('none.pem')]
  await refused('enrolment.revoked', 1, ...compromised)
  await refused('enrolment.unknown', 1, 'revoke', at('verifier.pem'), ...workers)
  assert.equal((await run('revoke', at('worker-1.pem'), ...workers))['reason'], 'key-compromise')
  assert.equal((await run('crl', ...workers, '--crl-days', '2'))['number'], 4)

  const listed = await cli('enrol', 'list', ...workers, '--json')
  const states = listed.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(states.map(({ state }) => state).sort(), ['current', 'renewed', 'revoked'])
  assert.ok(!listed.stdout.includes('BEGIN'))
  const ending = await cli('enrol', 'list', ...workers, '--ending', '91')
  assert.equal(ending.code, 1)
  assert.match(ending.stdout, /^worker-1 +[0-9a-f]{32} +current +\S+ +89 days$/m)

  await writeFile(
    at('small.key'),
    generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }),
  )
  await refused('config.invalid', 78, 'crl', ...verifiers)
})
