/**
 * The worker's configuration: one JSON file. `trust` holds what could weaken the worker: every report covers
 * its digest, and the provider lists the digests it accepts. An attacker who controls the rest can only cause
 * refusal or delay, since every input is verified and every output is sealed.
 */
import { z } from 'zod'
import { OciConfig } from '#adapters/oci/config.ts'
import { ReportSourceConfig } from '#adapters/sev/source.ts'
import { audience, bucketName, name, namespaceName, ocid } from '#core/fields.ts'
import { TrustAnchors } from '#core/release/trust.ts'
import { concurrencyIn, memoryOf } from './memory.ts'

const path = z.string().startsWith('/').max(4096)

const MOST_ADDRESSES = 8

const verifierUrls = z
  .array(audience)
  .min(1)
  .max(MOST_ADDRESSES)
  .check(({ value, issues }) => {
    const hosts = value.map((url) => (URL.canParse(url) ? new URL(url).host : undefined))
    for (const [at, host] of hosts.entries())
      if (host === undefined || hosts.indexOf(host) !== at)
        issues.push({
          code: 'custom',
          input: value[at],
          path: [at],
          message: host === undefined ? 'is not an https origin' : 'names an address twice',
        })
  })

/** The unit's `TimeoutStopSec` is longer, so this drain is the one that counts. */
export const MAX_DRAIN_SECONDS = 900

export const WorkerConfig = z.strictObject({
  trust: TrustAnchors.omit({ workloads: true }).meta({
    description:
      'Covered by the trust digest, together with the digests of the workloads. Change it only with the policy: a worker with other values gets no keys.',
  }),
  verifier: z
    .strictObject({
      urls: verifierUrls.meta({
        description: `Its addresses, 1 to ${MOST_ADDRESSES} https origins: any of its replicas. The first that answers is asked; the others stand in for it.`,
        example: ['https://verifier-1.hospital.example:8443', 'https://verifier-2.hospital.example:8443'],
      }),
      ca: path.meta({
        description: "PEM file: the CA of the Verifier's server certificate.",
        example: '/etc/confidential-worker/verifier-ca.pem',
      }),
      crl: path.meta({
        description:
          'PEM file: the revocation list of that CA, as `enrol revoke` writes it. After its end no Verifier is believed.',
        example: '/etc/confidential-worker/verifier-crl.pem',
      }),
      cert: path.meta({
        description: "PEM file: this worker's client certificate.",
        example: '/run/credentials/confidential-worker.service/client-cert.pem',
      }),
      key: path.meta({
        description: 'PEM file: the key of the client certificate.',
        example: '/run/credentials/confidential-worker.service/client-key.pem',
      }),
    })
    .meta({ description: 'The Verifier that grants keys.' }),
  attestation: ReportSourceConfig.meta({
    description:
      'The source of attestation reports: "auto" (the device, else configfs-tsm), "device" or "configfs-tsm"; the last two take a "path". In a simulation: {"source": "socket", "path": "/…"}. "endorsements" names the folder of AMD\'s certificates and, as "kds", the service for certificates that neither host nor folder has.',
    example: {
      source: 'auto',
      endorsements: {
        folder: '/var/lib/confidential-worker/endorsements',
        kds: { url: 'https://kdsintf.amd.com' },
      },
    },
  }),
  client: z
    .strictObject({
      keyId: ocid.meta({
        description: "The P-384 key in the consumer's Vault that signs client assertions.",
        example: 'ocid1.key.oc1.eu-frankfurt-1.example.client',
      }),
    })
    .meta({ description: 'The signature of who asks the Verifier.' }),
  oci: OciConfig,
  stream: z
    .strictObject({
      id: ocid.meta({ description: 'The jobs stream.', example: 'ocid1.stream.oc1.eu-frankfurt-1.jobs' }),
      group: name.meta({
        description: 'The consumer group; every worker of the pool names the same.',
        example: 'workers',
      }),
      deadLetterId: ocid.meta({
        description: 'The stream for jobs that were set aside.',
        example: 'ocid1.stream.oc1.eu-frankfurt-1.deadletters',
      }),
      reservationMs: z.int().min(2000).max(60_000).meta({
        description:
          'How long a silent worker keeps its partitions, 2,000 to 60,000 milliseconds. OCI reserves for 30,000; a smaller value only shortens a take-over.',
        example: 30_000,
      }),
    })
    .meta({ description: 'The source of jobs.' }),
  registrations: z
    .strictObject({
      namespace: namespaceName.meta({
        description: "The provider's Object Storage namespace.",
        example: 'hospital',
      }),
      bucket: bucketName.meta({
        description: "The provider's evidence bucket.",
        example: 'evidence-verifier',
      }),
    })
    .meta({
      description: "The registrations of boots: they tell another worker's result from a stranger's.",
    }),
  evidence: z
    .strictObject({
      namespace: namespaceName.meta({
        description: "The provider's Object Storage namespace.",
        example: 'hospital',
      }),
      bucket: bucketName.meta({
        description: "The provider's bucket with the workers' logs (create, read).",
        example: 'evidence-worker',
      }),
    })
    .meta({ description: "Where this worker's log lies: with the provider, who retains it." }),
  namespace: namespaceName.meta({
    description: "The consumer's Object Storage namespace, for the buckets below.",
    example: 'research',
  }),
  buckets: z.strictObject({
    results: bucketName.meta({ description: 'Sealed results (create, read).', example: 'results' }),
    state: bucketName.meta({ description: 'Attempts per job (create, read).', example: 'worker-state' }),
  }),
  batch: z
    .strictObject({
      maxJobs: z.int().min(1).max(64).meta({
        description:
          'Jobs leased at once, 1 to 64: they share one challenge, one report and one release request.',
        example: 16,
      }),
      concurrency: z.int().min(1).max(64).meta({
        description: 'Jobs of a batch that run in parallel, 1 to 64, and no more than fit into memoryMib.',
        example: 2,
      }),
      memoryMib: z.int().min(1).max(1_048_576).meta({
        description:
          "The memory for this worker in MiB, at most the unit's MemoryMax: a worker that may use less does not start.",
        example: 512,
      }),
    })
    .check(({ value: { concurrency, memoryMib }, issues }) => {
      const most = concurrencyIn(memoryMib)
      if (concurrency > most)
        issues.push({
          code: 'custom',
          input: concurrency,
          path: ['concurrency'],
          message: `${concurrency} concurrent jobs may need ${memoryOf(concurrency)} MiB, memoryMib is ${memoryMib}, in which ${most} fit`,
        })
    }),
  monitor: z
    .strictObject({
      host: z
        .string()
        .min(1)
        .max(255)
        .meta({ description: 'The address to listen on.', example: '127.0.0.1' }),
      port: z.int().min(0).max(65_535).meta({ description: '0 takes a free port.', example: 9464 }),
    })
    .meta({
      description:
        '/metrics, /healthz and /readyz over plain HTTP: bind it to loopback or to the network of the scraper.',
    }),
  drainSeconds: z.int().min(1).max(MAX_DRAIN_SECONDS).meta({
    description:
      'How long current jobs may take after the first SIGTERM, 1 to 900 seconds. What is not done then runs again.',
    example: 90,
  }),
})
export type WorkerConfig = z.output<typeof WorkerConfig>
