import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openCollection } from '#adapters/evidence/collection.ts'
import { sha256, toBase64url, utf8 } from '#core/bytes.ts'
import { auditCollection } from '#core/evidence/audit/audit.ts'
import type { ReleaseStatus } from '#core/evidence/audit/report.ts'
import { noteDigest } from '#core/evidence/note.ts'
import { witnessedName } from '#core/evidence/witness/witnessed.ts'
import { keySigner } from '#core/jws.ts'
import type { ResultManifest } from '#core/sealed/manifest.ts'
import { cosignBy, cosignedNote } from '../../witnessing.ts'
import {
  type Boot,
  CollectionBuilder,
  PLATFORM_MEASUREMENT,
  providerRoot,
  randomId,
  traceparent,
} from './collectionBuilder.ts'

const dir = await mkdtemp(join(tmpdir(), 'cw-cases-'))
after(() => rm(dir, { recursive: true, force: true }))

type Actors = { readonly builder: CollectionBuilder; readonly verifier: Boot; readonly worker: Boot }
type Expected =
  | readonly string[]
  | { readonly findings: readonly string[]; readonly statuses: readonly ReleaseStatus[] }
const digest = toBase64url(sha256(utf8('another')))
const PLATFORM = {
  reference: 'reference-2',
  assurance: 'platform',
  measurement: PLATFORM_MEASUREMENT,
} as const
/** Made again from the recorded request, the decision or the appraisal is another. */
const AGAIN = ['decision.contradicted verifier:3']
const OTHERWISE = ['appraisal.contradicted verifier:2', 'grant.contradicted verifier:4']
const WINDOW = 1_800_000_000 - (1_800_000_000 % 86_400)
const QUOTA_USED = { releases: 1, objects: 1, bytes: 1 }
const foreign = keySigner(generateKeyPairSync('ed25519').privateKey)

const manifests: readonly (readonly [string, Partial<ResultManifest>, readonly string[]])[] = [
  ['attempt', { attempt: '0'.repeat(32) }, ['manifest.unannounced worker:2']],
  ['content', { contentDigest: digest }, ['content.altered', 'manifest.unannounced worker:2']],
  ['grant', { grantDigest: digest }, ['manifest.contradicted worker:2']],
  ['objects', { headerDigests: [digest] }, ['manifest.contradicted worker:2']],
  ['terms', { termsDigest: digest }, ['manifest.contradicted worker:2', 'manifest.unannounced worker:2']],
  ['workload', { workload: { name: 'fhir-summary', digest } }, ['manifest.contradicted worker:2']],
  ['intent', { intentIndex: 1 }, ['manifest.unannounced worker:1']],
  [
    'recipient',
    { recipient: { keyId: 'ocid1.key.oc1..x', keyVersionId: 'ocid1.key.oc1..x', thumbprint: digest } },
    ['manifest.contradicted worker:2', 'manifest.unannounced worker:2'],
  ],
  [
    'release',
    { releaseId: '0'.repeat(32) },
    ['manifest.contradicted worker:2', 'manifest.unannounced worker:2'],
  ],
]

