/** Three persons of a provider root before an emulated bucket: two with files, one with a key in the Vault. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { readerOf } from '#adapters/evidence/collection.ts'
import { readPrivateKey } from '#adapters/system/privateKey.ts'
import type { GovernConfig } from '#cli/config.ts'
import type { ErrorCode } from '#core/errors.ts'
import { exportJwk } from '#core/jwk.ts'
import { GovernanceBucket } from '#core/policy/bucket.ts'
import { governanceInForce } from '#core/policy/inForce.ts'
import type { Policy } from '#core/policy/policy.ts'
import { toUnixSeconds } from '#core/time.ts'
import { DEPLOYMENT, datasetOf, permissionOf, policyOf } from '../../core/release/releaseWorld.ts'
import { id, PROVIDER_NAMESPACE } from '../../lab/emulator/testEmulator.ts'
import { managerOf, startServices } from '../emulatedServices.ts'
import { cli, expectFailure } from '../process.ts'

export const DAY = 86_400
export const now = Math.floor(Date.now() / 1000)
export const hasSsh = spawnSync('ssh-keygen', ['-?']).error === undefined
const BUCKETS = { governance: 'governance' }

/** A policy of now: only its number and permissions differ from test to test. */
export function draft(changes: Partial<Policy> = {}): Policy {
  const window = { notBefore: now - DAY, notAfter: now + DAY }
  const permissions = [permissionOf({ id: 'one', ...window }), permissionOf({ id: 'two', ...window })]
  return policyOf({
    seq: 1,
    issuedAt: now - 60,
    expiresAt: now + 30 * DAY,
    datasets: [datasetOf({ permissions })],
    ...changes,
  })
}

export async function setUp(t: TestContext) {
  const { configs, emulator, folder } = await startServices(t)
  const at = (name: string) => join(folder, name)
  const keys = Object.fromEntries(
    ['ada', 'eve', 'spare'].map((name) => [name, generateKeyPairSync('ed25519').privateKey]),
  )
  for (const [name, key] of Object.entries(keys))
    await writeFile(at(`${name}.pem`), key.export({ format: 'pem', type: 'pkcs8' }))
  if (hasSsh) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'ben', '-f', at('ben')])
  else await copyFile(at('spare.pem'), at('ben'))
  const jwkOf = (key: KeyObject | undefined) => {
    assert.ok(key)
    return exportJwk(key)
  }
  const manager = managerOf(t, emulator, 'provider')
  const vaultKey = (await manager.vault.publicKey(id('key', 'sealing'))).key
  const root = {
    keys: [
      { person: 'ada', jwk: jwkOf(keys['ada']) },
      { person: 'ben', jwk: jwkOf(await readPrivateKey(at('ben'))) },
      { person: 'cai', jwk: jwkOf(vaultKey) },
    ],
    threshold: 2,
  } as GovernConfig['trust']['providerRoot']
  const { oci } = JSON.parse(await readFile(configs.seal, 'utf8'))
  const config = {
    trust: { providerRoot: root, audience: DEPLOYMENT.audience, simulation: true },
    tenant: DEPLOYMENT.tenant,
    oci: { ...oci, principal: { ...oci.principal, profile: 'governor' } },
    namespace: PROVIDER_NAMESPACE,
    buckets: BUCKETS,
  }
  await writeFile(at('govern.json'), JSON.stringify(config))
  const withConfig = ['--config', at('govern.json')]
  const run = async (...parameters: readonly string[]) => {
    const outcome = await cli(...parameters, ...withConfig, '--json')
    assert.equal(outcome.code, 0, outcome.stderr)
    return JSON.parse(outcome.stdout)
  }
  const refused = async (code: ErrorCode, exit: number, ...parameters: readonly string[]) =>
    expectFailure(await cli(...parameters, ...withConfig, '--json'), code, exit)
  const write = async (name: string, value: object) => {
    await writeFile(at(name), JSON.stringify(value))
    return at(name)
  }
  const inForce = async () => {
    const place = { namespace: PROVIDER_NAMESPACE, bucket: 'governance' }
    const bucket = new GovernanceBucket(readerOf(manager.store, place), root)
    await bucket.refresh()
    return governanceInForce(
      bucket.candidates,
      { root, deployment: DEPLOYMENT },
      toUnixSeconds(Math.floor(Date.now() / 1000)),
    )
  }
  /** Signed by these keys, in a file. */
  const sign = async (file: string, ...keys: readonly string[]) => {
    let signed = file
    for (const key of keys) signed = (await run('policy', 'sign', signed, '--key', key, '--yes')).file
    return signed
  }
  const publish = async (file: string, ...keys: readonly string[]) =>
    run('policy', 'publish', await sign(file, ...keys))
  return { at, run, refused, write, inForce, sign, publish, folder, config, withConfig, store: manager.store }
}
