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
import { keySigner } from '#core/jws.ts'
import type { ResultManifest } from '#core/sealed/manifest.ts'
import { type Boot, PLATFORM_MEASUREMENT, providerRoot, randomId, Story, traceparent } from './story.ts'

const dir = await mkdtemp(join(tmpdir(), 'cw-stories-'))
after(() => rm(dir, { recursive: true, force: true }))

type Cast = { readonly story: Story; readonly verifier: Boot; readonly worker: Boot }
type Expected =
  | readonly string[]
  | { readonly findings: readonly string[]; readonly statuses: readonly ReleaseStatus[] }
const digest = toBase64url(sha256(utf8('another')))
const PLATFORM = {
  reference: 'reference-2',
  assurance: 'platform',
  measurement: PLATFORM_MEASUREMENT,
} as const
const foreign = keySigner(generateKeyPairSync('ed25519').privateKey)

const manifests: readonly (readonly [string, Partial<ResultManifest>, readonly string[]])[] = [
  ['attempt', { attempt: '0'.repeat(32) }, ['manifest.unannounced worker:2']],
  ['content', { contentDigest: digest }, ['content.altered', 'manifest.unannounced worker:2']],
  ['grant', { grantDigest: digest }, ['manifest.contradicted worker:2']],
  ['objects', { headerDigests: [digest] }, ['manifest.contradicted worker:2']],
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

// What logs say here was truly written and signed by their own keys; it is the stories that do not agree.
const stories: Record<string, readonly [(cast: Cast) => Promise<unknown>, Expected]> = {
  'nothing happened yet': [
    async ({ verifier, worker }) => [await verifier.log.flush(), await worker.log.flush()],
    [],
  ],
  'a release ends well': [
    async ({ story, verifier, worker }) => story.publish(worker, await story.release(verifier, worker)),
    { findings: [], statuses: ['visible'] },
  ],
  'a decision has no end': [
    async ({ story, verifier, worker }) => {
      await worker.log.flush()
      await story.decide(verifier, worker)
    },
    { findings: ['release.unended verifier:1'], statuses: ['unended'] },
  ],
  'a key is received that was never issued': [
    async ({ story, verifier, worker }) => {
      const released = await story.decide(verifier, worker)
      await story.receive(worker, released)
      await story.publish(worker, released)
    },
    ['release.unended verifier:1'],
  ],
  'a key is received that failed': [
    async ({ story, verifier, worker }) => {
      const released = await story.decide(verifier, worker)
      await story.fail(verifier, released, 'key.unopened')
      await story.receive(worker, released)
      await story.publish(worker, released)
    },
    ['release.contradicted worker:1'],
  ],
  'a release is issued twice': [
    async ({ story, verifier, worker }) => {
      const released = await story.release(verifier, worker)
      await story.issue(verifier, released)
      await story.publish(worker, released)
    },
    ['release.repeated verifier:3'],
  ],
  'a release is decided twice': [
    async ({ story, verifier, worker }) => {
      const released = await story.release(verifier, worker)
      const { releaseId, headerDigests } = released
      await story.decide(verifier, worker, { releaseId, headerDigests })
      await story.publish(worker, released)
    },
    ['release.repeated verifier:3'],
  ],
  'a release is issued before it is decided': [
    async ({ story, verifier, worker }) => {
      const releaseId = randomId()
      verifier.log.append({ event: 'release.failed', releaseId, code: 'key.unopened' })
      await story.decide(verifier, worker, { releaseId })
      await worker.log.flush()
    },
    { findings: ['release.contradicted verifier:1'], statuses: ['withheld'] },
  ],
  'a release is issued that nobody decided': [
    async ({ verifier, worker }) => {
      verifier.log.append({ event: 'release.issued', releaseId: randomId(), grantDigest: digest })
      await verifier.log.flush()
      await worker.log.flush()
    },
    ['release.unknown verifier:1'],
  ],
  'a key is received twice': [
    async ({ story, verifier, worker }) => {
      const released = await story.release(verifier, worker)
      await story.receive(worker, released)
      await story.publish(worker, released)
    },
    ['release.repeated worker:2'],
  ],
  'a key is received that was decided for another boot': [
    async ({ story, verifier, worker }) => {
      const other = await story.boot('worker')
      await other.log.flush()
      const released = await story.decide(verifier, other)
      await story.issue(verifier, released)
      await story.receive(worker, released)
      await story.publish(worker, released)
    },
    { findings: ['release.contradicted worker:1'], statuses: ['visible'] },
  ],
  'a key comes with another grant': [
    async ({ story, verifier, worker }) => {
      const released = await story.decide(verifier, worker)
      await story.issue(verifier, released)
      await story.receive(worker, released, { grantDigest: digest })
      await story.publish(worker, { ...released, grantDigest: digest })
    },
    ['release.contradicted worker:1'],
  ],
  'a key is received for other objects': [
    async ({ story, verifier, worker }) => {
      const released = await story.decide(verifier, worker)
      await story.issue(verifier, released)
      await story.receive(worker, released, { headerDigests: [digest] })
      await story.publish(worker, { ...released, headerDigests: [digest] })
    },
    ['release.contradicted worker:1'],
  ],
  'a key comes from another entry than its decision': [
    async ({ story, verifier, worker }) => {
      const released = await story.decide(verifier, worker)
      await story.issue(verifier, released)
      await story.receive(worker, released, { verifier: { ...released.verifier, index: 0 } })
      await story.publish(worker, released)
    },
    ['release.contradicted worker:1'],
  ],
  'a grant comes with a checkpoint that is not in the log': [
    async ({ story, verifier, worker }) => {
      const released = await story.decide(verifier, worker)
      await story.issue(verifier, released)
      await story.receive(worker, released, { verifier: { ...released.verifier, checkpointDigest: digest } })
      await story.publish(worker, released)
    },
    ['checkpoint.missing worker:1', 'manifest.contradicted worker:2'],
  ],
  'a grant comes with a checkpoint from before its decision': [
    async ({ story, verifier, worker }) => {
      const early = await story.decide(verifier, worker)
      await story.fail(verifier, early, 'key.unopened')
      const released = await story.decide(verifier, worker)
      await story.issue(verifier, released)
      const { checkpointDigest } = early.verifier
      await story.receive(worker, released, { verifier: { ...released.verifier, checkpointDigest } })
      await story.publish(worker, { ...released, checkpoint: early.checkpoint })
    },
    ['manifest.contradicted worker:2', 'release.contradicted worker:1'],
  ],
  'a worker dies with the key and nobody takes over': [
    async ({ story, verifier, worker }) => story.release(verifier, worker),
    { findings: ['release.abandoned worker:1'], statuses: ['abandoned'] },
  ],
  'a worker dies before it acknowledges the key and nobody takes over': [
    async ({ story, verifier, worker }) => {
      await worker.log.flush()
      await story.issue(verifier, await story.decide(verifier, worker))
    },
    { findings: ['release.abandoned worker'], statuses: ['undelivered'] },
  ],
  'a worker closes its log without an end': [
    async ({ story, verifier, worker }) => {
      const other = await story.boot('worker')
      const { headerDigests } = await story.release(verifier, worker)
      await story.publish(other, await story.release(verifier, other, { headerDigests }))
      await worker.log.close('drained')
    },
    { findings: ['release.abandoned worker:1'], statuses: ['abandoned', 'visible'] },
  ],
  'a worker dies and another finishes other work': [
    async ({ story, verifier, worker }) => {
      const other = await story.boot('worker')
      await story.release(verifier, worker)
      await story.publish(other, await story.release(verifier, other))
    },
    { findings: ['release.abandoned worker:1'], statuses: ['abandoned', 'visible'] },
  ],
  'a job fails twice': [
    async ({ story, verifier, worker }) => {
      const { releaseId, jobId } = await story.release(verifier, worker)
      for (const code of ['workload.failed', 'output.violated'] as const)
        worker.log.append({ event: 'job.failed', jobId, traceparent, releaseId, code })
      await worker.log.flush()
    },
    { findings: ['release.repeated worker:1'], statuses: ['failed'] },
  ],
  'a worker speaks of a release that it did not receive': [
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
      worker.log.append({ event: 'job.dead-lettered', ...poison, attempts: 1 })
      await worker.log.flush()
      await verifier.log.flush()
    },
    [],
  ],
  'a result is published without an intent': [
    async ({ story, verifier, worker }) =>
      story.publish(worker, await story.release(verifier, worker), { intent: 'none' }),
    ['manifest.unannounced worker:0', 'manifest.unannounced worker:2'],
  ],
  'a result is made visible without a manifest': [
    async ({ story, verifier, worker }) =>
      story.publish(worker, await story.release(verifier, worker), { name: 'elsewhere' }),
    ['manifest.missing worker:3'],
  ],
  'a result is visible by another manifest': [
    async ({ story, verifier, worker }) =>
      story.publish(worker, await story.release(verifier, worker), { visible: { manifestDigest: digest } }),
    ['manifest.contradicted worker:3'],
  ],
  'a result is made visible twice': [
    async ({ story, verifier, worker }) => {
      const released = await story.release(verifier, worker)
      const { resultId, digest: manifestDigest, attempt } = await story.publish(worker, released)
      const { releaseId } = released
      worker.log.append({ event: 'result.visible', releaseId, resultId, attempt, manifestDigest })
      await worker.log.flush()
    },
    ['release.repeated worker:1', 'result.repeated worker:4'],
  ],
  'a manifest is signed by nobody that was registered': [
    async ({ story, verifier, worker }) =>
      story.publish(worker, await story.release(verifier, worker), { signer: foreign }),
    ['manifest.missing worker:3', 'manifest.unverified'],
  ],
  'a worker finds a manifest of a stranger': [
    async ({ story, verifier, worker }) => {
      const released = await story.release(verifier, worker)
      const { resultId } = await story.publish(worker, released, { signer: foreign, visible: 'none' })
      const { releaseId } = released
      worker.log.append({ event: 'result.foreign', releaseId, resultId, manifestDigest: digest })
      await worker.log.flush()
    },
    { findings: ['manifest.unverified', 'manifest.unverified worker:3'], statuses: ['foreign'] },
  ],
  'a checkpoint in the manifest does not cover the intent': [
    async ({ story, verifier, worker }) => {
      const { checkpoint } = await worker.log.flush()
      const released = await story.release(verifier, worker)
      await story.publish(worker, released, { manifest: { workerCheckpoint: checkpoint } })
    },
    ['manifest.contradicted worker:2'],
  ],
  'a checkpoint in the manifest is no note': [
    async ({ story, verifier, worker }) =>
      story.publish(worker, await story.release(verifier, worker), { manifest: { workerCheckpoint: 'x' } }),
    ['manifest.contradicted worker:2'],
  ],
  ...Object.fromEntries(
    manifests.map(([field, manifest, expected]) => [
      `a manifest names another ${field}`,
      [
        async ({ story, verifier, worker }: Cast) =>
          story.publish(worker, await story.release(verifier, worker), { manifest }),
        expected,
      ] as const,
    ]),
  ),
  'an intent is for another recipient than the policy has': [
    async ({ story, verifier, worker }) => {
      const keys = { keyId: 'ocid1.key.oc1..x', keyVersionId: 'ocid1.key.oc1..x' }
      await story.publish(worker, await story.release(verifier, worker), {
        intent: { recipient: digest },
        manifest: { recipient: { ...keys, thumbprint: digest } },
      })
    },
    ['manifest.contradicted worker:2'],
  ],
  ...Object.fromEntries(
    (
      [
        ['a permission that the policy does not have', { permission: 'other' }],
        ['a dataset that the policy does not have', { dataset: 'other' }],
        ['another client', { client: 'other' }],
        ['another purpose', { purpose: 'TREAT' }],
        ['another measurement', { measurement: 'ee'.repeat(48) }],
        ['another release', { reference: 'other' }],
        ['a level that the dataset does not allow', PLATFORM],
        [
          'a level that the release does not give',
          { dataset: 'shared', permission: 'shared-research', assurance: 'platform' },
        ],
        ['a permission of another dataset', { permission: 'shared-research' }],
      ] as const
    ).map(([what, change]) => [
      `a decision is for ${what}`,
      [
        async ({ story, verifier, worker }: Cast) =>
          story.publish(worker, await story.release(verifier, worker, change)),
        ['decision.unfounded verifier:1'],
      ] as const,
    ]),
  ),
  'a decision comes after the permission has ended': [
    async ({ story, verifier, worker }) => {
      story.now += 200_000
      await story.publish(worker, await story.release(verifier, worker))
    },
    ['decision.unfounded verifier:1'],
  ],
  'a decision comes before the policy': [
    async ({ story, verifier, worker }) => {
      story.now -= 800
      const [early, hand] = [await story.boot('verifier'), await story.boot('worker')]
      await story.publish(hand, await story.release(early, hand))
      for (const { log } of [verifier, worker]) await log.flush()
    },
    ['decision.unfounded other:1'],
  ],
  'a decision of the last second is recorded in the next': [
    async ({ story, verifier, worker }) => {
      story.now += 100_000
      await story.publish(worker, await story.release(verifier, worker))
    },
    [],
  ],
  'a platform worker gets what is for it': [
    async ({ story, verifier, worker }) =>
      story.publish(
        worker,
        await story.release(verifier, worker, {
          ...PLATFORM,
          dataset: 'shared',
          permission: 'shared-research',
        }),
      ),
    [],
  ],
  ...Object.fromEntries(
    (['permissions', 'referenceValues', 'boots'] as const).map((list) => [
      `a decision comes after a revocation in ${list}`,
      [
        async ({ story, verifier, worker }: Cast) => {
          const revoked = {
            permissions: 'cohort-research',
            referenceValues: 'reference-1',
            boots: worker.boot,
          }
          await story.revoke({ seq: 2, [list]: [revoked[list]] })
          await story.publish(worker, await story.release(verifier, worker, { revocationSeq: 2 }))
        },
        ['decision.unfounded verifier:1'],
      ] as const,
    ]),
  ),
  'a decision names a policy that is not there': [
    async ({ story, verifier, worker }) =>
      story.publish(worker, await story.release(verifier, worker, { policySeq: 2 })),
    ['policy.missing verifier:1'],
  ],
  'a policy is loaded that is not there, twice': [
    async ({ story, verifier, worker }) => {
      for (let i = 0; i < 2; i++) verifier.log.append({ ...story.loaded(), policySeq: 7 })
      await verifier.log.flush()
      await worker.log.flush()
    },
    ['policy.missing verifier:1'],
  ],
  'a boot is registered by other evidence than the log says': [
    async ({ story, verifier, worker }) => {
      verifier.log.append({ ...story.registered(worker.boot), reportDigest: digest })
      await verifier.log.flush()
      await worker.log.flush()
    },
    ['registration.unverified verifier:1'],
  ],
  'a registration contradicts the log on simulation': [
    async ({ story, verifier, worker }) => {
      const other = await story.boot('worker', { simulation: false })
      for (const { log } of [verifier, worker, other]) await log.flush()
    },
    ['registration.unverified other:0'],
  ],
  'a registration is of another key': [
    async ({ story, verifier, worker }) => {
      const other = await story.boot('worker', { key: worker.jwk })
      for (const { log } of [verifier, worker, other]) await log.flush()
    },
    ['registration.unverified'],
  ],
  'a boot is registered by a grant CA whose time is over': [
    async ({ story, verifier, worker }) => {
      const other = await story.boot('worker', { time: story.now + 1_000_000 })
      for (const { log } of [verifier, worker, other]) await log.flush()
    },
    ['registration.unverified'],
  ],
  'a registration has the origin of another': [
    async ({ story, verifier, worker }) => {
      const other = await story.boot('worker', { origin: `confidential-worker/worker/${worker.boot}` })
      for (const { log } of [verifier, worker, other]) await log.flush()
    },
    ['registration.unverified'],
  ],
  'a worker is registered without an attestation': [
    async ({ story, verifier, worker }) => {
      const other = await story.boot('worker', { attestation: null })
      for (const { log } of [verifier, worker, other]) await log.flush()
    },
    ['registration.unverified'],
  ],
  'a registration is signed by nobody that the root certifies': [
    async ({ story, verifier, worker }) => {
      const other = await story.boot('worker', 'unregistered')
      await story.register(other, {}, foreign)
      for (const { log } of [verifier, worker, other]) await log.flush()
    },
    ['registration.unverified'],
  ],
  'a registered boot has never written': [
    async ({ story, verifier, worker }) => {
      await story.boot('worker')
      for (const { log } of [verifier, worker]) await log.flush()
    },
    ['log.missing other'],
  ],
  'an unregistered worker receives a key': [
    async ({ story, verifier, worker }) => {
      const other = await story.boot('worker', 'unregistered')
      await story.release(verifier, other)
      await worker.log.flush()
    },
    { findings: ['log.unregistered other', 'release.abandoned other'], statuses: ['undelivered'] },
  ],
  'an unregistered Verifier decides': [
    async ({ story, verifier, worker }) => {
      await verifier.log.flush()
      const other = await story.boot('verifier', 'unregistered')
      await story.publish(worker, await story.release(other, worker))
    },
    ['log.unregistered other', 'release.unknown worker:1'],
  ],
  "a worker's log speaks as a Verifier, and the other way round": [
    async ({ story, verifier, worker }) => {
      worker.log.append(story.refusal(worker.boot))
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
    ['log.order verifier:1', 'log.order worker:1'],
  ],
}

describe('stories', { concurrency: 8 }, () => {
  for (const [name, [tell, expected]] of Object.entries(stories))
    test(name, async () => {
      const folder = await mkdtemp(join(dir, 'story-'))
      const story = await Story.begin(folder)
      const cast = { story, verifier: await story.boot('verifier'), worker: await story.boot('worker') }
      await tell(cast)
      const report = await auditCollection(openCollection(folder), { providerRoot, simulation: true })
      const who = (boot: string) =>
        boot === cast.verifier.boot ? 'verifier' : boot === cast.worker.boot ? 'worker' : 'other'
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
