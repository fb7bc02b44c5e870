/** One start of the Verifier: its key, its registered log, and everything that a release needs. */
import { generateKeyPairSync } from 'node:crypto'
import type { Registry } from 'prom-client'
import { createEvidenceLog, type EvidenceLog } from '#adapters/evidence/log.ts'
import { createLogTails } from '#adapters/evidence/logTail.ts'
import { isLoopback } from '#adapters/http/origin.ts'
import { endpointOf } from '#adapters/oci/config.ts'
import { abandonable } from '#adapters/system/abandonable.ts'
import type { Log } from '#adapters/system/log.ts'
import { untilServed } from '#adapters/system/outage.ts'
import { expectTrueClock } from '#adapters/system/trueClock.ts'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import type { Registration } from '#core/boot/registration.ts'
import { cosign } from '#core/evidence/witness/cosignature.ts'
import { Ed25519Jwk, exportJwk, type SigningJwk } from '#core/jwk.ts'
import type { LoadingVerifier } from '#core/policy/policyCheck.ts'
import type { TrustStore } from '#core/snp/chain.ts'
import type { Clock } from '#ports/clock.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import { createAnnouncements } from './announcements.ts'
import { type Commits, createCommits } from './commits.ts'
import type { VerifierConfig } from './config.ts'
import { type Custody, createCustody } from './custody.ts'
import { createGrantKeys, type GrantKeys } from './grantKeys.ts'
import { createInterruptions, type Interruptions } from './interruptions.ts'
import { createLogReader } from './logReader.ts'
import type { VerifierMaterial } from './material.ts'
import { createMetrics, publishAges, publishQuotas, type VerifierMetrics } from './metrics.ts'
import { createNonceKeys, type NonceKeys } from './nonceKeys.ts'
import { createNonceMarkers, type SpendNonce } from './nonceMarkers.ts'
import { expectAfterOwnLogs } from './ownLogs.ts'
import { createPolicyStore, type PolicyEvents, type PolicyStore } from './policyStore.ts'
import { createQuotas, type Quotas } from './quotas.ts'
import { CLIENT_RATE, createRates, type Rates } from './rates.ts'
import { createRegistrations, type Registrations } from './registrations.ts'
import { createRevocationLists, type RevocationLists } from './revocationLists.ts'
import { createStatements } from './statements.ts'
import { createWitnessedLogs, type WitnessedLogs } from './witnessedLogs.ts'

/**
 * In milliseconds per second of the deadline: 1.5 deadlines. An end follows its decision within one deadline
 * and the time of a write; other boots look again after two deadlines.
 */
const END_LIMIT = 1500

type Bucket = Omit<ObjectRef, 'name'>

export type Boot = {
  readonly audience: string
  /** The deadline of a release request. */
  readonly requestSeconds: number
  readonly roots: TrustStore
  readonly revocationLists: RevocationLists
  readonly nonceKeys: NonceKeys
  readonly spendNonce: SpendNonce
  readonly quotas: Quotas
  readonly policyStore: PolicyStore
  /** Certifies grant keys and registers boots. */
  readonly grantCa: SigningJwk
  readonly registrations: Registrations
  readonly witnessedLogs: WitnessedLogs
  readonly commits: Commits
  readonly custody: Custody
  /** The bucket of governance, where workers find consent lists. */
  readonly governance: Omit<ObjectRef, 'name'>
  readonly grantKeys: GrantKeys
  readonly evidence: EvidenceLog
  /** Before the first decision of a day: other boots then look after its releases if it dies. */
  readonly announce: () => Promise<void>
  readonly interruptions: Interruptions
  /** By client of the policy. */
  readonly clientRates: Rates
  readonly metrics: VerifierMetrics
  readonly clock: Clock
  readonly log: Log
}

/**
 * Waits for OCI as long as it takes. The boot is registered last, when everything else has answered: its log
 * is durable before that, so every registered log can be found, and an end before that leaves nothing to
 * close. Throws the code of what waiting does not mend, or the signal's reason.
 */
