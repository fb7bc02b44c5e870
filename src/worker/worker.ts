/** One boot of a worker, put together: its evidence key, its log, and everyone who works on a batch. */
import { generateKeyPairSync } from 'node:crypto'
import type { Registry } from 'prom-client'
import { createEvidenceLog } from '#adapters/evidence/log.ts'
import type { Log } from '#adapters/system/log.ts'
import { bootOf } from '#core/boot/boot.ts'
import { fromBase64url } from '#core/bytes.ts'
import { Ed25519Jwk, exportJwk } from '#core/jwk.ts'
import { keySigner } from '#core/jws.ts'
import { nonceTime } from '#core/release/nonce.ts'
import type { Clock } from '#ports/clock.ts'
import { createAttester } from './attester.ts'
import { type Crew, untilAvailable } from './batch.ts'
import type { WorkerConfig } from './config.ts'
import type { Material } from './material.ts'
import { createWorkerMetrics } from './metrics.ts'
import { watchReports } from './reports.ts'
import { VerifierTime } from './verifierTime.ts'

/**
 * Waits until the Verifier has given a first challenge, since its time dates the log, and until the log is open: a boot
 * whose log cannot be found is never registered. Throws the signal's reason, or what waiting does not mend.
 */
export async function openWorker(
  config: WorkerConfig,
  material: Material,
  options: {
    readonly software: string
    readonly clock: Clock
    readonly log: Log
    readonly registry: Registry
    readonly signal: AbortSignal
  },
): Promise<Crew> {
  const { oci, service, trust, cipher, memory } = material
  const { clock, log, registry, software, signal } = options
  const { simulation } = config.trust
  const wait = <T>(work: () => Promise<T>) => untilAvailable(work, { clock, log }, signal)

  const { privateKey } = generateKeyPairSync('ed25519')
  const evidenceKey = Ed25519Jwk.parse(exportJwk(privateKey))
  const boot = bootOf(evidenceKey)
  const time = new VerifierTime(clock.monotonic)
  // Nothing vouches for this time yet but the Verifier's certificate: it dates `log.opened`, and verified grants the rest.
  const first = await wait(() => service.challenge(signal))
  time.observe(nonceTime(fromBase64url(first.nonce)))

  const store = oci.objectStore()
  const bucket = (name: string) => ({ namespace: config.namespace, bucket: name })
  const evidence = createEvidenceLog({
    store,
    bucket: bucket(config.buckets.evidence),
    role: 'worker',
    key: privateKey,
    boot,
    software,
    simulation,
    now: () => time.now(),
  })
  await wait(() => evidence.flush(signal))
  const metrics = createWorkerMetrics(registry, simulation)
  const clientSigner = await wait(() => oci.keyVault().signer(config.client.keyId))

  return {
    attester: createAttester({
      service,
      reports: watchReports(material.reports, metrics, log),
      signer: clientSigner,
      asker: { client: config.client.id, purpose: config.client.purpose, scopes: config.client.scopes },
      audience: config.verifier.audience,
      anchors: trust.anchors,
      trust: trust.digest,
      evidenceKey,
      boot,
      software,
      time,
      memory,
    }),
    workshop: {
      store,
      results: bucket(config.buckets.results),
      registrations: config.registrations,
      cipher,
      memory,
      evidence,
      signer: keySigner(privateKey),
      time,
      simulation,
      workloads: trust.workloads,
      metrics,
    },
    desk: {
      store,
      stateBucket: bucket(config.buckets.state),
      jobs: oci.streamProducer({ streamId: config.stream.id }),
      deadLetters: oci.streamProducer({ streamId: config.stream.deadLetterId }),
      evidence,
      time,
      metrics,
    },
    concurrency: config.batch.concurrency,
    clock,
    log: log.child({ boot }),
  }
}
