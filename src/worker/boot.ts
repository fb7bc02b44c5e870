/**
 * One start of the worker: its evidence key, its log and its time, with everything that a job needs, put
 * together once.
 */
import { generateKeyPairSync } from 'node:crypto'
import type { Registry } from 'prom-client'
import { createEvidenceLog, type EvidenceLog } from '#adapters/evidence/log.ts'
import { abandonable } from '#adapters/system/abandonable.ts'
import type { Log } from '#adapters/system/log.ts'
import { untilAvailable } from '#adapters/system/outage.ts'
import { bootOf } from '#core/boot/boot.ts'
import { fromBase64url } from '#core/bytes.ts'
import { Ed25519Jwk } from '#core/jwk.ts'
import { keySigner, type Signer } from '#core/jws.ts'
import { nonceTime } from '#core/release/nonce.ts'
import type { SegmentCipher } from '#core/sealed/cipher.ts'
import type { SecretMemory } from '#core/secretMemory.ts'
import type { Clock } from '#ports/clock.ts'
import type { StreamProducer } from '#ports/jobStream.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'
import { type Attester, createAttester } from './attester.ts'
import type { WorkerConfig } from './config.ts'
import { FinishedJobs } from './finished.ts'
import type { Material } from './material.ts'
import { createWorkerMetrics, type WorkerMetrics } from './metrics.ts'
import { untilAdmitted } from './parking.ts'
import { ownLog, ownProducer, ownSigner, ownStore } from './places.ts'
import { createRegistrations, type Registrations } from './registrations.ts'
import { watchReports } from './reports.ts'
import { VerifierTime } from './verifierTime.ts'
import { createWitness, type Witness } from './witness.ts'
import type { Workload } from './workloads/workload.ts'

type Bucket = Omit<ObjectRef, 'name'>

export type Boot = {
  readonly attester: Attester
  readonly evidence: EvidenceLog
  /** Signs with the evidence key of this boot. */
  readonly signer: Signer
  readonly time: VerifierTime
  /** The worker's own buckets: a refusal there is about the worker. */
  readonly store: ObjectStore
  readonly buckets: { readonly results: Bucket; readonly state: Bucket; readonly registrations: Bucket }
  readonly registrations: Registrations
  readonly witness: Witness
  readonly finished: FinishedJobs
  /** The objects of jobs, wherever they are: a refusal there is about the job. */
  readonly objects: Pick<ObjectStore, 'head' | 'read' | 'readAll' | 'stream'>
  readonly jobs: StreamProducer
  readonly deadLetters: StreamProducer
  readonly workloads: readonly Workload[]
  readonly cipher: SegmentCipher
  readonly memory: SecretMemory
  readonly simulation: boolean
  /** How many jobs of a batch run at the same time. */
  readonly concurrency: number
  readonly clock: Clock
  readonly metrics: WorkerMetrics
  readonly log: Log
}

/**
 * Waits for the Verifier's first challenge, since its time dates the log, and until the log is open: a boot
 * whose log cannot be found is never registered. Parks while OCI refuses the log or the key. Throws the
 * signal's reason, or an error that waiting does not mend.
 */
export async function openBoot(
  config: WorkerConfig,
  material: Material,
  options: {
    readonly software: string
    readonly clock: Clock
    readonly log: Log
    readonly registry: Registry
    readonly signal: AbortSignal
  },
): Promise<Boot> {
  const { oci, service, trust, cipher, memory } = material
  const { clock, log, registry, software, signal } = options
  const { simulation } = config.trust
  const metrics = createWorkerMetrics(registry, simulation)
  const wait = <T>(work: () => Promise<T>) =>
    untilAdmitted(
      () => untilAvailable(() => abandonable(work(), signal), { clock, log }, signal),
      { clock, log, metrics },
      signal,
    )

  const { privateKey } = generateKeyPairSync('ed25519')
  const evidenceSigner = keySigner(privateKey)
  const boot = bootOf(Ed25519Jwk.parse(evidenceSigner.jwk))
  const time = new VerifierTime(clock.monotonic)
  // Only the Verifier's certificate vouches for this time. It dates `log.opened`; verified grants date the
  // rest.
  const first = await wait(() => service.challenge(signal))
  time.observe(nonceTime(fromBase64url(first.nonce)))

  const bucket = (name: string) => ({ namespace: config.namespace, bucket: name })
  const buckets = {
    results: bucket(config.buckets.results),
    state: bucket(config.buckets.state),
    registrations: config.registrations,
  }
  const logs = config.evidence
  const objects = oci.objectStore()
  const store = ownStore(objects, buckets)
  const registrations = createRegistrations(store, buckets.registrations)
  const evidence = ownLog(
    createEvidenceLog({
      store: ownStore(objects, { evidence: logs }),
      bucket: logs,
      role: 'worker',
      key: privateKey,
      boot,
      software,
      simulation,
      now: () => time.now(),
    }),
  )
  await wait(() => evidence.flush(signal))
  const clientSigner = await wait(() => ownSigner(() => oci.keyVault().signer(config.client.keyId)))

  return {
    attester: createAttester({
      service,
      reports: watchReports(material.reports, metrics, log),
      signer: clientSigner,
      asker: { client: trust.anchors.client, purpose: trust.anchors.purpose },
      audience: trust.anchors.audience,
      anchors: trust.anchors,
      trust: trust.digest,
      evidenceSigner,
      boot,
      software,
      granted: new VerifierTime(clock.monotonic),
      time,
      memory,
      registrations,
    }),
    evidence,
    signer: evidenceSigner,
    time,
    store,
    buckets,
    registrations,
    witness: createWitness({
      service,
      evidence,
      key: Ed25519Jwk.parse(evidenceSigner.jwk),
      registrations,
      time,
    }),
    finished: new FinishedJobs({ store, buckets }),
    objects,
    jobs: ownProducer(oci.streamProducer({ streamId: config.stream.id }), 'jobs'),
    deadLetters: ownProducer(oci.streamProducer({ streamId: config.stream.deadLetterId }), 'dead-letters'),
    workloads: trust.workloads,
    cipher,
    memory,
    simulation,
    concurrency: config.batch.concurrency,
    clock,
    metrics,
    log: log.child({ boot }),
  }
}
