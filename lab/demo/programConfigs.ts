/**
 * The configuration file of each program and command, as an operator of these two tenancies would write it.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { OciConfig } from '#adapters/oci/config.ts'
import type { GovernConfig } from '#cli/config.ts'
import type { QuorumRoot } from '#core/jws.ts'
import type { TlsFiles } from './certificates.ts'
import {
  AUDIENCE,
  CLIENT,
  CONSUMER,
  DATASET,
  GROUP,
  KEYS,
  MAC_SECRET,
  ocidOf,
  PROVIDER,
  PURPOSE,
  REGION,
  STREAMS,
  TENANT,
  type UserName,
  verifierName,
} from './names.ts'

/** The facts of a deployment that its configuration files are made from. */
export type DeploymentSettings = {
  /** The address of OCI's services. */
  readonly endpoint: string
  /** The metadata service of each instance, by its OCID. */
  readonly imds: Readonly<Record<string, string>>
  /** The folder with the simulated AMD roots. */
  readonly amdFolder: string
  /** The address of the simulated key distribution service of AMD. */
  readonly kds: string
  readonly ociConfigFile: string
  readonly providerRoot: QuorumRoot
  readonly freshnessKeyFile: string
  /** The file of what was stated last. */
  readonly freshnessState: string
  /** The folder for registers of more authorities than the demo's own. */
  readonly registers: string
  readonly tls: TlsFiles
  /** One port per replica, in the order of their names. */
  readonly verifierPorts: readonly number[]
  /** The addresses that workers connect to. */
  readonly verifierUrls: readonly string[]
  readonly reservationMs: number
}

const SERVER = { host: '127.0.0.1', port: 0 } as const
const DRAIN_SECONDS = 10

export function ociOf(
  { endpoint }: Pick<DeploymentSettings, 'endpoint'>,
  principal: OciConfig['principal'],
): OciConfig {
  return {
    region: REGION,
    principal,
    endpoints: {
      objectStorage: endpoint,
      streaming: endpoint,
      vaultCrypto: endpoint,
      vaultManagement: endpoint,
      secrets: endpoint,
    },
  }
}

export function instancePrincipal(
  { endpoint, imds }: Pick<DeploymentSettings, 'endpoint' | 'imds'>,
  name: string,
): OciConfig['principal'] {
  const metadataUrl = imds[ocidOf('instance', name)]
  return { kind: 'instance', federationUrl: endpoint, ...(metadataUrl !== undefined && { metadataUrl }) }
}

export function userPrincipal(
  { ociConfigFile }: Pick<DeploymentSettings, 'ociConfigFile'>,
  profile: UserName,
): OciConfig['principal'] {
  return { kind: 'config-file', path: ociConfigFile, profile }
}

function verifierConfig(settings: DeploymentSettings, port: number): object {
  const { amdFolder, kds, providerRoot, tls } = settings
  return {
    listen: { ...SERVER, port },
    tls: {
      clientCertificates: 'required',
      ...tls.server,
      clientCa: tls.workers.ca,
      clientCrl: tls.workers.crl,
    },
    audience: AUDIENCE,
    tenant: TENANT,
    providerRoot,
    simulation: true,
    logLevel: 'info',
    oci: ociOf(settings, instancePrincipal(settings, 'verifier')),
    namespace: PROVIDER.namespace,
    buckets: {
      governance: 'governance',
      freshness: 'freshness',
      evidence: 'evidence-verifier',
      workerEvidence: 'evidence-worker',
      state: 'verifier-state',
    },
    macSecretId: MAC_SECRET,
    grantCaKeyId: KEYS.grantCa,
    endorsements: { folder: amdFolder, kds: { url: kds, refreshHours: 1 } },
    monitor: SERVER,
    policyListingSeconds: 2,
    requestSeconds: 5,
    drainSeconds: DRAIN_SECONDS,
  }
}

function freshnessConfig(settings: DeploymentSettings): object {
  return {
    trust: { providerRoot: settings.providerRoot, audience: AUDIENCE, simulation: true },
    tenant: TENANT,
    freshnessKey: { kind: 'file', path: settings.freshnessKeyFile },
    state: settings.freshnessState,
    oci: ociOf(settings, userPrincipal(settings, 'freshness')),
    namespace: PROVIDER.namespace,
    buckets: { governance: 'governance', freshness: 'freshness' },
  }
}

