/**
 * The Verifier's configuration: one JSON file. An attacker who controls it controls which keys the provider
 * releases: it names the policy signers, the roots of processors and the Vault. It lies on the Verifier's
 * host beside the keys of its TLS server; only the provider's operator may read or write it.
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

const address = (host: string, port: number) =>
  z.strictObject({
    host: z.string().min(1).max(255).meta({ description: 'The address to listen on.', example: host }),
    port: z.int().min(0).max(65_535).meta({
      description: '0 takes a free port; the log line `ready` says which.',
      example: port,
    }),
  })

const ownFiles = {
  cert: path.meta({
    description: "The server's certificate chain.",
    example: '/etc/confidential-verifier/server-cert.pem',
  }),
  key: path.meta({ description: 'Its key.', example: '/etc/confidential-verifier/server-key.pem' }),
}

export const VerifierConfig = z.strictObject({
  listen: address('0.0.0.0', 8443).meta({
    description:
      'For workers: TLS 1.3, end to end; balance the load by TCP, not by HTTP. For a gateway that ends TLS see tls.clientCertificates.',
  }),
  tls: z
    .discriminatedUnion('clientCertificates', [
      z.strictObject({
        clientCertificates: z.literal('required').meta({
          description:
            'Or "at-gateway", without clientCa and clientCrl: a gateway ends TLS, looks at certificates and alone reaches this port. No header of it is believed. docs/operations.md says what is lost.',
          example: 'required',
        }),
        ...ownFiles,
        clientCa: path.meta({
          description:
            'The CAs of accepted client certificates. A client certificate keeps strangers from the parser; it proves nothing that attestation and assertion must prove.',
          example: '/etc/confidential-verifier/client-ca.pem',
        }),
        clientCrl: path.meta({
          description:
            'The revocation list of each of these CAs, as `enrol revoke` writes it. After the end of a list every certificate of its CA is refused.',
          example: '/etc/confidential-verifier/client-crl.pem',
        }),
      }),
      z.strictObject({ clientCertificates: z.literal('at-gateway'), ...ownFiles }),
    ])
    .meta({ description: 'PEM files.' }),
  audience: audience.meta({
    description: "The Verifier's name in nonces, assertions, policies and grants; the same for all replicas.",
    example: 'https://verifier.hospital.example',
  }),
  tenant: name.meta({
    description: "The provider's name in headers and policies; a policy of another tenant does not load.",
    example: 'hospital',
  }),
  providerRoot: TrustAnchors.shape.providerRoot.refine(
    ({ keys, threshold }) => new Set(keys.map(({ person }) => person)).size >= threshold,
    'threshold: must not be more than there are persons',
  ),
  simulation: z.boolean().meta({
    description:
      'True accepts simulated roots and plain http endpoints on loopback: only for synthetic data. Log, metrics, evidence and grants show it, and the policy must state it too.',
    example: false,
  }),
  logLevel: TrustAnchors.shape.logLevel,
  oci: OciConfig.meta({
    description: "The Verifier's own identity, and the services. The Vault is the provider's.",
  }),
  namespace: namespaceName.meta({
    description: "The provider's Object Storage namespace, for the buckets below.",
    example: 'hospital',
  }),
  buckets: z.strictObject({
    governance: bucketName.meta({
      description: 'Policies, keys and revocations (read).',
      example: 'governance',
    }),
    freshness: bucketName.meta({
      description:
        'Freshness statements (read): what is in force, by a key of its own. Without one of the last 15 minutes nothing is released.',
      example: 'freshness',
    }),
    evidence: bucketName.meta({
      description:
        "Verifiers' logs, registrations, and what they witnessed: cosigned checkpoints, commits and digests (create, read, list).",
      example: 'evidence-verifier',
    }),
    workerEvidence: bucketName.meta({
      description: "The workers' logs (read): what is cosigned must be there.",
      example: 'evidence-worker',
    }),
    state: bucketName.meta({
      description:
        'Nonce markers, quotas, and the boots that took requests (create, read, list). Give it lifecycle rules of one day for nonce/, of 32 days for boots/ and settled/, and of 64 days for quota/.',
      example: 'verifier-state',
    }),
  }),
  macSecretId: ocid.meta({
    description: 'The Vault secret of 32 random bytes that authenticates nonces; all replicas share it.',
    example: 'ocid1.vaultsecret.oc1.eu-frankfurt-1.nonces',
  }),
  grantCaKeyId: ocid.meta({
    description:
      'The P-384 Vault key that certifies grant keys and signs registrations; verifier-keys must name it.',
    example: 'ocid1.key.oc1.eu-frankfurt-1.example.grantca',
  }),
  endorsements: z.strictObject({
    folder: path.meta({
      description:
        "A folder with <Product>/crl.der and, if they are not AMD's current ones, <Product>/{ark,ask,asvk}.der. An ARK that is not AMD's by its fingerprint is a simulated root and loads only in simulation. Newer revocation lists are written here.",
      example: '/etc/confidential-verifier/endorsements',
    }),
    kds: z
      .strictObject({
        url: KdsUrl.meta({ description: 'Its origin.', example: 'https://kdsintf.amd.com' }),
        refreshHours: z.int().min(1).max(168).meta({
          description: 'Hours between requests for revocation lists, 1 to 168.',
          example: 24,
        }),
      })
      .meta({
        description:
          "AMD's key distribution service, asked for revocation lists in the background. An attacker on the path can keep back a new list, until reference values that require one refuse.",
      })
      .optional(),
  }),
  monitor: address('127.0.0.1', 9464).meta({
    description:
      '/metrics, /healthz and /readyz over plain HTTP: bind it to loopback or to the network of the scraper.',
  }),
  policyListingSeconds: z.int().min(1).max(15).meta({
    description:
      'Seconds between listings of the governance bucket, 1 to 15. After 30 seconds without confirmation nothing is released.',
    example: 10,
  }),
  requestSeconds: z.int().min(2).max(25).meta({
    description:
      'The deadline of a release request, 2 to 25 seconds; workers wait for 30. A later boot writes `release.interrupted` for a Verifier that died in a release, after its log stood still for twice that time.',
    example: 20,
  }),
  drainSeconds: z.int().min(1).max(300).meta({
    description:
      'How long current requests and the last evidence may take after the first SIGTERM, 1 to 300 seconds.',
    example: 30,
  }),
})
export type VerifierConfig = z.output<typeof VerifierConfig>