export async function openBoot(
  config: VerifierConfig,
  { oci, skew, roots, crls, kds }: VerifierMaterial,
  options: {
    readonly software: string
    readonly clock: Clock
    readonly log: Log
    readonly registry: Registry
    readonly signal: AbortSignal
  },
): Promise<Boot> {
  const { audience, simulation, buckets, macSecretId, grantCaKeyId, requestSeconds } = config
  const { software, clock, log, registry, signal } = options
  const store = oci.objectStore()
  const vault = oci.keyVault()
  const bucket = (name: string): Bucket => ({ namespace: config.namespace, bucket: name })
  const metrics = createMetrics(registry, simulation)
  const having = <T>(place: string, work: () => Promise<T>): Promise<T> =>
    untilServed(place, () => abandonable(work(), signal), { clock, log, waits: metrics.waits }, signal)

  const grantCa = await having('grantCaKeyId', async () => {
    const signer = await vault.signer(grantCaKeyId)
    // These first answers say whether this clock is right. It dates everything that follows.
    expectTrueClock(skew)
    return signer
  })
  const nonceKeys = await having('macSecretId', () => createNonceKeys(oci.secretStore(), macSecretId, clock))
  const grantKeys = await having('grantCaKeyId', () => createGrantKeys(grantCa, clock.now))
  const evidenceBucket = bucket(buckets.evidence)
  const { evidence, registration, cosign } = newEvidence({
    store,
    bucket: evidenceBucket,
    software,
    simulation,
    requestSeconds,
    clock,
  })
  const announcements = createAnnouncements(
    store,
    bucket(buckets.state),
    { boot: evidence.boot, requestSeconds },
    clock,
  )
  const tails = createLogTails(store, evidenceBucket)
  await having('buckets.evidence', () => expectAfterOwnLogs({ announcements, tails, clock, log }, signal))
  const deployment = { tenant: config.tenant, audience }
  const statements = createStatements(store, bucket(buckets.freshness), deployment, clock)
  const policyStore = createPolicyStore({
    store,
    bucket: bucket(buckets.governance),
    root: config.providerRoot,
    deployment,
    statements,
    verifier: loadingVerifierOf(config),
    grantCa: { keyId: grantCaKeyId, jwk: grantCa.jwk },
    clock,
    events: policyEvents(evidence, log),
  })
  await having('buckets.freshness', () => statements.refresh(signal))
  await having('buckets.governance', () => policyStore.refresh(signal))
  await having('buckets.evidence', () => evidence.flush(signal))
  const registrations = createRegistrations(store, evidenceBucket, grantCa)
  await having('buckets.evidence', () => registrations.register(registration))

  const revocationLists = createRevocationLists({
    folder: config.endorsements.folder,
    roots,
    crls,
    kds,
    clock,
    log,
    failed: metrics.crlFailed,
  })
  publishAges(registry, { policyStore, revocationLists, clock })
  const quotas = createQuotas(store, bucket(buckets.state))
  publishQuotas(registry, quotas, clock)

  return {
    audience,
    requestSeconds,
    roots,
    revocationLists,
    nonceKeys,
    spendNonce: createNonceMarkers(store, bucket(buckets.state), evidence.boot),
    quotas,
    policyStore,
    grantCa: grantCa.jwk,
    registrations,
    witnessedLogs: createWitnessedLogs({
      store,
      bucket: evidenceBucket,
      reader: createLogReader(store, bucket(buckets.workerEvidence)),
      cosign,
    }),
    commits: createCommits(store, evidenceBucket),
    custody: createCustody(vault, config.tenant, clock),
    governance: bucket(buckets.governance),
    grantKeys,
    evidence,
    announce: announcements.announce,
    interruptions: createInterruptions({ announcements, tails, evidence, clock, log }),
    clientRates: createRates(CLIENT_RATE, clock.monotonic),
    metrics,
    clock,
    log,
  }
}

/** A log under a new key, and what registers it. */
function newEvidence(options: {
  readonly store: ObjectStore
  readonly bucket: Bucket
  readonly software: string
  readonly simulation: boolean
  readonly requestSeconds: number
  readonly clock: Clock
}): {
  readonly evidence: EvidenceLog
  readonly registration: Registration
  /** Adds this boot's cosignature to a checkpoint. */
  readonly cosign: (note: string) => string
} {
  const { clock, simulation, requestSeconds } = options
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = Ed25519Jwk.parse(exportJwk(privateKey))
  const boot = bootOf(key)
  const endLimit = { milliseconds: requestSeconds * END_LIMIT, monotonic: clock.monotonic }
  const log = { ...options, role: 'verifier', key: privateKey, boot, now: clock.now, endLimit } as const
  const origin = logOrigin('verifier', boot)
  return {
    evidence: createEvidenceLog(log),
    cosign: (note) => cosign(note, origin, clock.now(), privateKey),
    registration: {
      v: 1,
      role: 'verifier',
      boot,
      origin,
      key,
      attestation: null,
      simulation,
      time: clock.now(),
    },
  }
}

export function loadingVerifierOf({
  simulation,
  oci,
}: Pick<VerifierConfig, 'simulation' | 'oci'>): LoadingVerifier {
  const vaultOnLoopback = (['vaultCrypto', 'vaultManagement'] as const).every((name) =>
    isLoopback(endpointOf(oci, name)),
  )
  return { simulation, vaultOnLoopback }
}

function policyEvents(evidence: EvidenceLog, log: Log): PolicyEvents {
  return {
    loaded: ({ policy, digest }, revocations, revocationSeq) => {
      evidence.append({
        event: 'policy.loaded',
        policySeq: policy.seq,
        policyDigest: digest,
        revocationSeq,
        revocations: [...revocations],
      })
      log.info('policy loaded', { policySeq: policy.seq, revocationSeq })
    },
    ignored: ({ name, reason }) => log.error('governance object ignored', { name, reason }),
  }
}