// Each log is genuine and signed by its own key. Only their contents disagree.
const cases: Record<string, readonly [(actors: Actors) => Promise<unknown>, Expected]> = {
  'nothing happened yet': [
    async ({ verifier, worker }) => [await verifier.log.flush(), await worker.log.flush()],
    [],
  ],
  'a release leads to a result': [
    async ({ builder, verifier, worker }) => builder.publish(worker, await builder.release(verifier, worker)),
    { findings: [], statuses: ['visible'] },
  ],
  'a decision has no end': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      await builder.decide(verifier, worker)
    },
    { findings: ['release.unended verifier:3'], statuses: ['unended'] },
  ],
  'a Verifier dies after its decision, and two later ones tell it': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      const released = await builder.decide(verifier, worker)
      for (let i = 0; i < 2; i++) await builder.interrupt(await builder.boot('verifier'), released)
    },
    { findings: [], statuses: ['interrupted'] },
  ],
  'the log of an interrupted release goes on': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      await builder.interrupt(await builder.boot('verifier'), await builder.decide(verifier, worker))
      verifier.log.append(builder.loaded())
      await verifier.log.flush()
    },
    { findings: ['release.contradicted other:1'], statuses: ['interrupted'] },
  ],
  'an interrupted release had failed': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      const released = await builder.decide(verifier, worker)
      await builder.fail(verifier, released, 'key.unopened')
      const { checkpoint, size } = await verifier.log.flush()
      await builder.interrupt(await builder.boot('verifier'), released, {
        size,
        checkpointDigest: noteDigest(checkpoint),
      })
    },
    { findings: ['release.contradicted other:1'], statuses: ['withheld'] },
  ],
  'a worker has the key of an interrupted release': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.decide(verifier, worker)
      await builder.interrupt(await builder.boot('verifier'), released)
      await builder.receive(worker, released)
      await builder.publish(worker, released)
    },
    { findings: ['release.contradicted other:1'], statuses: ['visible'] },
  ],
  'an interruption names a checkpoint that the log does not have': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      const released = await builder.decide(verifier, worker)
      await builder.interrupt(await builder.boot('verifier'), released, { checkpointDigest: digest })
    },
    { findings: ['checkpoint.missing other:1'], statuses: ['interrupted'] },
  ],
  'an interruption names another size than its checkpoint has': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      const released = await builder.decide(verifier, worker)
      await builder.interrupt(await builder.boot('verifier'), released, { size: 9 })
    },
    { findings: ['release.contradicted other:1'], statuses: ['interrupted'] },
  ],
  'an interruption names a checkpoint from before the decision': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      const { checkpoint, size } = await verifier.log.flush()
      const released = await builder.decide(verifier, worker)
      await builder.interrupt(await builder.boot('verifier'), released, {
        size,
        checkpointDigest: noteDigest(checkpoint),
      })
    },
    // Nor does that log end there.
    { findings: ['release.contradicted other:1'], statuses: ['interrupted'] },
  ],
  'an interruption is about the log of another boot': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      const [later, idle] = [await builder.boot('verifier'), await builder.boot('verifier')]
      const { checkpoint, size } = await idle.log.flush()
      const named = { boot: idle.boot, size, checkpointDigest: noteDigest(checkpoint) }
      const released = await builder.decide(verifier, worker)
      await builder.interrupt(later, { ...released, verifier: { ...released.verifier, index: 0 } }, named)
    },
    { findings: ['release.contradicted other:1'], statuses: ['interrupted'] },
  ],
  'a release that no Verifier decided is interrupted': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      const released = await builder.decide(verifier, worker)
      await builder.fail(verifier, released, 'key.unopened')
      await builder.interrupt(await builder.boot('verifier'), { ...released, releaseId: randomId() })
    },
    { findings: ['release.unknown other:1'], statuses: ['withheld'] },
  ],
  'a key that was never issued is received': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.decide(verifier, worker)
      await builder.receive(worker, released)
      await builder.publish(worker, released)
    },
    ['release.unended verifier:3'],
  ],
  'a key of a failed release is received': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.decide(verifier, worker)
      await builder.fail(verifier, released, 'key.unopened')
      await builder.receive(worker, released)
      await builder.publish(worker, released)
    },
    ['release.contradicted worker:1'],
  ],
  'a release is issued twice': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.release(verifier, worker)
      await builder.issue(verifier, released)
      await builder.publish(worker, released)
    },
    ['release.repeated verifier:5'],
  ],
  'a release is decided twice': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.release(verifier, worker)
      const { releaseId, headerDigests } = released
      await builder.decide(verifier, worker, { releaseId, headerDigests })
      await builder.publish(worker, released)
    },
    ['release.repeated verifier:6'],
  ],
  'a release is issued before it is decided': [
    async ({ builder, verifier, worker }) => {
      const releaseId = randomId()
      verifier.log.append({ event: 'release.failed', releaseId, code: 'key.unopened' })
      await builder.decide(verifier, worker, { releaseId })
      await worker.log.flush()
    },
    { findings: ['release.contradicted verifier:2'], statuses: ['withheld'] },
  ],
  'a release without a decision is issued': [
    async ({ verifier, worker }) => {
      verifier.log.append({
        event: 'release.issued',
        releaseId: randomId(),
        grantDigest: digest,
        grantsDigest: digest,
      })
      await verifier.log.flush()
      await worker.log.flush()
    },
    ['release.unknown verifier:2'],
  ],
  'a key is received twice': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.release(verifier, worker)
      await builder.receive(worker, released)
      await builder.publish(worker, released)
    },
    ['job.order worker:2', 'release.repeated worker:2'],
  ],
  'a key decided for another boot is received': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker')
      await other.log.flush()
      const released = await builder.decide(verifier, other)
      await builder.issue(verifier, released)
      await builder.receive(worker, released)
      await builder.publish(worker, released)
    },
    { findings: ['release.contradicted worker:1'], statuses: ['visible'] },
  ],
  'a key comes with another grant': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.decide(verifier, worker)
      await builder.issue(verifier, released)
      await builder.receive(worker, released, { grantDigest: digest })
      await builder.publish(worker, { ...released, grantDigest: digest })
    },
    ['release.contradicted worker:1'],
  ],
  'a key is received for other objects': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.decide(verifier, worker)
      await builder.issue(verifier, released)
      await builder.receive(worker, released, { headerDigests: [digest] })
      await builder.publish(worker, { ...released, headerDigests: [digest] })
    },
    ['release.contradicted worker:1'],
  ],
  'a key comes from another entry than its decision': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.decide(verifier, worker)
      await builder.issue(verifier, released)
      await builder.receive(worker, released, { verifier: { ...released.verifier, index: 0 } })
      await builder.publish(worker, released)
    },
    ['release.contradicted worker:1'],
  ],
  'a grant comes with a checkpoint that the log does not have': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.decide(verifier, worker)
      await builder.issue(verifier, released)
      await builder.receive(worker, released, {
        verifier: { ...released.verifier, checkpointDigest: digest },
      })
      await builder.publish(worker, released)
    },
    ['checkpoint.missing worker:1', 'manifest.contradicted worker:2'],
  ],
  'a grant comes with a checkpoint from before its decision': [
    async ({ builder, verifier, worker }) => {
      const early = await builder.decide(verifier, worker)
      await builder.fail(verifier, early, 'key.unopened')
      const released = await builder.decide(verifier, worker)
      await builder.issue(verifier, released)
      const { checkpointDigest } = early.verifier
      await builder.receive(worker, released, { verifier: { ...released.verifier, checkpointDigest } })
      await builder.publish(worker, { ...released, checkpoint: early.checkpoint })
    },
    ['manifest.contradicted worker:2', 'release.contradicted worker:1'],
  ],
  'a worker dies with the key and no other takes over': [
    async ({ builder, verifier, worker }) => builder.release(verifier, worker),
    { findings: ['release.abandoned worker:1'], statuses: ['abandoned'] },
  ],
  'a worker dies before it acknowledges the key and no other takes over': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      await builder.issue(verifier, await builder.decide(verifier, worker))
    },
    { findings: ['release.abandoned worker'], statuses: ['undelivered'] },
  ],
  'a worker closes its log without an end': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker')
      const { headerDigests } = await builder.release(verifier, worker)
      await builder.publish(other, await builder.release(verifier, other, { headerDigests }))
      await worker.log.close('drained')
    },
    { findings: ['release.abandoned worker:1'], statuses: ['abandoned', 'visible'] },
  ],
  'a worker dies and another finishes other work': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker')
      await builder.release(verifier, worker)
      await builder.publish(other, await builder.release(verifier, other))
    },
    { findings: ['release.abandoned worker:1'], statuses: ['abandoned', 'visible'] },
  ],
  'a job fails twice': [
    async ({ builder, verifier, worker }) => {
      const { releaseId, jobId } = await builder.release(verifier, worker)
      for (const code of ['workload.failed', 'output.violated'] as const)
        worker.log.append({ event: 'job.failed', jobId, traceparent, releaseId, code })
      await worker.log.flush()
    },
    { findings: ['job.order worker:3'], statuses: ['failed'] },
  ],
  'a job is put back by a worker that has its key': [
    async ({ builder, verifier, worker }) => {
      const { jobId } = await builder.release(verifier, worker)
      const why = { jobId, traceparent, code: 'service.missing' } as const
      worker.log.append({ event: 'job.returned', ...why, notBefore: builder.now })
      await worker.log.flush()
    },
    { findings: ['job.order worker:2'], statuses: ['returned'] },
  ],
  'a job with a result is put back': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.release(verifier, worker)
      await builder.publish(worker, released)
      const why = { jobId: released.jobId, traceparent, code: 'service.missing' } as const
      worker.log.append({ event: 'job.returned', ...why, notBefore: builder.now })
      await worker.log.flush()
    },
    { findings: ['job.order worker:4'], statuses: ['visible'] },
  ],
  'a worker sets aside a job of which it made the result visible': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.release(verifier, worker)
      await builder.publish(worker, released)
      const why = { jobId: released.jobId, traceparent, code: 'object.withdrawn' } as const
      const refusal = await builder.refuse(verifier, worker)
      worker.log.append({ event: 'release.denied', ...why, denialId: refusal.denialId })
      worker.log.append({ event: 'job.dead-lettered', ...why, attempts: 0, headerDigests: [] })
      await worker.log.flush()
      await verifier.log.flush()
    },
    { findings: ['job.order worker:5'], statuses: ['visible'] },
  ],
  'another worker sets aside a job that has a result': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker')
      const released = await builder.release(verifier, worker)
      await builder.publish(worker, released)
      const why = { jobId: released.jobId, traceparent, code: 'object.withdrawn' } as const
      const refusal = await builder.refuse(verifier, other)
      other.log.append({ event: 'release.denied', ...why, denialId: refusal.denialId })
      other.log.append({ event: 'job.dead-lettered', ...why, attempts: 0, headerDigests: [] })
      await other.log.flush()
      await verifier.log.flush()
    },
    { findings: [], statuses: ['visible'] },
  ],
  'a worker logs a release that it did not receive': [
    async ({ verifier, worker }) => {
      const ids = { jobId: randomId(), releaseId: randomId(), traceparent }
      worker.log.append({ event: 'job.failed', ...ids, code: 'workload.failed' })
      await worker.log.flush()
      await verifier.log.flush()
    },
    ['release.contradicted worker:1'],
  ],
  'a worker fails before it has a release': [
    async ({ verifier, worker }) => {
      const poison = { jobId: randomId(), traceparent, code: 'object.malformed' } as const
      worker.log.append({ event: 'job.failed', ...poison, releaseId: null })
      worker.log.append({ event: 'job.dead-lettered', ...poison, attempts: 1, headerDigests: [] })
      await worker.log.flush()
      await verifier.log.flush()
    },
    [],
  ],
  'workers die before they log a receipt, and another sets the objects aside without a release': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker')
      await worker.log.flush()
      const issued = await builder.decide(verifier, worker)
      await builder.issue(verifier, issued)
      const killer = { jobId: randomId(), traceparent, code: 'job.exhausted' } as const
      other.log.append({ event: 'job.failed', ...killer, releaseId: null })
      other.log.append({
        event: 'job.dead-lettered',
        ...killer,
        attempts: 3,
        headerDigests: [...issued.headerDigests],
      })
      await other.log.flush()
    },
    { findings: [], statuses: ['undelivered'] },
  ],
  'a worker dies before it logs a receipt, the object is deleted, and its job is set aside unread': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker')
      await worker.log.flush()
      const issued = await builder.decide(verifier, worker)
      await builder.issue(verifier, issued)
      const { traceparent } = issued
      const gone = { jobId: randomId(), traceparent, code: 'service.missing' } as const
      other.log.append({ event: 'job.failed', ...gone, releaseId: null })
      other.log.append({ event: 'job.dead-lettered', ...gone, attempts: 1, headerDigests: [] })
      await other.log.flush()
    },
    { findings: [], statuses: ['undelivered'] },
  ],
  'a worker dies before it logs a receipt, and a job of another trace is set aside unread': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker')
      await worker.log.flush()
      await builder.issue(verifier, await builder.decide(verifier, worker))
      const gone = { jobId: randomId(), traceparent, code: 'service.missing' } as const
      other.log.append({ event: 'job.failed', ...gone, releaseId: null })
      other.log.append({ event: 'job.dead-lettered', ...gone, attempts: 1, headerDigests: [] })
      await other.log.flush()
    },
    { findings: ['release.abandoned worker'], statuses: ['undelivered'] },
  ],
  'a release is decided under one trace and received under another': [
    async ({ builder, verifier, worker }) => {
      const decided = await builder.decide(verifier, worker)
      await builder.issue(verifier, decided)
      await builder.receive(worker, { ...decided, traceparent })
    },
    ['release.abandoned worker:1', 'release.contradicted worker:1'],
  ],
  'a manifest names another trace than its receipt': [
    async ({ builder, verifier, worker }) => {
      const manifest = { traceparent }
      await builder.publish(worker, await builder.release(verifier, worker), { manifest })
    },
    ['manifest.contradicted worker:2'],
  ],
  'a worker dies before it logs a receipt, and other objects are set aside': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker')
      await worker.log.flush()
      await builder.issue(verifier, await builder.decide(verifier, worker))
      const killer = { jobId: randomId(), traceparent, code: 'job.exhausted' } as const
      other.log.append({ event: 'job.failed', ...killer, releaseId: null })
      other.log.append({
        event: 'job.dead-lettered',
        ...killer,
        attempts: 3,
        headerDigests: [digest],
      })
      await other.log.flush()
    },
    { findings: ['release.abandoned worker'], statuses: ['undelivered'] },
  ],
  'a result is published without an intent': [
    async ({ builder, verifier, worker }) =>
      builder.publish(worker, await builder.release(verifier, worker), { intent: 'none' }),
    ['job.order worker:2', 'manifest.unannounced worker:0', 'manifest.unannounced worker:2'],
  ],
  'a result is made visible without a manifest': [
    async ({ builder, verifier, worker }) =>
      builder.publish(worker, await builder.release(verifier, worker), { name: 'elsewhere' }),
    ['manifest.missing worker:3'],
  ],
  'a result is visible with another manifest': [
    async ({ builder, verifier, worker }) =>
      builder.publish(worker, await builder.release(verifier, worker), {
        visible: { manifestDigest: digest },
      }),
    ['manifest.contradicted worker:3'],
  ],
  'a result is made visible twice': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.release(verifier, worker)
      const { resultId, digest: manifestDigest, attempt } = await builder.publish(worker, released)
      const { releaseId } = released
      worker.log.append({ event: 'result.visible', releaseId, resultId, attempt, manifestDigest })
      await worker.log.flush()
    },
    ['job.order worker:4', 'result.repeated worker:4'],
  ],
  'a manifest is signed by an unregistered key': [
    async ({ builder, verifier, worker }) =>
      builder.publish(worker, await builder.release(verifier, worker), { signer: foreign }),
    ['manifest.missing worker:3', 'manifest.unverified'],
  ],
  'a worker finds a foreign manifest': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.release(verifier, worker)
      const { resultId } = await builder.publish(worker, released, { signer: foreign, visible: 'none' })
      const { releaseId } = released
      worker.log.append({ event: 'result.foreign', releaseId, resultId, manifestDigest: digest })
      await worker.log.flush()
    },
    { findings: ['manifest.unverified', 'manifest.unverified worker:3'], statuses: ['foreign'] },
  ],
  'a checkpoint in the manifest does not cover the intent': [
    async ({ builder, verifier, worker }) => {
      const { checkpoint } = await worker.log.flush()
      const released = await builder.release(verifier, worker)
      await builder.publish(worker, released, { manifest: { workerCheckpoint: checkpoint } })
    },
    ['manifest.missing worker:3', 'manifest.unverified'],
  ],
  'a checkpoint in the manifest is not a note': [
    async ({ builder, verifier, worker }) =>
      builder.publish(worker, await builder.release(verifier, worker), {
        manifest: { workerCheckpoint: 'x' },
      }),
    ['manifest.missing worker:3', 'manifest.unverified'],
  ],
  'a checkpoint of the Verifier in the manifest is not a note': [
    async ({ builder, verifier, worker }) =>
      builder.publish(worker, await builder.release(verifier, worker), {
        manifest: { verifierCheckpoint: 'x' },
      }),
    ['manifest.contradicted worker:2'],
  ],
  'a result is permitted and not committed': [
    async ({ builder, verifier, worker }) =>
      builder.publish(worker, await builder.release(verifier, worker), { commit: 'none' }),
    ['commit.missing worker:2'],
  ],
  'another output is committed than is permitted': [
    async ({ builder, verifier, worker }) =>
      builder.publish(worker, await builder.release(verifier, worker), { commit: { outputDigest: digest } }),
    ['commit.contradicted worker:2'],
  ],
  'another output is permitted than is announced': [
    async ({ builder, verifier, worker }) =>
      builder.publish(worker, await builder.release(verifier, worker), {
        permit: { outputDigest: digest },
        commit: { outputDigest: digest },
      }),
    ['manifest.contradicted worker:2'],
  ],
  'a cosigned checkpoint is not kept': [
    async ({ builder, verifier, worker }) =>
      builder.publish(worker, await builder.release(verifier, worker), { witnessed: 'none' }),
    ['cosignature.missing worker:3'],
  ],
  'a step between two cosigned checkpoints is absent': [
    async ({ builder, verifier, worker }) => {
      await builder.publish(worker, await builder.release(verifier, worker))
      const { size, checkpoint } = await worker.log.flush()
      const note = cosignBy(builder.witness, checkpoint, builder.now)
      await builder.put('evidence-verifier', witnessedName(worker.boot, size - 1), note)
      await builder.put('evidence-verifier', witnessedName(worker.boot, size), note)
    },
    ['cosignature.invalid worker:4'],
  ],
  'a checkpoint is cosigned by a boot that is no Verifier': [
    async ({ builder, verifier, worker }) => {
      await verifier.log.flush()
      const other = await builder.boot('worker')
      await other.log.flush()
      const { size, checkpoint } = await worker.log.flush()
      await builder.keepWitnessed(worker, size, cosignBy(other, checkpoint, builder.now))
    },
    ['cosignature.invalid worker:0'],
  ],
  'a checkpoint is cosigned that the log does not have': [
    async ({ builder, verifier, worker }) => {
      await verifier.log.flush()
      await worker.log.flush()
      await builder.keepWitnessed(worker, 9, cosignedNote(worker, builder.witness, 9, builder.now))
    },
    ['checkpoint.missing worker:9'],
  ],
  'a checkpoint is cosigned with another root': [
    async ({ builder, verifier, worker }) => {
      await verifier.log.flush()
      const { size } = await worker.log.flush()
      await builder.keepWitnessed(worker, size, cosignedNote(worker, builder.witness, size, builder.now))
    },
    ['checkpoint.forked worker:1'],
  ],
  ...Object.fromEntries(
    manifests.map(([field, manifest, expected]) => [
      `a manifest names another ${field}`,
      [
        async ({ builder, verifier, worker }: Actors) =>
          builder.publish(worker, await builder.release(verifier, worker), { manifest }),
        expected,
      ] as const,
    ]),
  ),
  'an intent names another recipient than the policy': [
    async ({ builder, verifier, worker }) => {
      const keys = { keyId: 'ocid1.key.oc1..x', keyVersionId: 'ocid1.key.oc1..x' }
      await builder.publish(worker, await builder.release(verifier, worker), {
        intent: { recipient: digest },
        manifest: { recipient: { ...keys, thumbprint: digest } },
      })
    },
    ['manifest.contradicted worker:2'],
  ],
  ...Object.fromEntries(
    (
      [
        ['a permission that the policy does not have', { permission: 'other' }, AGAIN],
        ['a dataset that the policy does not have', { dataset: 'other' }, AGAIN],
        ['another client', { client: 'other' }, ['attestation.contradicted verifier:2']],
        ['another purpose', { purpose: 'TREAT' }, ['attestation.contradicted verifier:2']],
        ['another measurement', { measurement: 'ee'.repeat(48) }, ['attestation.contradicted verifier:2']],
        ['another release', { reference: 'other' }, OTHERWISE],
        ['a level that the dataset does not allow', PLATFORM, AGAIN],
        [
          'a level that the release does not give',
          { dataset: 'shared', permission: 'shared-research', assurance: 'platform' },
          OTHERWISE,
        ],
        ['a permission of another dataset', { permission: 'shared-research' }, AGAIN],
        [
          'another window of its quota',
          { quota: { begins: 0, used: { releases: 1, objects: 1, bytes: 1 } } },
          [],
        ],
        ...(['releases', 'objects', 'bytes'] as const).map(
          (unit) =>
            [
              `more ${unit} than its quota`,
              { quota: { begins: WINDOW, used: { ...QUOTA_USED, [unit]: 1_000_000_001 } } },
              [],
            ] as const,
        ),
      ] as const
    ).map(([what, change, more]) => [
      `a decision is for ${what}`,
      [
        async ({ builder, verifier, worker }: Actors) =>
          builder.publish(worker, await builder.release(verifier, worker, change)),
        [...more, 'decision.unfounded verifier:3'].sort(),
      ] as const,
    ]),
  ),
  ...Object.fromEntries(
    (
      [
        ['an entry that is not there', 9],
        ['an entry that accepts no worker', 0],
      ] as const
    ).map(([what, accepted]) => [
      `a decision names ${what} as its worker's`,
      [
        async ({ builder, verifier, worker }: Actors) => {
          const released = await builder.release(verifier, worker, { accepted })
          await builder.publish(worker, released)
        },
        { findings: ['decision.unfounded verifier:2'], statuses: [] },
      ] as const,
    ]),
  ),
  ...Object.fromEntries(
    (
      [
        ['as many works as their quota has', 5, 1, []],
        ['one work more than their quota has', 6, 1, ['decision.unfounded other:15']],
        ['as many objects as their quota has', 1, 7, []],
        ['more objects than their quota has', 1, 8, ['decision.unfounded verifier:3']],
        ['one work more than their quota has, the same again', 6, 0, []],
      ] as const
    ).map(([what, works, objects, expected]) => [
      `decisions of two logs in one window have ${what}`,
      [
        async ({ builder, verifier, worker }: Actors) => {
          const second = await builder.boot('verifier')
          second.log.append(builder.loaded())
          const same = await builder.job({ dataset: 'shared' })
          for (let n = 0; n < works; n++) {
            const by = n === 0 ? verifier : second
            builder.now += 1
            const job = objects === 0 ? same : await builder.job({ dataset: 'shared', count: objects })
            const released = await builder.decide(by, worker, {
              job,
              dataset: 'shared',
              permission: 'shared-research',
            })
            await builder.fail(by, released, 'service.unavailable')
          }
          for (const { log } of [verifier, worker, second]) await log.flush()
        },
        { findings: expected, statuses: Array(works).fill('withheld') },
      ] as const,
    ]),
  ),
  'refused jobs name an entry that accepts no worker': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      await builder.refuseJobs(verifier, 0, [await builder.job({ dataset: 'nowhere' })])
    },
    ['decision.unfounded verifier:2'],
  ],
  'a refusal is about reference values that its policy does not have': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      const nearest = [{ reference: 'reference-9', differences: 1, fields: ['measurement'] }]
      await builder.refuse(verifier, worker, { nearest })
    },
    ['appraisal.contradicted verifier:2', 'decision.unfounded verifier:2'],
  ],
  'a refusal names a policy that is absent': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      await builder.refuse(verifier, worker, { policySeq: 2 })
    },
    ['policy.missing verifier:2'],
  ],
  'two jobs of one request are decided, and two are refused': [
    async ({ builder, verifier, worker }) => {
      const [job, foreignJob, another] = await Promise.all(
        ['cohort', 'nowhere', 'nowhere'].map((dataset) => builder.job({ dataset })),
      )
      assert.ok(job !== undefined && foreignJob !== undefined && another !== undefined)
      const first = await builder.decide(verifier, worker, { more: [job, foreignJob, another] })
      const accepted = first.verifier.index - 1
      const second = await builder.decide(verifier, worker, { accepted, job })
      await builder.refuseJobs(verifier, accepted, [foreignJob, another])
      for (const released of [first, second]) {
        await builder.issue(verifier, released)
        await builder.receive(worker, released)
        await builder.publish(worker, released)
      }
    },
    { findings: [], statuses: ['visible', 'visible'] },
  ],
  'a decision comes after the permission has ended': [
    async ({ builder, verifier, worker }) => {
      builder.now += 200_000
      await builder.publish(worker, await builder.release(verifier, worker))
    },
    ['appraisal.contradicted verifier:2', 'decision.unfounded verifier:3'],
  ],
  'a decision comes before the policy': [
    async ({ builder, verifier, worker }) => {
      builder.now -= 800
      const [early, other] = [await builder.boot('verifier'), await builder.boot('worker')]
      early.log.append(builder.loaded())
      await builder.publish(other, await builder.release(early, other))
      for (const { log } of [verifier, worker]) await log.flush()
    },
    ['decision.unfounded other:3'],
  ],
  'a decision in the last second is recorded in the next': [
    async ({ builder, verifier, worker }) => {
      builder.now += 100_000
      const released = await builder.release(verifier, worker, { decidedAt: builder.now - 1 })
      await builder.publish(worker, released)
    },
    [],
  ],
  'a platform worker gets a dataset for platform workers': [
    async ({ builder, verifier, worker }) =>
      builder.publish(
        worker,
        await builder.release(verifier, worker, {
          ...PLATFORM,
          dataset: 'shared',
          permission: 'shared-research',
        }),
      ),
    [],
  ],
  ...Object.fromEntries(
    (
      [
        ['permissions', 'decision.contradicted verifier:4'],
        ['referenceValues', 'appraisal.contradicted verifier:3'],
        ['boots', 'decision.contradicted verifier:3'],
      ] as const
    ).map(([list, again]) => [
      `a decision comes after a revocation in ${list}`,
      [
        async ({ builder, verifier, worker }: Actors) => {
          const revoked = {
            permissions: 'cohort-research',
            referenceValues: 'reference-1',
            boots: worker.boot,
          }
          const added = await builder.revoke({ seq: 2, [list]: [revoked[list]] })
          verifier.log.append({ ...builder.loaded(), revocationSeq: 2, revocations: [added] })
          await builder.publish(worker, await builder.release(verifier, worker, { revocationSeq: 2 }))
        },
        [again, 'decision.unfounded verifier:4'],
      ] as const,
    ]),
  ),
  'a decision names an absent policy': [
    async ({ builder, verifier, worker }) =>
      builder.publish(worker, await builder.release(verifier, worker, { policySeq: 2 })),
    ['policy.missing verifier:3'],
  ],
  'an absent policy is loaded twice': [
    async ({ builder, verifier, worker }) => {
      for (let i = 0; i < 2; i++)
        verifier.log.append({ ...builder.loaded(), policySeq: 7, policyDigest: digest, revocations: [] })
      await verifier.log.flush()
      await worker.log.flush()
    },
    ['policy.missing verifier:2'],
  ],
  'a boot is registered with other evidence than in the log': [
    async ({ builder, verifier, worker }) => {
      verifier.log.append({ ...builder.registered(worker.boot), reportDigest: digest })
      await verifier.log.flush()
      await worker.log.flush()
    },
    ['registration.unverified verifier:2'],
  ],
  'a registration and the log disagree about simulation': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker', { simulation: false })
      for (const { log } of [verifier, worker, other]) await log.flush()
    },
    ['registration.unverified other:0'],
  ],
  'a registration has another key': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker', { key: worker.jwk })
      for (const { log } of [verifier, worker, other]) await log.flush()
    },
    ['registration.missing other:2', 'registration.unverified'],
  ],
  'a boot is registered by an expired grant CA': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker', { time: builder.now + 1_000_000 })
      for (const { log } of [verifier, worker, other]) await log.flush()
    },
    ['registration.missing other:2', 'registration.unverified'],
  ],
  'a registration has the origin of another boot': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker', { origin: `confidential-worker/worker/${worker.boot}` })
      for (const { log } of [verifier, worker, other]) await log.flush()
    },
    ['registration.missing other:2', 'registration.unverified'],
  ],
  'a worker is registered without an attestation': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker', { attestation: null })
      for (const { log } of [verifier, worker, other]) await log.flush()
    },
    ['registration.missing other:2', 'registration.unverified'],
  ],
  'a registration is signed by an uncertified key': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker', 'unregistered')
      await builder.register(other, {}, foreign)
      for (const { log } of [verifier, worker, other]) await log.flush()
    },
    ['registration.unverified'],
  ],
  'a registered boot has never written': [
    async ({ builder, verifier, worker }) => {
      await builder.boot('worker')
      for (const { log } of [verifier, worker]) await log.flush()
    },
    ['log.missing other'],
  ],
  'an unregistered worker receives a key': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.boot('worker', 'unregistered')
      await builder.release(verifier, other)
      await worker.log.flush()
    },
    { findings: ['log.unregistered other', 'release.abandoned other'], statuses: ['undelivered'] },
  ],
  'an unregistered Verifier decides': [
    async ({ builder, verifier, worker }) => {
      await verifier.log.flush()
      const other = await builder.boot('verifier', 'unregistered')
      await builder.publish(worker, await builder.release(other, worker))
    },
    ['checkpoint.missing worker:2', 'log.unregistered other', 'release.unknown worker:1'],
  ],
  "a worker's log speaks as a Verifier, and the other way round": [
    async ({ builder, verifier, worker }) => {
      worker.log.append((await builder.refusal(worker)).body)
      const jobId = randomId()
      verifier.log.append({
        event: 'key.received',
        jobId,
        traceparent,
        releaseId: randomId(),
        grantDigest: digest,
        headerDigests: [digest],
        verifier: { boot: verifier.boot, index: 0, checkpointDigest: digest },
      })
      await worker.log.flush()
      await verifier.log.flush()
    },
    ['log.order verifier:2', 'log.order worker:1'],
  ],
}

