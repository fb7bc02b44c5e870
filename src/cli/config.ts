/**
 * The configuration files of the commands: one JSON file for whoever seals, one for whoever opens results, one for
 * whoever collects evidence. None of them holds a secret; where a key is a file, its path stands here.
 */
import { z } from 'zod'
import { OciConfig } from '#adapters/oci/config.ts'
import { bucketName, name, namespaceName, ocid } from '#core/fields.ts'
import { TrustAnchors } from '#core/release/trust.ts'

const path = z.string().startsWith('/').max(4096)

/** Of the sealing host (`seal`, `upload`). Whoever controls it decides under which keys the hospital's data is sealed. */
export const SealConfig = z.strictObject({
  /** As the policy names the hospital and the dataset. */
  tenant: name,
  dataset: name,
  /** The dataset's key in the provider's Vault (AES-256): it wraps each object's data key. */
  keyId: ocid,
  /** Who signs headers and records: a P-384 key of the Vault, or an Ed25519 private key in a PEM file. */
  sealingKey: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('vault'), keyId: ocid }),
    z.strictObject({ kind: z.literal('file'), path }),
  ]),
  oci: OciConfig,
  namespace: namespaceName,
  buckets: z.strictObject({ outbox: bucketName, governance: bucketName }),
  /** Allows plain http to this machine: the emulator. */
  simulation: z.boolean(),
})
export type SealConfig = z.output<typeof SealConfig>

/** Of a researcher (`open`). Whoever controls it can make a result of nobody look like one, so it holds the pin. */
export const OpenConfig = z.strictObject({
  /** The pin: who signs for the provider. A result of a simulated root opens only with `simulation`. */
  trust: TrustAnchors.pick({ providerRoot: true, simulation: true }),
  oci: OciConfig,
  /** Where the results are. */
  namespace: namespaceName,
  bucket: bucketName,
  /** The provider's buckets with its certified keys and with the registrations of boots. */
  provider: z.strictObject({ namespace: namespaceName, governance: bucketName, evidence: bucketName }),
})
export type OpenConfig = z.output<typeof OpenConfig>

/** Of an auditor (`evidence export`). What it leads to is verified afterwards, from a pin of its own. */
export const ExportConfig = z.strictObject({
  oci: OciConfig,
  provider: z.strictObject({ namespace: namespaceName, governance: bucketName, evidence: bucketName }),
  consumer: z.strictObject({ namespace: namespaceName, evidence: bucketName, results: bucketName }),
  /** Allows plain http to this machine: the emulator. */
  simulation: z.boolean(),
})
export type ExportConfig = z.output<typeof ExportConfig>
