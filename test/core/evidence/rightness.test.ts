/**
 * What an honest audit must not call intact: logs that are whole, signed by their keys and agree with each
 * other, over decisions that were not right at their time.
 */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openCollection } from '#adapters/evidence/collection.ts'
import { auditCollection } from '#core/evidence/audit/audit.ts'
import type { FindingCode } from '#core/evidence/audit/finding.ts'
import { keySigner } from '#core/jws.ts'
import {
  type Boot,
  CollectionBuilder,
  PLATFORM_MEASUREMENT,
  providerRoot,
  randomId,
} from './collectionBuilder.ts'

const MINUTE = 60
const SEAL_ID = 'ab'.repeat(16)

type Actors = { readonly builder: CollectionBuilder; readonly verifier: Boot; readonly worker: Boot }
type Case = {
  readonly what: string
  readonly write: (actors: Actors) => Promise<unknown>
  /** Sorted. */
  readonly findings: readonly FindingCode[]
  /** False: no Verifier's log says that the worker is registered. */
  readonly announced?: false
}

async function releaseAndPublish({ builder, verifier, worker }: Actors): Promise<void> {
  await builder.publish(worker, await builder.release(verifier, worker))
}

/** A platform worker at the dataset whose machines the consumer administers. */
async function discloseAs(actors: Actors, disclosure: boolean): Promise<void> {
  const { builder, verifier, worker } = actors
  const policyDigest = await builder.publishPolicy({
    seq: 2,
    datasets: builder.datasetsAdministeredBy('consumer'),
  })
  verifier.log.append(builder.loaded({ policySeq: 2, policyDigest, revocations: [] }))
  const released = await builder.release(verifier, worker, {
    dataset: 'shared',
    permission: 'shared-research',
    reference: 'reference-2',
    assurance: 'platform',
    measurement: PLATFORM_MEASUREMENT,
    policySeq: 2,
    disclosure,
  })
  await builder.publish(worker, released)
}

const loadedByAnother = async ({ builder }: Actors, policyDigest: string) => {
  const other = await builder.boot('verifier')
  other.log.append(builder.loaded({ policySeq: 2, policyDigest }))
  await other.log.flush()
}

