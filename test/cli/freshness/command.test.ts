/** `freshness` against the emulator, under the permissions that infra/policies deploys. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { systemClock } from '#adapters/system/clock.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { P384Jwk } from '#core/jwk.ts'
import { keySigner } from '#core/jws.ts'
import { signDocument } from '#core/policy/document.ts'
import { freshnessName, readFreshness } from '#core/policy/freshness.ts'
import { POLICY } from '#core/policy/policy.ts'
import { VERIFIER_KEYS } from '#core/policy/verifierKeys.ts'
import { createEmulatorControl } from '#lab/demo/emulatorControl.ts'
import { providerRoot, signers } from '../../core/evidence/collectionBuilder.ts'
import { p384, policyOf, verifierKeysOf } from '../../core/release/releaseWorld.ts'
import { PROVIDER_NAMESPACE } from '../../lab/emulator/testEmulator.ts'
import { managerOf, startServices } from '../emulatedServices.ts'
import { cli, expectFailure, startCli } from '../process.ts'

const AUDIENCE = 'https://verifier.hospital.example'
const DAY = 86_400

test('it states what the signers have published, and goes on with --every', async (t) => {
  const { emulator, folder, configs } = await startServices(t)
  const { store } = managerOf(t, emulator, 'provider')
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = keySigner(privateKey)
  const keyFile = join(folder, 'freshness.pem')
  await writeFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const config = join(folder, 'freshness.json')
  await writeFile(
    config,
    JSON.stringify({
      trust: { providerRoot, audience: AUDIENCE, simulation: true },
      tenant: 'hospital',
      freshnessKey: { kind: 'file', path: keyFile },
      state: join(folder, 'last.json'),
      oci: configs.oci('freshness'),
      namespace: PROVIDER_NAMESPACE,
      buckets: { governance: 'governance', freshness: 'freshness' },
    }),
  )
  expectFailure(await cli('freshness', '--config', config), 'policy.none', 75)
  expectFailure(await cli('freshness', '--config', config, '--every', '59'), 'usage.invalid', 2)

  const now = systemClock.now()
  const grantCa = { jwk: P384Jwk.parse(keySigner(p384()).jwk), keyId: 'ocid1.key.oc1..ca' }
  const window = { issuedAt: now - 60, audience: AUDIENCE }
  for (const { name, signed } of [
    await signDocument(POLICY, policyOf({ ...window, seq: 1, expiresAt: now + DAY }), signers),
    await signDocument(
      VERIFIER_KEYS,
      verifierKeysOf(grantCa, { ...window, exp: now + DAY, freshnessKey: key.jwk }),
      signers,
    ),
  ])
    await store.create({ namespace: PROVIDER_NAMESPACE, bucket: 'governance', name }, canonicalBytes(signed))

  const keeper = startCli('freshness', '--config', config, '--every', '300', '--json')
  const lines = createInterface(keeper.child.stdout)[Symbol.asyncIterator]()
  const { name, statement } = JSON.parse((await lines.next()).value ?? '')
  assert.equal(name, freshnessName(statement.iat))
  const place = { namespace: PROVIDER_NAMESPACE, bucket: 'freshness', name }
  const stored = (await store.readAll(place, 4096)).toString()
  assert.deepEqual(readFreshness(stored, key.jwk, { tenant: 'hospital', audience: AUDIENCE }), statement)

  // OCI also says 404 to whom it does not know for a moment: at the start that ends it, later it goes on.
  const control = createEmulatorControl(emulator.endpoint)
  const unknown = { status: 404, code: 'NotAuthorizedOrNotFound', times: 1 }
  await control.arm({
    service: 'objectstorage',
    match: { method: 'GET', path: '/b/freshness/o' },
    ...unknown,
  })
  const warnings = createInterface(keeper.child.stderr)[Symbol.asyncIterator]()
  assert.match((await warnings.next()).value ?? '', /^warning: .*\(service\.missing\)$/)
  keeper.child.kill('SIGTERM')
  assert.deepEqual((await keeper.ended).code, 0)
})