function workerConfig(settings: DeploymentSettings, name: string, guestSocket: string): object {
  const { providerRoot, tls, verifierUrls, reservationMs } = settings
  return {
    trust: {
      providerRoot,
      audience: AUDIENCE,
      client: CLIENT,
      purpose: PURPOSE,
      simulation: true,
      sandbox: 'none',
      logLevel: 'info',
    },
    verifier: {
      urls: verifierUrls,
      ...tls.verifiers,
      ...tls.clients.get(name),
    },
    attestation: { source: 'socket', path: guestSocket },
    client: { keyId: KEYS.client },
    oci: ociOf(settings, instancePrincipal(settings, name)),
    stream: { id: STREAMS.jobs, group: GROUP, deadLetterId: STREAMS.deadLetters, reservationMs },
    registrations: { namespace: PROVIDER.namespace, bucket: 'evidence-verifier' },
    namespace: CONSUMER.namespace,
    evidence: { namespace: PROVIDER.namespace, bucket: 'evidence-worker' },
    buckets: { results: 'results', state: 'worker-state' },
    batch: { maxJobs: 8, concurrency: 2, memoryMib: 512 },
    monitor: SERVER,
    drainSeconds: DRAIN_SECONDS,
  }
}

function functionConfig(settings: DeploymentSettings): object {
  return {
    oci: ociOf(settings, { kind: 'resource' }),
    allowed: [{ namespace: PROVIDER.namespace, bucket: 'outbox' }],
    jobsStreamId: STREAMS.jobs,
    records: { namespace: CONSUMER.namespace, bucket: 'ingest' },
    simulation: true,
    logLevel: 'info',
  }
}

function sealConfig(settings: DeploymentSettings): object {
  return {
    tenant: TENANT,
    dataset: DATASET,
    keyId: KEYS.dataset,
    sealingKey: { kind: 'vault', keyId: KEYS.sealing },
    oci: ociOf(settings, userPrincipal(settings, 'sealer')),
    namespace: PROVIDER.namespace,
    buckets: { outbox: 'outbox', governance: 'governance' },
    simulation: true,
  }
}

function openConfig(settings: DeploymentSettings): object {
  return {
    trust: { providerRoot: settings.providerRoot, audience: AUDIENCE, simulation: true },
    tenant: TENANT,
    oci: ociOf(settings, userPrincipal(settings, 'researcher')),
    namespace: CONSUMER.namespace,
    bucket: 'results',
    provider: { namespace: PROVIDER.namespace, governance: 'governance', evidence: 'evidence-verifier' },
  }
}

export function governConfig(settings: DeploymentSettings, user: UserName): GovernConfig {
  return {
    trust: {
      providerRoot: { ...settings.providerRoot, keys: [...settings.providerRoot.keys] },
      audience: AUDIENCE,
      simulation: true,
    },
    tenant: TENANT,
    oci: ociOf(settings, userPrincipal(settings, user)),
    namespace: PROVIDER.namespace,
    buckets: { governance: 'governance' },
  }
}

/** An authority of its own, with a key in the Vault. It does not exist yet. */
function enrolConfig(settings: DeploymentSettings, folder: string, keyId: string): object {
  const oci = ociOf(settings, userPrincipal(settings, 'enroller'))
  return { folder, key: { kind: 'vault', keyId }, oci, simulation: true }
}

function exportConfig(settings: DeploymentSettings): object {
  return {
    oci: ociOf(settings, userPrincipal(settings, 'auditor')),
    provider: {
      namespace: PROVIDER.namespace,
      governance: 'governance',
      evidence: 'evidence-verifier',
      workerEvidence: 'evidence-worker',
    },
    consumer: { namespace: CONSUMER.namespace, results: 'results' },
    simulation: true,
  }
}

function deadLettersConfig(settings: DeploymentSettings): object {
  return {
    oci: ociOf(settings, userPrincipal(settings, 'operator')),
    streams: { jobs: STREAMS.jobs, deadLetters: STREAMS.deadLetters },
    namespace: CONSUMER.namespace,
    buckets: { state: 'worker-state', results: 'results' },
    simulation: true,
  }
}

/** Writes the configuration of every program and command. */
export async function writeConfigs(
  folder: string,
  settings: DeploymentSettings,
  guests: readonly { readonly name: string; readonly socketPath: string }[],
): Promise<void> {
  const configs: Record<string, object> = {
    freshness: freshnessConfig(settings),
    function: functionConfig(settings),
    seal: sealConfig(settings),
    open: openConfig(settings),
    export: exportConfig(settings),
    govern: governConfig(settings, 'governor'),
    privacy: governConfig(settings, 'privacy'),
    'dead-letters': deadLettersConfig(settings),
    'enrol-workers': enrolConfig(settings, join(settings.registers, 'workers'), KEYS.workersCa),
    'enrol-verifiers': enrolConfig(settings, join(settings.registers, 'verifiers'), KEYS.verifiersCa),
  }
  for (const [index, port] of settings.verifierPorts.entries())
    configs[verifierName(index)] = verifierConfig(settings, port)
  for (const { name, socketPath } of guests) configs[name] = workerConfig(settings, name, socketPath)
  for (const [name, config] of Object.entries(configs)) await writeConfig(folder, name, config)
}

export function configFile(folder: string, name: string): string {
  return join(folder, `${name}.json`)
}

export async function writeConfig(folder: string, name: string, config: object): Promise<void> {
  await writeFile(configFile(folder, name), `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 })
}
