/** What a worker's doctor tries: as this worker, with its files and its rights. */
import { randomBytes } from 'node:crypto'
import { type Check, finding, good, left } from '#adapters/doctor/check.ts'
import { clockCheck } from '#adapters/doctor/clocks.ts'
import { type ForeignKey, foreignKeyCheck } from '#adapters/doctor/foreignKeys.ts'
import { signingKeyCheck } from '#adapters/doctor/keys.ts'
import { allowed, bucketChecks, refused } from '#adapters/doctor/permissions.ts'
import { tlsChecks } from '#adapters/doctor/tls.ts'
import type { Oci } from '#adapters/oci/clients.ts'
import { createKds } from '#adapters/sev/kds.ts'
import { createReportSource } from '#adapters/sev/source.ts'
import type { ClockSkew } from '#adapters/system/clockSkew.ts'
import { createLog } from '#adapters/system/log.ts'
import type { Challenge } from '#core/release/nonce.ts'
import type { Clock } from '#ports/clock.ts'
import type { WorkerConfig } from './config.ts'
import { verifierFiles } from './material.ts'

export type WorkerContext = {
  readonly config: WorkerConfig
  readonly oci: Oci
  readonly skew: ClockSkew
  readonly clock: Clock
  readonly foreign: readonly ForeignKey[]
  /** One challenge of each address, for all rows. The Verifier keeps nothing of it. */
  readonly challenges: () => Promise<readonly Challenge[]>
}

const GROUP = 'dynamic-group workers'
const BOTH = 'provider.policy and consumer.policy'
const WRITE_ONCE = [{ verb: 'overwrite' }, { verb: 'delete' }] as const

const VERIFIER: readonly Check<WorkerContext>[] = [
  {
    id: 'verifier.answers',
    tries: 'asks each address of the Verifier for a challenge, with the client certificate',
    expects: "a nonce for trust.audience, from a server with a certificate of verifier.ca's",
    remedy: 'correct verifier.urls, the network between, or the file that the line names',
    run: async ({ config, challenges }) => {
      const { audience } = config.trust
      const other = (await challenges()).findIndex(({ aud }) => aud !== audience)
      return other === -1
        ? good(`it answers as ${audience}`)
        : finding(`${config.verifier.urls[other]} is not ${audience}, which trust.audience names`)
    },
  },
  clockCheck('verifier', ({ challenges }) => challenges()),
]

const ATTESTATION: readonly Check<WorkerContext>[] = [
  {
    id: 'attestation.report',
    tries: 'has the firmware sign a report about random bytes',
    expects: 'a report about them, with certificates',
    remedy: 'the line says what is missing: the device, its permission, or the certificate of the chip',
    run: async ({ config, clock }, signal) => {
      const { simulation } = config.trust
      const log = createLog('doctor', 'error')
      const source = await createReportSource(config.attestation, { simulation, clock, log })
      const { certs } = await source.getReport(randomBytes(64), signal)
      return certs.length === 0
        ? finding(`a report by ${source.kind}, without a certificate`)
        : good(`a report by ${source.kind}, with ${certs.length} certificates`)
    },
  },
  {
    id: 'attestation.kds',
    tries: "asks AMD's key distribution service for a revocation list",
    expects: 'an answer',
    remedy: 'let this machine reach the address of attestation.endorsements.kds, or place the certificates',
    run: async ({ config, clock }, signal) => {
      const { attestation, trust } = config
      const kds = attestation.source === 'socket' ? undefined : attestation.endorsements.kds
      if (kds === undefined) return left('no service is configured')
      await createKds({ url: kds.url, simulation: trust.simulation, clock }).crl('Genoa', signal)
      return good(`${kds.url} answers`)
    },
  },
]

const STREAMS: readonly Check<WorkerContext>[] = [
  allowed(
    {
      id: 'stream.jobs.consume',
      tries: 'asks for a cursor and reads nothing',
      remedy: `give ${GROUP} stream-pull on stream.id (infra/policies/consumer.policy), or correct the OCID`,
    },
    ({ oci, config }) => oci.probes().mayConsume(config.stream.id),
  ),
  refused(
    {
      id: 'stream.dead-letters.consume',
      tries: 'asks for a cursor and reads nothing',
      remedy: `take stream-pull on stream.deadLetterId away from ${GROUP}: only operators read it`,
    },
    ({ oci, config }) => oci.probes().mayConsume(config.stream.deadLetterId),
  ),
]

export const WORKER_CHECKS: readonly Check<WorkerContext>[] = [
  ...tlsChecks<WorkerContext>(({ config }) => verifierFiles(config)),
  ...VERIFIER,
  clockCheck('oci', ({ oci, config }) => oci.probes().keyShape(config.client.keyId)),
  ...ATTESTATION,
  signingKeyCheck(
    {
      id: 'key.client',
      remedy: `give ${GROUP} KEY_READ and KEY_SIGN on client.keyId (infra/policies/consumer.policy), a P-384 key; the policy must list its public half`,
    },
    ({ oci, config }) => oci.keyVault().signer(config.client.keyId),
  ),
  foreignKeyCheck(GROUP),
  ...STREAMS,
  ...bucketChecks<WorkerContext>(GROUP, {
    id: 'results',
    place: ({ config }) => ({ namespace: config.namespace, bucket: config.buckets.results }),
    policy: 'consumer.policy',
    may: [{ verb: 'list' }, { verb: 'read' }, { verb: 'create', under: 'r/' }],
    mustNot: WRITE_ONCE,
  }),
  ...bucketChecks<WorkerContext>(GROUP, {
    id: 'state',
    place: ({ config }) => ({ namespace: config.namespace, bucket: config.buckets.state }),
    policy: 'consumer.policy',
    may: [
      { verb: 'list' },
      { verb: 'read' },
      { verb: 'create', under: 'attempt/' },
      { verb: 'create', under: 'done/' },
    ],
    // A worker that could start a round of attempts would try a job for ever.
    mustNot: [{ verb: 'create', under: 'retry/' }, ...WRITE_ONCE],
  }),
  ...bucketChecks<WorkerContext>(GROUP, {
    id: 'evidence',
    place: ({ config }) => config.evidence,
    policy: BOTH,
    may: [{ verb: 'list' }, { verb: 'read' }, { verb: 'create' }],
    mustNot: WRITE_ONCE,
  }),
  ...bucketChecks<WorkerContext>(GROUP, {
    id: 'registrations',
    place: ({ config }) => config.registrations,
    policy: BOTH,
    may: [{ verb: 'read', under: 'registration/' }],
    // A worker that could register a boot would make any result its own.
    mustNot: [{ verb: 'create', under: 'registration/' }, { verb: 'read', under: 'log/' }, { verb: 'list' }],
  }),
]
