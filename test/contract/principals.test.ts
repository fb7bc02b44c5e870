/** Each kind of principal signs requests that the emulator accepts, and renews its token. */
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createOci } from '#adapters/oci/clients.ts'
import { OciConfig, type PrincipalConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'
import type { EmulatorConfig } from '#lab/emulator/config.ts'
import { startEmulator } from '#lab/emulator/emulator.ts'
import { fingerprintOf } from '#lab/emulator/identity/principals.ts'
import { contractWorld, RESOURCES, TENANCY } from './subject.ts'

const FUNCTION = 'ocid1.fnfunc.oc1..function'
const USER = 'ocid1.user.oc1..user'
const GROUP = 'ocid1.group.oc1..people'
const api = generateKeyPairSync('rsa', { modulusLength: 2048 })

function pemOf(key: KeyObject, type: 'spki' | 'pkcs8'): string {
  return key.export({ type, format: 'pem' } as never).toString()
}

/** Adds a function and a person to the instances. All may read the secret. Tokens last a minute. */
function world(): EmulatorConfig {
  return contractWorld((world) => {
    world.sessionSeconds = 60
    const identity = { name: 'function', compartmentId: TENANCY }
    world.functions.push({ id: FUNCTION, ...identity, socket: '/nonexistent.sock', timeoutSeconds: 30 })
    for (const group of world.dynamicGroups)
      group.rule = `ANY {instance.compartment.id = '${TENANCY}', resource.compartment.id = '${TENANCY}'}`
    world.groups.push({ id: GROUP, name: 'people', tenancyId: TENANCY })
    const apiKeys = [pemOf(api.publicKey, 'spki')]
    world.users.push({ id: USER, name: 'user', tenancyId: TENANCY, groups: [GROUP], apiKeys })
    for (const policy of world.policies)
      policy.statements += 'Allow group people to {SECRET_BUNDLE_READ} in tenancy\n'
  })
}

async function open(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'cw-principals-'))
  const time = { offset: 0 }
  const emulator = await startEmulator({
    config: world(),
    folder,
    now: () => Date.now() + time.offset,
    onFault: assert.ifError,
  })
  t.after(async () => {
    await emulator.close()
    await rm(folder, { recursive: true, force: true })
  })
  const connect = (principal: PrincipalConfig) => {
    const clock = { ...systemClock, monotonic: () => 0, sleep: async () => {} }
    const config = OciConfig.parse({ principal, endpoints: { secrets: emulator.endpoint } })
    const oci = createOci(config, { allowPlainHttp: true, clock })
    t.after(() => oci.close())
    return oci.secretStore()
  }
  return { emulator, folder, time, connect }
}

test('an instance reads, and reads again after its token has expired', async (t) => {
  const { emulator, time, connect } = await open(t)
  const [metadataUrl] = Object.values(emulator.imds)
  const store = connect({ kind: 'instance', metadataUrl, federationUrl: emulator.endpoint })
  const secret = await store.read(RESOURCES.secret)
  // Only the service's clock moves: the client considers the token valid, and the service refuses it.
  time.offset = 61_000
  assert.deepEqual(await store.read(RESOURCES.secret), secret)
})

test('an instance without its metadata service is unavailable', async (t) => {
  const { emulator, connect } = await open(t)
  const store = connect({
    kind: 'instance',
    metadataUrl: 'http://127.0.0.1:1/opc/v2',
    federationUrl: emulator.endpoint,
  })
  await assert.rejects(store.read(RESOURCES.secret), { code: 'service.unavailable' })
})

test('a function reads by its resource principal', async (t) => {
  const { emulator, connect } = await open(t)
  const files = emulator.functions[FUNCTION]
  assert.ok(files)
  const variables = {
    OCI_RESOURCE_PRINCIPAL_VERSION: '2.2',
    OCI_RESOURCE_PRINCIPAL_RPST: files.rpst,
    OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM: files.privatePem,
    OCI_RESOURCE_PRINCIPAL_REGION: 'eu-frankfurt-1',
  }
  for (const name of Object.keys(variables)) delete process.env[name]
  assert.throws(() => connect({ kind: 'resource' }), { code: 'config.invalid' })
  Object.assign(process.env, variables)
  t.after(() => {
    for (const name of Object.keys(variables)) delete process.env[name]
  })
  assert.equal((await connect({ kind: 'resource' }).read(RESOURCES.secret)).content.byteLength, 32)
})

test('a person reads by the OCI config file', async (t) => {
  const { folder, connect } = await open(t)
  const keyFile = join(folder, 'api.pem')
  await writeFile(keyFile, pemOf(api.privateKey, 'pkcs8'))
  const path = join(folder, 'config')
  const lines = [
    '[HOSPITAL]',
    `user=${USER}`,
    `fingerprint=${fingerprintOf(api.publicKey)}`,
    `tenancy=${TENANCY}`,
    'region=eu-frankfurt-1',
    `key_file=${keyFile}`,
  ]
  await writeFile(path, `${lines.join('\n')}\n`)
  const store = connect({ kind: 'config-file', path, profile: 'HOSPITAL' })
  assert.equal((await store.read(RESOURCES.secret)).content.byteLength, 32)
  assert.throws(() => connect({ kind: 'config-file', path, profile: 'OTHER' }), { code: 'config.invalid' })
})

test('a person who signs with another key is denied', async (t) => {
  const { folder, connect } = await open(t)
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const keyFile = join(folder, 'api.pem')
  await writeFile(keyFile, pemOf(stranger.privateKey, 'pkcs8'))
  const path = join(folder, 'config')
  const config = `[X]\nuser=${USER}\nfingerprint=${fingerprintOf(api.publicKey)}\ntenancy=${TENANCY}\nregion=eu-frankfurt-1\nkey_file=${keyFile}\n`
  await writeFile(path, config)
  const store = connect({ kind: 'config-file', path, profile: 'X' })
  await assert.rejects(store.read(RESOURCES.secret), { code: 'service.denied' })
})
