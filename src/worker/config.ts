/**
 * The worker's configuration: one JSON file. `trust` is what could weaken the worker; its digest is under every report
 * and the provider lists the digests it accepts. Whoever controls the rest can cause refusal or delay, nothing more:
 * what is read is verified, what is written is sealed.
 */
import { z } from 'zod'
import { OciConfig } from '#adapters/oci/config.ts'
import { ReportSourceConfig } from '#adapters/sev/source.ts'
import { audience, bucketName, name, namespaceName, ocid, purpose, scopeText } from '#core/fields.ts'
import { TrustAnchors } from '#core/release/trust.ts'

const path = z.string().startsWith('/').max(4096)

export const WorkerConfig = z.strictObject({
  /** Under the trust digest, together with the digests of the workloads that this program carries. */
  trust: TrustAnchors.omit({ workloads: true }),
  verifier: z.strictObject({
    /** The Verifier's name, as it stands in nonces and grants, and where it listens. */
    audience,
    url: audience,
    /** PEM files: the CA of the Verifier's server certificate, and this worker's client certificate and key. */
    ca: path,
    cert: path,
    key: path,
  }),
  attestation: ReportSourceConfig,
  client: z.strictObject({
    /** As the provider's policy names this organisation. */
    id: name,
    purpose,
    /** What is asked for; the grant may hold no more. */
    scopes: z.array(scopeText).min(1).max(64),
    /** The key in the consumer's Vault that signs client assertions (ECDSA P-384). */
    keyId: ocid,
  }),
  oci: OciConfig,
  stream: z.strictObject({
    /** OCID and name of the jobs stream's group; every worker of the pool has the same. */
    id: ocid,
    group: name,
    deadLetterId: ocid,
    /** How long a silent worker keeps its partitions. 30,000 on OCI; less only shortens a take-over. */
    reservationMs: z.int().min(2000).max(60_000),
  }),
  /** The provider's log bucket, where boots are registered: how another worker's result is told from a stranger's. */
  registrations: z.strictObject({ namespace: namespaceName, bucket: bucketName }),
  /** The consumer's namespace and buckets: results (create, read), evidence and attempts (create, read). */
  namespace: namespaceName,
  buckets: z.strictObject({ results: bucketName, evidence: bucketName, state: bucketName }),
  batch: z.strictObject({
    /** Jobs taken from the stream at once: one challenge, one report, one release request. */
    maxJobs: z.int().min(1).max(64),
    /** Jobs of a batch that run at the same time. */
    concurrency: z.int().min(1).max(64),
  }),
  /** `/metrics`, `/healthz`, `/readyz`; plain HTTP. Port 0 takes a free one. */
  monitor: z.strictObject({ host: z.string().min(1).max(255), port: z.int().min(0).max(65_535) }),
  /** How long the jobs in hand may take after the first SIGTERM. */
  drainSeconds: z.int().min(1).max(3600),
})
export type WorkerConfig = z.output<typeof WorkerConfig>
