/**
 * The Verifier's configuration: one JSON file. Whoever controls it controls what the provider releases: it names the
 * policy signers, the roots of processors and the Vault. It lies on the Verifier's host beside the keys that it serves,
 * readable and writable for the provider's operator alone.
 */
import { z } from 'zod'
import { OciConfig } from '#adapters/oci/config.ts'
import { KdsUrl } from '#adapters/sev/kds.ts'
import { audience, bucketName, name, namespaceName, ocid } from '#core/fields.ts'
import { TrustAnchors } from '#core/release/trust.ts'

const path = z
  .string()
  .regex(/^\/[^\0]*$/, 'must be an absolute path')
  .max(4096)
const address = z.strictObject({
  host: z.string().min(1).max(255),
  /** 0 takes a free one; the log's `ready` line says which. */
  port: z.int().min(0).max(65_535),
})

export const VerifierConfig = z.strictObject({
  /** Where workers connect: TLS 1.3, end to end. */
  listen: address,
  /**
   * PEM files: the server's certificate chain and key, and the CAs whose client certificates are let in. A client
   * certificate keeps strangers from the parser; it proves nothing that attestation and assertion must prove.
   */
  tls: z.strictObject({ cert: path, key: path, clientCa: path }),
  /** The Verifier's name in nonces, assertions, policies and grants; the same for all replicas. */
  audience,
  /** The provider, as headers and policies name it; a policy of another tenant does not load. */
  tenant: name,
  /** The policy signers: what they sign by quorum is in force, and nothing else. */
  providerRoot: TrustAnchors.shape.providerRoot.refine(
    ({ keys, threshold }) => new Set(keys.map(({ person }) => person)).size >= threshold,
    'threshold: must not be more than there are persons',
  ),
  /**
   * True lets simulated roots and plain http endpoints on loopback in, for synthetic data alone; it is loud in log,
   * metrics, evidence and grants. A policy must say the same.
   */
  simulation: z.boolean(),
  logLevel: TrustAnchors.shape.logLevel,
  /** The Verifier's own principal, and the services; `vaultCrypto` and `vaultManagement` are the provider's vault. */
  oci: OciConfig,
  /** The provider's namespace and buckets: governance (read), evidence and state (create, read). */
  namespace: namespaceName,
  buckets: z.strictObject({ governance: bucketName, evidence: bucketName, state: bucketName }),
  /** The Vault secret of 32 random bytes under which nonces are made; all replicas share it. */
  macSecretId: ocid,
  /** The P-384 Vault key that certifies grant keys and signs registrations; `verifier-keys` must name it. */
  grantCaKeyId: ocid,
  endorsements: z.strictObject({
    /**
     * A folder with `<Product>/{ark,ask,asvk,crl}.der`, as far as they are there; AMD's own certificates need not be. An ARK that
     * is not AMD's own by its fingerprint is a simulated root and loads only in simulation. Newer lists are written here.
     */
    folder: path,
    /**
     * AMD's key distribution service, asked for revocation lists in the background; absent, nobody is asked. Whoever answers
     * there can keep a new list back, until releases that demand one refuse.
     */
    kds: z.strictObject({ url: KdsUrl, refreshHours: z.int().min(1).max(168) }).optional(),
  }),
  /** `/metrics`, `/healthz`, `/readyz`; plain HTTP, so bind it to loopback or to the scraper's network. */
  monitor: address,
  /** How often the governance bucket is listed. What has not been confirmed for 30 seconds releases nothing. */
  policyListingSeconds: z.int().min(1).max(15),
  /** How long requests in hand and the last evidence may take after the first SIGTERM. */
  drainSeconds: z.int().min(1).max(300),
})
export type VerifierConfig = z.output<typeof VerifierConfig>
