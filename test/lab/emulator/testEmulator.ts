/**
 * Emulators for tests, over two tenancies as infra/ deploys them: the real policy files with readable OCIDs.
 */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmulatorConfig, parseEmulatorConfig } from '#lab/emulator/config.ts'
import { type Emulator, startEmulator } from '#lab/emulator/emulator.ts'

export const REGION = 'eu-frankfurt-1'
export const PROVIDER = 'ocid1.tenancy.oc1..provider'
export const CONSUMER = 'ocid1.tenancy.oc1..consumer'
export const PROVIDER_NAMESPACE = 'hospital'
export const CONSUMER_NAMESPACE = 'research'

/** `id('key', 'dataset')` is `ocid1.key.oc1.eu-frankfurt-1.dataset`. */
export function id(kind: string, name: string): string {
  return `ocid1.${kind}.oc1.${REGION}.${name}`
}

/** All users share one API key pair, because RSA keys are slow to make. The key id tells the users apart. */
export const apiKey: { readonly publicKey: KeyObject; readonly privateKey: KeyObject } = generateKeyPairSync(
  'rsa',
  {
    modulusLength: 2048,
  },
)

function policyText(name: string): string {
  return readFileSync(new URL(`../../../infra/policies/${name}.policy`, import.meta.url), 'utf8')
}

const AES = { algorithm: 'AES', length: 32 } as const
const P384 = { algorithm: 'ECDSA', curve: 'NIST_P384' } as const
const RSA = { algorithm: 'RSA', length: 256 } as const

/** `change` can alter the configuration before it is checked. */
export function testConfig(
  options: { readonly socket?: string; readonly change?: (config: EmulatorConfig) => void } = {},
): EmulatorConfig {
  const place = (tenancyId: string, ...names: readonly string[]) =>
    names.map((name) => ({ id: compartment(tenancyId, name), name, tenancyId }))
  const group = (tenancyId: string, name: string) => ({ id: id('group', name), name, tenancyId })
  const user = (tenancyId: string, name: string, of: string) => ({
    id: id('user', name),
    name,
    tenancyId,
    groups: [id('group', of)],
    apiKeys: [apiKey.publicKey.export({ type: 'spki', format: 'pem' }).toString()],
  })
  const bucket = (
    tenancyId: string,
    place: string,
    name: string,
    retentionSeconds = 0,
    objectEvents = false,
  ) => ({
    id: id('bucket', name),
    name,
    compartmentId: compartment(tenancyId, place),
    objectEvents,
    retentionSeconds,
  })
  const key = (tenancyId: string, name: string, shape: typeof AES | typeof P384 | typeof RSA) => ({
    id: id('key', name),
    name,
    vaultId: id('vault', tenancyId === PROVIDER ? 'provider' : 'consumer'),
    compartmentId: compartment(tenancyId, 'vault'),
    shape,
  })
  const instance = (tenancyId: string, place: string, name: string) => ({
    id: id('instance', name),
    name,
    compartmentId: compartment(tenancyId, place),
    imdsPort: 0,
  })
  const stream = (name: string, partitions: number) => ({
    id: id('stream', name),
    name,
    compartmentId: compartment(CONSUMER, 'pipeline'),
    partitions,
    retentionSeconds: 86_400,
  })
  const day = 86_400
  const config: EmulatorConfig = {
    v: 1,
    region: REGION,
    sessionSeconds: 1200,
    port: 0,
    tenancies: [
      { id: PROVIDER, name: 'provider', namespace: PROVIDER_NAMESPACE },
      { id: CONSUMER, name: 'consumer', namespace: CONSUMER_NAMESPACE },
    ],
    compartments: [
      ...place(PROVIDER, 'data', 'trust', 'vault', 'verifier'),
      ...place(CONSUMER, 'pipeline', 'results', 'vault', 'workers'),
    ],
    groups: [
      ...['sealing', 'governance', 'privacy', 'freshness', 'enrolment', 'auditors'].map((name) =>
        group(PROVIDER, name),
      ),
      group(CONSUMER, 'researchers'),
      group(CONSUMER, 'operators'),
    ],
    users: [
      user(PROVIDER, 'sealer', 'sealing'),
      user(PROVIDER, 'governor', 'governance'),
      user(PROVIDER, 'privacy', 'privacy'),
      user(PROVIDER, 'freshness', 'freshness'),
      user(PROVIDER, 'enroller', 'enrolment'),
      user(PROVIDER, 'auditor', 'auditors'),
      user(CONSUMER, 'researcher', 'researchers'),
      user(CONSUMER, 'operator', 'operators'),
    ],
    dynamicGroups: [
      {
        ...group(PROVIDER, 'verifier'),
        id: id('dynamicgroup', 'verifier'),
        rule: `ALL {instance.id = '${id('instance', 'verifier')}'}`,
      },
      {
        ...group(CONSUMER, 'workers'),
        id: id('dynamicgroup', 'workers'),
        rule: `ALL {instance.compartment.id = '${compartment(CONSUMER, 'workers')}'}`,
      },
      {
        ...group(CONSUMER, 'ingest'),
        id: id('dynamicgroup', 'ingest'),
        rule: `ALL {resource.type = 'fnfunc', resource.compartment.id = '${compartment(CONSUMER, 'pipeline')}'}`,
      },
    ],
    instances: [
      instance(PROVIDER, 'verifier', 'verifier'),
      instance(CONSUMER, 'workers', 'worker-1'),
      instance(CONSUMER, 'workers', 'worker-2'),
    ],
    guests: [],
    functions: [
      {
        id: id('fnfunc', 'ingest'),
        name: 'ingest',
        compartmentId: compartment(CONSUMER, 'pipeline'),
        socket: options.socket ?? '/nonexistent/lsnr.sock',
        timeoutSeconds: 30,
      },
    ],
    buckets: [
      bucket(PROVIDER, 'data', 'outbox', 0, true),
      bucket(PROVIDER, 'trust', 'governance', day),
      bucket(PROVIDER, 'trust', 'evidence-verifier', day),
      bucket(PROVIDER, 'trust', 'evidence-worker', day),
      bucket(PROVIDER, 'trust', 'freshness'),
      bucket(PROVIDER, 'trust', 'verifier-state'),
      bucket(CONSUMER, 'results', 'results', day),
      bucket(CONSUMER, 'pipeline', 'worker-state'),
      bucket(CONSUMER, 'pipeline', 'ingest', day),
    ],
    vaults: [
      { id: id('vault', 'provider'), name: 'provider', compartmentId: compartment(PROVIDER, 'vault') },
      { id: id('vault', 'consumer'), name: 'consumer', compartmentId: compartment(CONSUMER, 'vault') },
    ],
    keys: [
      key(PROVIDER, 'dataset', AES),
      key(PROVIDER, 'identity', AES),
      key(PROVIDER, 'consent', AES),
      key(PROVIDER, 'sealing', P384),
      key(PROVIDER, 'grant-ca', P384),
      key(PROVIDER, 'workers-ca', P384),
      key(PROVIDER, 'verifiers-ca', P384),
      key(CONSUMER, 'client', P384),
      key(CONSUMER, 'result', RSA),
    ],
    secrets: [
      {
        id: id('vaultsecret', 'nonce-mac'),
        name: 'nonce-mac',
        vaultId: id('vault', 'provider'),
        compartmentId: compartment(PROVIDER, 'vault'),
      },
    ],
    streams: [stream('jobs', 4), stream('dead-letters', 1)],
    eventRules: [
      {
        id: id('eventrule', 'outbox'),
        name: 'outbox',
        compartmentId: compartment(PROVIDER, 'data'),
        condition: {
          eventType: ['com.oraclecloud.objectstorage.createobject'],
          data: { additionalDetails: { bucketName: ['outbox'] } },
        },
        functionId: id('fnfunc', 'ingest'),
      },
    ],
    policies: [
      {
        name: 'provider',
        tenancyId: PROVIDER,
        statements: policyText('provider'),
        variables: {
          consumer_tenancy: CONSUMER,
          workers_group: id('dynamicgroup', 'workers'),
          ingest_group: id('dynamicgroup', 'ingest'),
          researchers_group: id('group', 'researchers'),
          dataset_key: id('key', 'dataset'),
          id_key: id('key', 'identity'),
          consent_key: id('key', 'consent'),
          sealing_key: id('key', 'sealing'),
          grant_ca_key: id('key', 'grant-ca'),
          workers_ca_key: id('key', 'workers-ca'),
          verifiers_ca_key: id('key', 'verifiers-ca'),
          mac_secret: id('vaultsecret', 'nonce-mac'),
        },
      },
      {
        name: 'consumer',
        tenancyId: CONSUMER,
        statements: policyText('consumer'),
        variables: {
          provider_tenancy: PROVIDER,
          auditors_group: id('group', 'auditors'),
          jobs_stream: id('stream', 'jobs'),
          dead_letter_stream: id('stream', 'dead-letters'),
          client_key: id('key', 'client'),
          result_key: id('key', 'result'),
        },
      },
    ],
  }
  options.change?.(config)
  return parseEmulatorConfig(config)
}

