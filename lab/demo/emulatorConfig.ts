/**
 * The emulator's configuration for the demo: the tenancies of a hospital and of a research organisation,
 * under the policies and the event rule that infra/ deploys. The emulator checks it when it starts.
 */
import { readFile } from 'node:fs/promises'
import {
  CONSUMER,
  compartmentOf,
  FUNCTION,
  KEYS,
  MAC_SECRET,
  ocidOf,
  PROVIDER,
  REGION,
  STREAMS,
  type Tenancy,
  USERS,
  type UserName,
} from './names.ts'

export type GuestOptions = {
  readonly name: string
  readonly socketPath: string
  readonly platform: { readonly measurement: string; readonly guestPolicy?: { readonly debug: boolean } }
}

export type EmulatorConfigOptions = {
  /** The public API key of each user, in PEM. */
  readonly apiKeys: Readonly<Record<UserName, string>>
  /** Confidential VMs of the research organisation. Each gets a metadata service and simulated firmware. */
  readonly guests: readonly GuestOptions[]
  readonly functionSocket: string
  readonly partitions: number
  readonly sessionSeconds: number
}

const DAY_SECONDS = 86_400
const AES = { algorithm: 'AES', length: 32 } as const
const P384 = { algorithm: 'ECDSA', curve: 'NIST_P384' } as const
const RSA = { algorithm: 'RSA', length: 256 } as const

export async function emulatorConfigOf(
  options: EmulatorConfigOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const { apiKeys, guests, functionSocket, partitions, sessionSeconds } = options
  const [providerPolicy, consumerPolicy] = await Promise.all(
    ['provider', 'consumer'].map((name) => readInfra(`policies/${name}.policy`)),
  )
  return {
    v: 1,
    region: REGION,
    sessionSeconds,
    port: 0,
    tenancies: [PROVIDER, CONSUMER].map(({ tenancy, namespace }) => ({
      id: tenancy,
      name: namespace,
      namespace,
    })),
    compartments: [
      ...compartments(PROVIDER, 'data', 'trust', 'vault', 'verifier'),
      ...compartments(CONSUMER, 'pipeline', 'results', 'vault', 'workers'),
    ],
    groups: Object.values(USERS).map(({ tenancy, group }) => ({
      id: ocidOf('group', group),
      name: group,
      tenancyId: tenancy.tenancy,
    })),
    users: Object.entries(USERS).map(([name, { tenancy, group }]) => ({
      id: ocidOf('user', name),
      name,
      tenancyId: tenancy.tenancy,
      groups: [ocidOf('group', group)],
      // Object.entries forgets that the keys of USERS are user names.
      apiKeys: [apiKeys[name as UserName]],
    })),
    dynamicGroups: [
      dynamicGroup(PROVIDER, 'verifier', `instance.id = '${ocidOf('instance', 'verifier')}'`),
      dynamicGroup(CONSUMER, 'workers', `instance.compartment.id = '${compartmentOf(CONSUMER, 'workers')}'`),
      dynamicGroup(
        CONSUMER,
        'ingest',
        `resource.type = 'fnfunc', resource.compartment.id = '${compartmentOf(CONSUMER, 'pipeline')}'`,
      ),
    ],
    instances: [
      instance(PROVIDER, 'verifier', 'verifier'),
      ...guests.map(({ name }) => instance(CONSUMER, 'workers', name)),
    ],
    guests,
    functions: [
      {
        id: FUNCTION,
        name: 'ingest',
        compartmentId: compartmentOf(CONSUMER, 'pipeline'),
        socket: functionSocket,
        timeoutSeconds: 30,
      },
    ],
    buckets: [
      { ...bucket(PROVIDER, 'data', 'outbox'), objectEvents: true },
      bucket(PROVIDER, 'trust', 'governance', DAY_SECONDS),
      bucket(PROVIDER, 'trust', 'evidence-verifier', DAY_SECONDS),
      bucket(PROVIDER, 'trust', 'evidence-worker', DAY_SECONDS),
      bucket(PROVIDER, 'trust', 'freshness'),
      bucket(PROVIDER, 'trust', 'verifier-state'),
      bucket(CONSUMER, 'results', 'results', DAY_SECONDS),
      bucket(CONSUMER, 'pipeline', 'worker-state'),
      bucket(CONSUMER, 'pipeline', 'ingest', DAY_SECONDS),
    ],
    vaults: [PROVIDER, CONSUMER].map((tenancy) => ({
      id: ocidOf('vault', tenancy.namespace),
      name: tenancy.namespace,
      compartmentId: compartmentOf(tenancy, 'vault'),
    })),
    keys: [
      { ...vaultItem(PROVIDER, KEYS.dataset), shape: AES },
      { ...vaultItem(PROVIDER, KEYS.identity), shape: AES },
      { ...vaultItem(PROVIDER, KEYS.consent), shape: AES },
      { ...vaultItem(PROVIDER, KEYS.sealing), shape: P384 },
      { ...vaultItem(PROVIDER, KEYS.grantCa), shape: P384 },
      { ...vaultItem(PROVIDER, KEYS.workersCa), shape: P384 },
      { ...vaultItem(PROVIDER, KEYS.verifiersCa), shape: P384 },
      { ...vaultItem(CONSUMER, KEYS.client), shape: P384 },
      { ...vaultItem(CONSUMER, KEYS.result), shape: RSA },
    ],
    secrets: [vaultItem(PROVIDER, MAC_SECRET)],
    streams: [stream(STREAMS.jobs, partitions), stream(STREAMS.deadLetters, 1)],
    eventRules: [
      {
        id: ocidOf('eventrule', 'outbox'),
        name: 'outbox',
        compartmentId: compartmentOf(PROVIDER, 'data'),
        condition: JSON.parse(await readInfra('events/outbox.json')),
        functionId: FUNCTION,
      },
    ],
    policies: [
      {
        name: 'provider',
        tenancyId: PROVIDER.tenancy,
        statements: providerPolicy,
        variables: {
          consumer_tenancy: CONSUMER.tenancy,
          workers_group: ocidOf('dynamicgroup', 'workers'),
          ingest_group: ocidOf('dynamicgroup', 'ingest'),
          researchers_group: ocidOf('group', 'researchers'),
          dataset_key: KEYS.dataset,
          id_key: KEYS.identity,
          consent_key: KEYS.consent,
          sealing_key: KEYS.sealing,
          grant_ca_key: KEYS.grantCa,
          workers_ca_key: KEYS.workersCa,
          verifiers_ca_key: KEYS.verifiersCa,
          mac_secret: MAC_SECRET,
        },
      },
      {
        name: 'consumer',
        tenancyId: CONSUMER.tenancy,
        statements: consumerPolicy,
        variables: {
          provider_tenancy: PROVIDER.tenancy,
          auditors_group: ocidOf('group', 'auditors'),
          jobs_stream: STREAMS.jobs,
          dead_letter_stream: STREAMS.deadLetters,
          client_key: KEYS.client,
          result_key: KEYS.result,
        },
      },
    ],
  }
}

