/** A provider and its consumer on the emulator: both tenancies as they are before the Verifier starts. */

import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readerOf } from '#adapters/evidence/collection.ts'
import { createFreshnessSigner } from '#adapters/governance/freshness.ts'
import { createOci, type Oci } from '#adapters/oci/clients.ts'
import { OciConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { sha256, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { exportJwk, P384Jwk } from '#core/jwk.ts'
import { type Signer, signCompact } from '#core/jws.ts'
import { type Kind, signDocument } from '#core/policy/document.ts'
import { POLICY, type Policy } from '#core/policy/policy.ts'
import { REVOCATION, type Revocation } from '#core/policy/revocation.ts'
import { VERIFIER_KEYS } from '#core/policy/verifierKeys.ts'
import { idKeyAssociatedData } from '#core/release/idKey.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { trustDigest } from '#core/release/trust.ts'
import { type SealHeader, SealHeaderFormat, sealAssociatedData } from '#core/sealed/header.ts'
import { addSeconds } from '#core/time.ts'
import type { AmdAuthority } from '#lab/amd/authority.ts'
import type { Emulator } from '#lab/emulator/emulator.ts'
import { fingerprintOf } from '#lab/emulator/identity/principals.ts'
import type { VerifierConfig } from '../../src/verifier/config.ts'
import { AMD_STATE, MEASUREMENT, testAuthority } from '../amd.ts'
import {
  datasetOf,
  freshnessKey,
  permissionOf,
  policyOf,
  revocationOf,
  root,
  signers,
  TRACEPARENT,
  verifierKeysOf,
} from '../core/release/releaseWorld.ts'
import {
  apiKey,
  CONSUMER,
  emulatorFor,
  id,
  PROVIDER,
  PROVIDER_NAMESPACE,
  REGION,
  type Teardown,
  temporaryFolder,
  testConfig,
} from '../lab/emulator/testEmulator.ts'
import { type Ca, createCa } from './tls.ts'

export const AUDIENCE = 'https://verifier.hospital.example'
export const PLATFORM_MEASUREMENT = 'b6'.repeat(48)
export const ANCHORS = {
  providerRoot: root,
  audience: AUDIENCE,
  client: 'acme',
  purpose: 'HRESCH',
  simulation: true,
  workloads: [],
  sandbox: 'none',
  logLevel: 'info',
} as const
const DAY = 86_400
/** Between looks for what a freshness statement must name. */
const STATING_MS = 120_000
const governance = { namespace: PROVIDER_NAMESPACE, bucket: 'governance' }
const freshness = { namespace: PROVIDER_NAMESPACE, bucket: 'freshness' }

/** A sealed object: the job that asks for it, and the key that its release must give. */
export type Sealed = { readonly job: ReleaseJob; readonly dek: Buffer; readonly header: SealHeader }

export type Deployment = {
  readonly emulator: Emulator
  readonly authority: AmdAuthority
  readonly ca: Ca
  /** Clients with the identity of a user or of an instance. */
  readonly user: (tenancyId: string, name: string) => Promise<Oci>
  readonly instance: (name: string) => Oci
  /** The consumer's client key and the hospital's sealing key, each in its own Vault. */
  readonly client: Signer
  readonly sealing: Signer
  readonly idKey: Buffer
  readonly policy: (seq: number, changes?: Partial<Policy>) => Policy
  /** Returns the object's name. */
  readonly putPolicy: (policy: Policy, by?: readonly Signer[]) => Promise<string>
  readonly putVerifierKeys: () => Promise<void>
  readonly putRevocation: (revocation: Partial<Revocation>, by?: readonly Signer[]) => Promise<string>
  /** Publishes a freshness statement, if this minute has none. Done by itself after each document. */
  readonly state: (secondsAgo?: number) => Promise<void>
  readonly seal: (changes?: Partial<SealHeader>, signer?: Signer) => Promise<Sealed>
  readonly config: (changes?: Partial<VerifierConfig>) => VerifierConfig
  /** Writes a configuration and returns its path. */
  readonly write: (config: unknown) => Promise<string>
}

/** `emulated`: the emulator's own folder and time. `stating`: false leaves the freshness statements to the test. */
export async function deploy(
  t: Teardown,
  emulated: { readonly folder?: string; readonly now?: () => number; readonly stating?: boolean } = {},
): Promise<Deployment> {
  const folder = await temporaryFolder(t)
  const authority = await testAuthority()
  const emulator = await emulatorFor(t, testConfig(), emulated)
  const connections: Oci[] = []
  t.after(() => {
    for (const oci of connections) oci.close()
  })
  const { endpoint } = emulator
  const ociConfig = (principal: OciConfig['principal']): OciConfig => ({
    principal,
    endpoints: {
      objectStorage: endpoint,
      streaming: endpoint,
      vaultCrypto: endpoint,
      vaultManagement: endpoint,
      secrets: endpoint,
    },
  })
  const connect = (principal: OciConfig['principal']): Oci => {
    const oci = createOci(OciConfig.parse(ociConfig(principal)), { allowPlainHttp: true, clock: systemClock })
    connections.push(oci)
    return oci
  }
  const principalOf = (name: string): OciConfig['principal'] => ({
    kind: 'instance',
    metadataUrl: emulator.imds[id('instance', name)],
    federationUrl: endpoint,
  })
  const instance = (name: string) => connect(principalOf(name))
  const user = async (tenancyId: string, name: string): Promise<Oci> => {
    const keyFile = join(folder, 'user.pem')
    await writeFile(keyFile, apiKey.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString())
    const path = join(folder, `${name}.config`)
    const settings = {
      user: id('user', name),
      tenancy: tenancyId,
      fingerprint: fingerprintOf(apiKey.publicKey),
      key_file: keyFile,
      region: REGION,
    }
    const text = Object.entries(settings).map(([field, value]) => `${field}=${value}`)
    await writeFile(path, `[DEFAULT]\n${text.join('\n')}\n`)
    return connect({ kind: 'config-file', path, profile: 'DEFAULT' })
  }

  const governor = await user(PROVIDER, 'governor')
  const sealer = (await user(PROVIDER, 'sealer')).keyVault()
  const sealing = await sealer.signer(id('key', 'sealing'))
  const client = await instance('worker-1').keyVault().signer(id('key', 'client'))
  const idKey = randomBytes(32)
  const wrappedIdKey = await governor
    .keyVault()
    .encrypt(id('key', 'identity'), idKey, idKeyAssociatedData('hospital', 'cohort'))

  const policy: Deployment['policy'] = (seq, changes) => {
    const now = systemClock.now()
    const window = { notBefore: now - DAY, notAfter: now + DAY }
    const base = policyOf()
    const referencesOf = (name: string, assurance: 'measured' | 'platform', measurement: string) =>
      base.referenceValues.map((reference) => ({
        ...reference,
        ...window,
        id: name,
        assurance,
        measurements: [measurement],
        guestPolicy: {
          ...reference.guestPolicy,
          abi: { major: 0, minor: 0 },
          debug: 'forbidden' as const,
        },
        trust: [toBase64url(trustDigest({ ...ANCHORS, workloads: [] }))],
      }))
    return {
      ...base,
      seq,
      issuedAt: now - 60,
      expiresAt: now + DAY,
      audience: AUDIENCE,
      roots: [{ product: 'Genoa', ark: toHex(sha256(authority.arkDer)), simulated: true }],
      referenceValues: [
        ...referencesOf('worker-1', 'measured', MEASUREMENT),
        ...referencesOf('vm-shape-1', 'platform', PLATFORM_MEASUREMENT),
      ],
      clients: [{ id: 'acme', keys: [P384Jwk.parse(client.jwk)] }],
      datasets: [
        datasetOf({
          sealingKeys: [sealing.jwk],
          keyIds: [id('key', 'dataset')],
          notSealedBefore: now - DAY,
          idKey: {
            keyId: id('key', 'identity'),
            keyVersionId: wrappedIdKey.keyVersionId,
            wrapped: toBase64url(wrappedIdKey.wrapped),
          },
          permissions: [permissionOf(window)],
        }),
      ],
      ...changes,
    }
  }

  const freshnessStore = (await user(PROVIDER, 'freshness')).objectStore()
  let secondsAgo = 0
  const stater = await createFreshnessSigner({
    store: freshnessStore,
    governance: readerOf(freshnessStore, governance),
    bucket: freshness,
    pin: { root, deployment: { tenant: 'hospital', audience: AUDIENCE } },
    signer: freshnessKey,
    state: join(folder, 'freshness.json'),
    clock: { now: () => addSeconds(systemClock.now(), -secondsAgo) },
    ignored: () => {},
    expectTrueClock: () => {},
  })
  /** Once a minute at most. A document of the same minute is newer than its statement, and needs none. */
  const state = async (ago = 0) => {
    secondsAgo = ago
    try {
      await stater.state(() => true)
    } catch (error) {
      // The first policy comes after its keys. And tests switch the emulator off, or its clock over.
      if (!(error instanceof CodedError)) throw error
    }
  }
  if (emulated.stating ?? true) {
    const stating = setInterval(() => void state(), STATING_MS)
    t.after(() => clearInterval(stating))
  }

  const put = async <T extends { readonly seq: number }>(
    kind: Kind<T>,
    content: T,
    by: readonly Signer[],
  ): Promise<string> => {
    const { name, signed } = await signDocument(kind, content, by)
    await governor.objectStore().create({ ...governance, name }, utf8(JSON.stringify(signed)))
    if (emulated.stating ?? true) await state()
    return name
  }
  const [ada, grace] = signers

  return {
    emulator,
    authority,
    ca: createCa('provider CA'),
    user,
    instance,
    client,
    sealing,
    idKey,
    policy,
    putPolicy: (value, by = [ada, grace]) => put(POLICY, value, by),
    putVerifierKeys: async () => {
      const { key } = await governor.keyVault().publicKey(id('key', 'grant-ca'))
      const grantCa = { jwk: P384Jwk.parse(exportJwk(key)), keyId: id('key', 'grant-ca') }
      const now = systemClock.now()
      const keys = { audience: AUDIENCE, issuedAt: now - 600, exp: now + DAY }
      await put(VERIFIER_KEYS, verifierKeysOf(grantCa, keys), [ada, grace])
    },
    putRevocation: (value, by = [ada]) =>
      put(REVOCATION, revocationOf({ audience: AUDIENCE, issuedAt: systemClock.now(), ...value }), by),
    state,
    seal: async (changes, signer = sealing) => {
      const sealId = toHex(randomBytes(16))
      const identity = { tenant: 'hospital', dataset: 'cohort', object: sealId, sealId, ...changes }
      const { plaintext, wrapped, keyVersionId } = await sealer.generateDataKey(
        id('key', 'dataset'),
        sealAssociatedData(identity),
      )
      const header: SealHeader = {
        v: 1,
        ...identity,
        size: 1234,
        contentType: 'application/fhir-ndjson',
        sealedAt: systemClock.now(),
        set: null,
        minimised: null,
        baseUrl: null,
        custody: {
          mode: 'rewrap',
          keyId: id('key', 'dataset'),
          keyVersionId,
          wrappedDek: toBase64url(wrapped),
        },
        ...changes,
      }
      const jws = await signCompact(SealHeaderFormat, header, signer)
      const objects = [{ header: jws, bucket: 'outbox', name: header.object, etag: 'e-1' }]
      return { job: { traceparent: TRACEPARENT, objects }, dek: plaintext, header }
    },
    config: (changes) => ({
      listen: { host: '127.0.0.1', port: 0 },
      tls: {
        clientCertificates: 'required',
        cert: join(folder, 'server.pem'),
        key: join(folder, 'server.key'),
        clientCa: join(folder, 'ca.pem'),
        clientCrl: join(folder, 'crl.pem'),
      },
      audience: AUDIENCE,
      tenant: 'hospital',
      providerRoot: { keys: [...root.keys], threshold: root.threshold },
      simulation: true,
      logLevel: 'info',
      oci: ociConfig(principalOf('verifier')),
      namespace: PROVIDER_NAMESPACE,
      buckets: {
        governance: 'governance',
        freshness: 'freshness',
        evidence: 'evidence-verifier',
        workerEvidence: 'evidence-worker',
        state: 'verifier-state',
      },
      macSecretId: id('vaultsecret', 'nonce-mac'),
      grantCaKeyId: id('key', 'grant-ca'),
      endorsements: { folder: AMD_STATE },
      monitor: { host: '127.0.0.1', port: 0 },
      policyListingSeconds: 1,
      requestSeconds: 10,
      drainSeconds: 10,
      ...changes,
    }),
    write: async (config) => {
      const path = join(folder, `${toHex(randomBytes(4))}.json`)
      await writeFile(path, JSON.stringify(config))
      return path
    },
  }
}

/** The files that `config` names, under the deployment's CA. */
export async function writeTls({ tls }: VerifierConfig, ca: Ca): Promise<void> {
  const server = ca.issue('verifier')
  await writeFile(tls.cert, server.cert)
  await writeFile(tls.key, server.key)
  if (tls.clientCertificates === 'at-gateway') return
  await writeFile(tls.clientCa, ca.pem)
  await writeFile(tls.clientCrl, ca.crl)
}

export const workerLogs = { namespace: PROVIDER_NAMESPACE, bucket: 'evidence-worker' }
export const verifierLogs = { namespace: PROVIDER_NAMESPACE, bucket: 'evidence-verifier' }
export { CONSUMER, freshness, governance, PROVIDER }