const CASES: readonly Case[] = [
  { what: 'nothing is wrong', write: releaseAndPublish, findings: [] },
  // A
  ...(['boot', 'permission', 'reference values'] as const).map(
    (what): Case => ({
      what: `${what} revoked, 80 minutes before, by a list that the log does not have`,
      write: async (actors) => {
        const { builder, worker } = actors
        await builder.revoke({
          seq: 2,
          issuedAt: builder.now,
          ...(what === 'boot' && { boots: [worker.boot] }),
          ...(what === 'permission' && { permissions: ['cohort-research'] }),
          ...(what === 'reference values' && { referenceValues: ['reference-1'] }),
        })
        builder.now += 80 * MINUTE
        await releaseAndPublish(actors)
      },
      findings: ['decision.revoked'],
    }),
  ),
  {
    what: 'a boot revoked half a minute before: its Verifier had not listed yet',
    write: async (actors) => {
      const { builder, worker } = actors
      await builder.revoke({ seq: 2, issuedAt: builder.now, boots: [worker.boot] })
      builder.now += MINUTE / 2
      await releaseAndPublish(actors)
    },
    findings: [],
  },
  {
    what: 'a permission that a quorum restored half a minute before, as its log says',
    write: async (actors) => {
      const { builder, verifier, worker } = actors
      const revoked = await builder.revoke({
        seq: 2,
        issuedAt: builder.now,
        permissions: ['cohort-research'],
      })
      builder.now += 80 * MINUTE
      const restored = await builder.revoke({ seq: 3, issuedAt: builder.now, replaces: [revoked] })
      verifier.log.append(builder.loaded({ revocationSeq: 3, revocations: [revoked, restored] }))
      builder.now += MINUTE / 2
      await builder.publish(worker, await builder.release(verifier, worker, { revocationSeq: 3 }))
    },
    findings: [],
  },
  // B
  {
    what: 'a newer policy that another log had loaded 80 minutes before',
    write: async (actors) => {
      const { builder } = actors
      await loadedByAnother(
        actors,
        await builder.publishPolicy({ seq: 2, datasets: builder.datasets.slice(1) }),
      )
      builder.now += 80 * MINUTE
      await releaseAndPublish(actors)
    },
    findings: ['decision.superseded'],
  },
  {
    what: 'a newer policy that was hidden from every log',
    write: async (actors) => {
      await actors.builder.publishPolicy({ seq: 2, datasets: actors.builder.datasets.slice(1) })
      await releaseAndPublish(actors)
    },
    findings: ['decision.superseded'],
  },
  {
    what: 'a newer policy that was issued before, and published after the decision',
    write: async (actors) => {
      const policyDigest = await actors.builder.publishPolicy({ seq: 2 })
      await releaseAndPublish(actors)
      actors.builder.now += MINUTE
      await loadedByAnother(actors, policyDigest)
    },
    findings: [],
  },
  // C
  {
    what: 'a log that goes back to an older policy',
    write: async (actors) => {
      const { builder, verifier } = actors
      const policyDigest = await builder.publishPolicy({ seq: 2, issuedAt: builder.now })
      verifier.log.append(builder.loaded({ policySeq: 2, policyDigest, revocations: [] }))
      verifier.log.append(builder.loaded({ revocations: [] }))
      await releaseAndPublish(actors)
    },
    findings: ['policy.rolled-back'],
  },
  {
    what: 'a log that knows fewer revocation lists than before',
    write: async (actors) => {
      const { builder, verifier } = actors
      const list = await builder.revoke({ seq: 2 })
      verifier.log.append(builder.loaded({ revocationSeq: 2, revocations: [list] }))
      verifier.log.append(builder.loaded({ revocations: [] }))
      await releaseAndPublish(actors)
    },
    findings: ['policy.contradicted', 'policy.rolled-back'],
  },
  // D
  {
    what: 'a worker that only the grant CA knows',
    write: releaseAndPublish,
    findings: ['registration.unannounced'],
    announced: false,
  },
  // E
  {
    what: 'an object that was withdrawn, by its seal record',
    write: async (actors) => {
      const { builder, verifier, worker } = actors
      const released = await builder.release(verifier, worker)
      await builder.publish(worker, released)
      const { headerDigests } = released
      await builder.recordSeal(SEAL_ID, headerDigests[0] ?? assert.fail())
      await builder.revoke({ seq: 2, issuedAt: builder.now, objects: [SEAL_ID] })
      builder.now += 2 * MINUTE
      await builder.publish(worker, await builder.release(verifier, worker))
      await builder.decideAndFail(verifier, worker, { headerDigests })
    },
    findings: ['decision.withdrawn'],
  },
  {
    what: 'an object that is withdrawn after its release',
    write: async (actors) => {
      const { builder, verifier, worker } = actors
      const released = await builder.release(verifier, worker)
      await builder.publish(worker, released)
      await builder.recordSeal(SEAL_ID, released.headerDigests[0] ?? assert.fail())
      await builder.revoke({ seq: 2, issuedAt: builder.now, objects: [SEAL_ID] })
    },
    findings: [],
  },
  {
    what: 'a withdrawn object without a seal record',
    write: async (actors) => {
      await actors.builder.revoke({ seq: 2, objects: [SEAL_ID] })
      await releaseAndPublish(actors)
    },
    findings: ['seal.missing'],
  },
  {
    what: 'a withdrawn object whose seal record is forged',
    write: async (actors) => {
      const { builder } = actors
      const stranger = keySigner(generateKeyPairSync('ed25519').privateKey)
      await builder.recordSeal(SEAL_ID, builder.revocations[0] ?? assert.fail(), stranger)
      await builder.revoke({ seq: 2, objects: [SEAL_ID] })
      await releaseAndPublish(actors)
    },
    findings: ['seal.missing'],
  },
  {
    what: 'a withdrawn object whose seal record is of another object',
    write: async (actors) => {
      const { builder } = actors
      await builder.recordSeal(SEAL_ID, builder.revocations[0] ?? assert.fail())
      await builder.copySeal(SEAL_ID, 'cd'.repeat(16))
      await builder.revoke({ seq: 2, objects: ['cd'.repeat(16)] })
      await releaseAndPublish(actors)
    },
    findings: ['seal.missing'],
  },
  // F
  {
    what: 'a disclosure that is logged as none',
    write: async (actors) => discloseAs(actors, false),
    findings: ['decision.contradicted', 'decision.undisclosed', 'grant.contradicted'],
  },
  {
    what: 'a disclosure that is logged as one',
    write: async (actors) => discloseAs(actors, true),
    findings: [],
  },
  // J
  {
    what: 'a denial that no Verifier wrote',
    write: async (actors) => {
      actors.worker.log.append(actors.builder.denial(randomId()))
      await releaseAndPublish(actors)
    },
    findings: ['denial.unknown'],
  },
  {
    what: 'a denial of a failed release, under its id',
    write: async (actors) => {
      const { builder, verifier, worker } = actors
      const released = await builder.decide(verifier, worker)
      worker.log.append(builder.denial(released.releaseId))
      await builder.fail(verifier, released, 'key.unopened')
      await releaseAndPublish(actors)
    },
    findings: [],
  },
  {
    what: 'a denial by a clock that is behind its Verifier',
    write: async (actors) => {
      const { builder, verifier, worker } = actors
      const { body, objects } = await builder.refusal(worker)
      worker.log.append(builder.denial(body.denialId))
      builder.now += 5
      verifier.log.appendAll([body], objects)
      await releaseAndPublish(actors)
    },
    findings: [],
  },
]

const dir = await mkdtemp(join(tmpdir(), 'cw-right-'))
after(() => rm(dir, { recursive: true, force: true }))

describe('finds', { concurrency: 4 }, () => {
  for (const { what, write, findings, announced = true } of CASES)
    test(what, async () => {
      const folder = await mkdtemp(join(dir, 'case-'))
      const builder = await CollectionBuilder.create(folder)
      builder.announces = announced
      const [verifier, worker] = [await builder.boot('verifier'), await builder.boot('worker')]
      verifier.log.append(builder.loaded())
      await write({ builder, verifier, worker })
      const report = await auditCollection(openCollection(folder), { providerRoot, simulation: true })
      const codes = new Set(report.findings.map(({ code }) => code))
      assert.deepEqual([...codes].sort(), findings, JSON.stringify(report.findings))
      assert.equal(report.verdict === 'intact', findings.length === 0)
    })
})