function readInfra(path: string): Promise<string> {
  return readFile(new URL(`../../infra/${path}`, import.meta.url), 'utf8')
}

function compartments(tenancy: Tenancy, ...names: readonly string[]) {
  return names.map((name) => ({ id: compartmentOf(tenancy, name), name, tenancyId: tenancy.tenancy }))
}

function dynamicGroup({ tenancy }: Tenancy, name: string, conditions: string) {
  return { id: ocidOf('dynamicgroup', name), name, tenancyId: tenancy, rule: `ALL {${conditions}}` }
}

function instance(tenancy: Tenancy, compartment: string, name: string) {
  return {
    id: ocidOf('instance', name),
    name,
    compartmentId: compartmentOf(tenancy, compartment),
    imdsPort: 0,
  }
}

function bucket(tenancy: Tenancy, compartment: string, name: string, retentionSeconds = 0) {
  return {
    id: ocidOf('bucket', name),
    name,
    compartmentId: compartmentOf(tenancy, compartment),
    objectEvents: false,
    retentionSeconds,
  }
}

/** A key or a secret, named by the last part of its OCID. */
function vaultItem(tenancy: Tenancy, id: string) {
  return {
    id,
    name: id.slice(id.lastIndexOf('.') + 1),
    vaultId: ocidOf('vault', tenancy.namespace),
    compartmentId: compartmentOf(tenancy, 'vault'),
  }
}

function stream(id: string, partitions: number) {
  return {
    id,
    name: id.slice(id.lastIndexOf('.') + 1),
    compartmentId: compartmentOf(CONSUMER, 'pipeline'),
    partitions,
    retentionSeconds: DAY_SECONDS,
  }
}