describe('contradictions', { concurrency: 8 }, () => {
  for (const [name, [write, expected]] of Object.entries(cases))
    test(name, async () => {
      const folder = await mkdtemp(join(dir, 'builder-'))
      const builder = await CollectionBuilder.create(folder)
      builder.announces = true
      const actors = {
        builder,
        verifier: await builder.boot('verifier'),
        worker: await builder.boot('worker'),
      }
      actors.verifier.log.append(builder.loaded())
      await write(actors)
      const report = await auditCollection(openCollection(folder), { providerRoot, simulation: true })
      const who = (boot: string) =>
        boot === actors.verifier.boot ? 'verifier' : boot === actors.worker.boot ? 'worker' : 'other'
      const findings = report.findings.map(
        ({ code, log, index }) =>
          `${code}${log === null ? '' : ` ${who(log)}`}${index === null ? '' : `:${index}`}`,
      )
      const statuses = report.releases.flatMap((release) =>
        release.kind === 'allowed' ? [release.status] : [],
      )
      const wanted = 'findings' in expected ? expected : { findings: expected, statuses }
      assert.deepEqual(
        { findings: [...new Set(findings)].sort(), statuses: statuses.sort() },
        {
          findings: [...wanted.findings].sort(),
          statuses: [...wanted.statuses].sort(),
        },
      )
    })
})

