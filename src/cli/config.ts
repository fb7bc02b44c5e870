/**
 * The configuration files of the commands: one JSON file each for sealing, for opening results, for
 * freshness, for collecting evidence, for dead letters and for each authority of certificates. None holds a
 * secret: a key in a file is named by its path.
 */
import { z } from 'zod'
import { OciConfig } from '#adapters/oci/config.ts'
import { bucketName, name, namespaceName, ocid } from '#core/fields.ts'
import { TrustAnchors } from '#core/release/trust.ts'

const path = z.string().startsWith('/').max(4096)

/** A P-384 key in the Vault, or an Ed25519 or P-384 private key in a PEM file. */
const SigningKey = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('vault'), keyId: ocid }),
  z.strictObject({ kind: z.literal('file'), path }),
])
export type SigningKey = z.output<typeof SigningKey>

/**
 * For `seal` and `upload`. An attacker who controls it chooses the keys under which the hospital's data is
 * sealed.
 */
export const SealConfig = z.strictObject({
  /** The names of hospital and dataset in the policy. */
  tenant: name,
  dataset: name,
  /** The dataset's key in the provider's Vault (AES-256): it wraps each object's data key. */
  keyId: ocid,
  /** Signs headers and records. */
  sealingKey: SigningKey,
  oci: OciConfig,
  namespace: namespaceName,
  buckets: z.strictObject({ outbox: bucketName, governance: bucketName }),
  /** Allows plain http on loopback: for the emulator. */
  simulation: z.boolean(),
})
export type SealConfig = z.output<typeof SealConfig>

/**
 * For `open`. It contains the provider root: an attacker who can change it can make a forged result verify.
 */
export const OpenConfig = z.strictObject({
  /** The pin: the provider's signers, for these Verifiers. A result of a simulated root opens only with `simulation`. */
  trust: TrustAnchors.pick({ providerRoot: true, audience: true, simulation: true }),
  /** The provider's name in its documents. */
  tenant: name,
  oci: OciConfig,
  /** The bucket of results. */
  namespace: namespaceName,
  bucket: bucketName,
  /** The provider's buckets with certified keys and revocation lists, and with the registrations of boots. */
  provider: z.strictObject({ namespace: namespaceName, governance: bucketName, evidence: bucketName }),
})
export type OpenConfig = z.output<typeof OpenConfig>

/**
 * For `freshness`. An attacker who controls it controls what the pin says is in force; one who has its key can
 * keep an old state fresh if storage helps him.
 */
export const FreshnessConfig = z.strictObject({
  /** The pin, and the Verifiers that the statements are for. */
  trust: TrustAnchors.pick({ providerRoot: true, audience: true, simulation: true }),
  tenant: name,
  /** Its public half is in the verifier keys. */
  freshnessKey: SigningKey,
  /** The file with the last statement, created if it is absent. */
  state: path,
  oci: OciConfig,
  namespace: namespaceName,
  buckets: z.strictObject({ governance: bucketName, freshness: bucketName }),
})
export type FreshnessConfig = z.output<typeof FreshnessConfig>

/** For `policy sign`, `publish` and their kin: the pin of those who decide, and where their documents are. */
export const GovernConfig = z.strictObject({
  trust: TrustAnchors.pick({ providerRoot: true, audience: true, simulation: true }),
  tenant: name,
  oci: OciConfig,
  namespace: namespaceName,
  /** Without `freshness`, no statement is waited for. */
  buckets: z.strictObject({ governance: bucketName, freshness: bucketName.optional() }),
})
export type GovernConfig = z.output<typeof GovernConfig>

/** For `evidence export`. The copies are verified afterwards, from a pin that is not in this file. */
export const ExportConfig = z.strictObject({
  oci: OciConfig,
  provider: z.strictObject({
    namespace: namespaceName,
    governance: bucketName,
    /** The Verifiers' logs and registrations. */
    evidence: bucketName,
    workerEvidence: bucketName,
  }),
  consumer: z.strictObject({ namespace: namespaceName, results: bucketName }),
  /** Allows plain http on loopback: for the emulator. */
  simulation: z.boolean(),
})
export type ExportConfig = z.output<typeof ExportConfig>

/** For `dead-letters`: the pool's streams and its buckets with states and results. */
export const DeadLettersConfig = z.strictObject({
  oci: OciConfig,
  streams: z.strictObject({ jobs: ocid, deadLetters: ocid }),
  namespace: namespaceName,
  buckets: z.strictObject({ state: bucketName, results: bucketName }),
  /** Allows plain http on loopback: for the emulator. */
  simulation: z.boolean(),
})

/** For `enrol`: one authority. An attacker who controls its key lets strangers connect, and gets no key. */
export const EnrolConfig = z.strictObject({
  /** The register. */
  folder: path,
  key: SigningKey,
  /** For a key in the Vault. */
  oci: OciConfig.optional(),
  /** Allows plain http on loopback: for the emulator. */
  simulation: z.boolean(),
})