export function compartment(tenancyId: string, name: string): string {
  return id('compartment', `${tenancyId === PROVIDER ? 'provider' : 'consumer'}-${name}`)
}

/**
 * The state of an emulator after its first start. Its keys take a while to make, so tests share copies of it.
 */
let untouched: Promise<string> | undefined

async function makeUntouched(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cw-emulator-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const emulator = await startEmulator({ config: testConfig(), folder, now: Date.now, onFault: () => {} })
  await emulator.close()
  // Other emulators run at the same time, so each needs its own ports.
  await rm(join(folder, 'ports.json'))
  return folder
}

/** A folder that is removed after the test. */
/** A test, or another owner of what must end with it. */
export type Teardown = { readonly after: (end: () => unknown) => void }

export async function temporaryFolder(t: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cw-emulator-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** An emulator in this process that ends with the test. The test fails if the emulator itself had a fault. */
export async function emulatorFor(
  t: Teardown,
  config: EmulatorConfig,
  options: { readonly folder?: string; readonly now?: () => number } = {},
): Promise<Emulator> {
  const faults: unknown[] = []
  untouched ??= makeUntouched()
  const folder = options.folder ?? (await temporaryFolder(t))
  if ((await readdir(folder)).length === 0) await cp(await untouched, folder, { recursive: true })
  const emulator = await startEmulator({
    config,
    folder,
    now: options.now ?? (() => Date.now()),
    onFault: (error) => faults.push(error),
  })
  t.after(async () => {
    await emulator.close()
    if (faults.length > 0) throw new AggregateError(faults, 'the emulator failed')
  })
  return emulator
}

/** Arms a fault through the control endpoint, or with undefined ends all. Returns the status of the answer. */
export async function armFault(
  { endpoint }: Pick<Emulator, 'endpoint'>,
  fault: object | undefined,
): Promise<number> {
  const init = fault === undefined ? { method: 'DELETE' } : { method: 'POST', body: JSON.stringify(fault) }
  const response = await fetch(`${endpoint}/emulator/faults`, init)
  await response.arrayBuffer()
  return response.status
}