describe('a job that was set aside is overtaken by a result', () => {
  const why = { traceparent, code: 'job.exhausted' } as const
  const letter = (headerDigests: string[], jobId: string) =>
    ({ event: 'job.dead-lettered', ...why, jobId, attempts: 3, headerDigests }) as const
  for (const { name, write, overtaken } of [
    {
      name: 'of the same job, whose objects the letter does not name',
      write: async ({ builder, verifier, worker, other }: Actors & { readonly other: Boot }) => {
        const released = await builder.release(verifier, worker)
        other.log.append({ event: 'job.failed', ...why, jobId: released.jobId, releaseId: null })
        other.log.append(letter([], released.jobId))
        return await builder.publish(worker, released)
      },
      overtaken: true,
    },
    {
      name: 'of the same objects, whose worker died before it logged its receipt',
      write: async ({ builder, verifier, worker, other }: Actors & { readonly other: Boot }) => {
        const released = await builder.release(verifier, worker)
        const jobId = randomId()
        other.log.append({ event: 'job.failed', ...why, jobId, releaseId: null })
        other.log.append(letter([...released.headerDigests], jobId))
        return await builder.publish(worker, released)
      },
      overtaken: true,
    },
    {
      name: 'which another worker found',
      write: async ({ builder, verifier, worker, other }: Actors & { readonly other: Boot }) => {
        const released = await builder.release(verifier, worker)
        const { headerDigests } = released
        const made = await builder.publish(worker, released)
        const again = await builder.release(verifier, other, { headerDigests })
        const { releaseId, jobId } = again
        const { resultId, digest: manifestDigest } = made
        other.log.append({ event: 'result.superseded', releaseId, resultId, manifestDigest })
        worker.log.append({ event: 'job.failed', ...why, jobId, releaseId: null })
        worker.log.append(letter([], jobId))
        await worker.log.flush()
        return made
      },
      overtaken: true,
    },
    {
      name: 'but not of other objects',
      write: async ({ builder, verifier, worker, other }: Actors & { readonly other: Boot }) => {
        const jobId = randomId()
        other.log.append({ event: 'job.failed', ...why, jobId, releaseId: null })
        other.log.append(letter([digest], jobId))
        return await builder.publish(worker, await builder.release(verifier, worker))
      },
      overtaken: false,
    },
  ])
    test(name, async () => {
      const folder = await mkdtemp(join(dir, 'builder-'))
      const builder = await CollectionBuilder.create(folder)
      builder.announces = true
      const [verifier, worker, other] = [
        await builder.boot('verifier'),
        await builder.boot('worker'),
        await builder.boot('worker'),
      ]
      verifier.log.append(builder.loaded())
      const { resultId } = await write({ builder, verifier, worker, other })
      await other.log.flush()
      const report = await auditCollection(openCollection(folder), { providerRoot, simulation: true })
      assert.deepEqual(report.findings, [])
      assert.deepEqual(
        report.setAside.map(({ code, attempts, overtakenBy }) => ({ code, attempts, overtakenBy })),
        [{ code: 'job.exhausted', attempts: 3, overtakenBy: overtaken ? resultId : null }],
      )
    })
})
