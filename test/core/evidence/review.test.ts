/** Changed Verifiers: their logs and signatures are genuine, and what they did is not what the policy says. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openCollection } from '#adapters/evidence/collection.ts'
import { fromBase64url, sha256, toBase64url, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import { auditCollection } from '#core/evidence/audit/audit.ts'
import { recorded } from '#core/evidence/record.ts'
import { keySigner, signCompact } from '#core/jws.ts'
import { GrantKeyFormat } from '#core/release/grant.ts'
import { SERIALS } from '#lab/amd/authority.ts'
import { crlOf, mint } from '../../amd.ts'
import { type Boot, CollectionBuilder, providerRoot } from './collectionBuilder.ts'
import { amd, type RealRequest, rerecorded } from './realRequests.ts'

const dir = await mkdtemp(join(tmpdir(), 'cw-review-'))
after(() => rm(dir, { recursive: true, force: true }))

type Actors = { readonly builder: CollectionBuilder; readonly verifier: Boot; readonly worker: Boot }
type Case = readonly [(actors: Actors) => Promise<unknown>, readonly string[]]
const digest = toBase64url(sha256(utf8('another')))
const foreign = keySigner(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)

const flipped = (text: string, at = -1) => {
  const bytes = fromBase64url(text)
  const index = at < 0 ? bytes.byteLength + at : at
  bytes[index] = (bytes[index] ?? 0) ^ 1
  return toBase64url(bytes)
}
/** A release over a request whose record is another. */
const asking =
  (request: (real: RealRequest) => RealRequest) =>
  async ({ builder, verifier, worker }: Actors) =>
    builder.publish(worker, await builder.release(verifier, worker, { request }))
const granting =
  (grant: NonNullable<Parameters<CollectionBuilder['decide']>[2]>['grant']) =>
  async ({ builder, verifier, worker }: Actors) =>
    builder.publish(worker, await builder.release(verifier, worker, grant === undefined ? {} : { grant }))

const UNPROVEN = ['attestation.unproven verifier:2']
const another = mint(amd, { measurement: 'ab'.repeat(48), hardwareId: '77'.repeat(64) })
const otherLeaf = recorded('certificate', another.certs[0] ?? assert.fail())
const crl = recorded('crl', crlOf(amd, { thisUpdate: 1_799_999_000, revoked: [SERIALS.ask] }))
const SIGNATURE_AT = 0x2a0

const cases: Record<string, Case> = {
  'the report is signed by no one': [
    asking((real) => rerecorded(real, ({ report }) => ({ report: flipped(report, SIGNATURE_AT) }))),
    UNPROVEN,
  ],
  'the report is about other keys': [
    asking((real) => rerecorded(real, ({ runtimeData }) => ({ runtimeData: flipped(runtimeData, -3) }))),
    UNPROVEN,
  ],
  'the certificate is that of another chip': [
    asking((real) => rerecorded(real, () => ({ certs: [otherLeaf.digest] }), [otherLeaf])),
    UNPROVEN,
  ],
  'the root is no root': [
    asking((real) => rerecorded(real, ({ root, certs: [leaf = ''] }) => ({ root: { ...root, ark: leaf } }))),
    UNPROVEN,
  ],
  'the chain was revoked by the list that was held': [
    asking((real) => rerecorded(real, () => ({ crl: crl.digest }), [crl])),
    UNPROVEN,
  ],
  'the list was never written': [
    asking((real) => rerecorded(real, ({ root }) => ({ crl: root.ark }))),
    ['record.missing verifier:2'],
  ],
  'the client did not sign': [
    asking((real) =>
      rerecorded(real, ({ clientAssertion }) => ({ clientAssertion: `${clientAssertion.slice(0, -2)}AA` })),
    ),
    UNPROVEN,
  ],
  'the worker did not prove that it has its key': [
    asking((real) => rerecorded(real, ({ possession }) => ({ possession: flipped(possession) }))),
    UNPROVEN,
  ],
  'the jobs are others': [
    asking((real) => rerecorded(real, () => ({ jobs: toBase64url(utf8('[]')) }))),
    UNPROVEN,
  ],
  'the time of the decision is not that of the assertion': [
    asking((real) => rerecorded(real, ({ time }) => ({ time: time - 4000 }))),
    UNPROVEN,
  ],
  'the record of the request is not in its format': [
    asking((real) => {
      const other = recorded('request', utf8('{}'))
      return {
        ...real,
        objects: [...real.objects, other],
        about: { ...real.about, requestDigest: other.digest },
      }
    }),
    UNPROVEN,
  ],
  'the record of the request was never written': [
    asking((real) => ({ ...real, about: { ...real.about, requestDigest: digest } })),
    ['record.missing verifier:2'],
  ],
  ...Object.fromEntries(
    (
      [
        ['runtimeDataDigest', digest],
        ['reportDigest', digest],
        ['tokenDigest', digest],
        ['scopesDigest', digest],
        ['jti', '00'.repeat(16)],
        ['measurement', 'cd'.repeat(48)],
      ] as const
    ).map(([field, value]): [string, Case] => [
      `the entry names another ${field}`,
      [
        asking((real) => ({ ...real, about: { ...real.about, [field]: value } })),
        field === 'measurement'
          ? ['attestation.contradicted verifier:2', 'decision.unfounded verifier:3']
          : ['attestation.contradicted verifier:2'],
      ],
    ]),
  ),
  'the entry names another nonce': [
    asking((real) => ({ ...real, nonceDigest: digest })),
    ['attestation.contradicted verifier:2'],
  ],
  'the entry comes an hour after its decision': [
    async ({ builder, verifier, worker }) => {
      builder.now += 3600
      const released = await builder.release(verifier, worker, { decidedAt: builder.now - 3600 })
      await builder.publish(worker, released)
    },
    ['attestation.contradicted verifier:2'],
  ],
  'a job of the request has no decision': [
    async ({ builder, verifier, worker }) => {
      const more = [await builder.job()]
      await builder.publish(worker, await builder.release(verifier, worker, { more }))
    },
    ['decision.contradicted verifier:2'],
  ],
  'a release is decided that the request does not ask for': [
    async ({ builder, verifier, worker }) => {
      const first = await builder.decide(verifier, worker)
      const accepted = first.verifier.index - 1
      const second = await builder.decide(verifier, worker, { accepted, job: await builder.job() })
      for (const released of [first, second]) {
        await builder.issue(verifier, released)
        await builder.receive(worker, released)
        await builder.publish(worker, released)
      }
    },
    ['decision.contradicted verifier:4'],
  ],
  'a release is decided for a request that was answered before': [
    async ({ builder, verifier, worker }) => {
      const first = await builder.release(verifier, worker)
      const accepted = first.verifier.index - 1
      const second = await builder.release(verifier, worker, { accepted, job: await builder.job() })
      for (const released of [first, second]) await builder.publish(worker, released)
    },
    ['decision.contradicted verifier:5'],
  ],
  'an object is released that no sealing key of the dataset has signed': [
    async ({ builder, verifier, worker }) => {
      const job = await builder.job({}, foreign)
      await builder.publish(worker, await builder.release(verifier, worker, { job }))
    },
    ['decision.contradicted verifier:3'],
  ],
  'a job is refused that the policy allows': [
    async ({ builder, verifier, worker }) => {
      const job = await builder.job()
      const accepted = await builder.accept(verifier, worker, [job])
      await worker.log.flush()
      await builder.refuseJobs(verifier, accepted, [job])
    },
    ['decision.contradicted verifier:3'],
  ],
  'a job is refused by another rule': [
    async ({ builder, verifier, worker }) => {
      const job = await builder.job({ dataset: 'nowhere' })
      const accepted = await builder.accept(verifier, worker, [job])
      await worker.log.flush()
      const [reason] = (await builder.refusal(worker)).body.reasons
      await builder.refuseJobs(verifier, accepted, [job], { reasons: reason === undefined ? [] : [reason] })
    },
    ['decision.contradicted verifier:3'],
  ],
  'a job is refused by its quota': [
    async ({ builder, verifier, worker }) => {
      const job = await builder.job()
      const accepted = await builder.accept(verifier, worker, [job])
      await worker.log.flush()
      const field = 'permission cohort-research.quota.objects'
      const words = { expected: 'at most 1', actual: '2', remedy: 'wait' }
      await builder.refuseJobs(verifier, accepted, [job], {
        dataset: 'cohort',
        reasons: [{ code: 'quota.exceeded', field, ...words }],
      })
    },
    [],
  ],
  'a worker is refused for its machine, which the policy accepts': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      const job = await builder.job()
      const { about, objects } = await builder.request(worker, [job])
      const { body } = await builder.refusal(worker)
      const headerDigests = builder.digestsOf(job)
      verifier.log.appendAll([{ ...body, ...about, headerDigests }], objects)
      await verifier.log.flush()
    },
    ['decision.contradicted verifier:2'],
  ],
  'a worker is refused for a spent nonce': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      const job = await builder.job()
      const { about, objects } = await builder.request(worker, [job])
      const { body } = await builder.refusal(worker)
      const words = { expected: 'unused', actual: 'used', remedy: 'ask again' }
      const spent = { code: 'nonce.spent', field: 'nonce', ...words } as const
      const headerDigests = builder.digestsOf(job)
      verifier.log.appendAll([{ ...body, ...about, headerDigests, reasons: [spent], nearest: [] }], objects)
      await verifier.log.flush()
    },
    [],
  ],
  'a worker is refused for another reason than its own': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      const { body } = await builder.refusal(worker)
      const [reason] = body.reasons
      assert.ok(reason !== undefined)
      await builder.refuse(verifier, worker, { reasons: [{ ...reason, code: 'tcb.below-floor' }] })
    },
    ['appraisal.contradicted verifier:2'],
  ],
  'the nearest reference values are others': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      const { body } = await builder.refusal(worker)
      await builder.refuse(verifier, worker, { nearest: body.nearest.toReversed() })
    },
    ['appraisal.contradicted verifier:2'],
  ],
  'a refusal names other objects than the request': [
    async ({ builder, verifier, worker }) => {
      await worker.log.flush()
      await builder.refuse(verifier, worker, { headerDigests: [digest] })
    },
    ['attestation.contradicted verifier:2'],
  ],
  ...Object.fromEntries(
    (
      [
        ['sensitive categories', { sensitive: ['HIV'] }],
        ['scopes', { scopes: ['system/Patient.rs'] }],
        [
          'an output without disclosure control',
          {
            output: {
              contentType: 'application/json',
              maxBytes: 1_000_000,
              disclosure: { form: 'threshold', k: 2, cap: null },
            },
          },
        ],
        ['an edition', { edition: 2 }],
        ['a digest of its terms', { termsDigest: digest }],
      ] as const
    ).map(([what, grant]): [string, Case] => [
      `a grant has ${what} that the policy does not give`,
      [granting(grant as Parameters<typeof granting>[0]), ['grant.other-terms verifier:4']],
    ]),
  ),
  ...Object.fromEntries(
    (
      [
        ['another boot', { boot: 'a'.repeat(26) }],
        ['another wrap key', { wrapKey: digest }],
        ['a later end', { exp: 1_800_003_601 }],
        ['another audit key', { auditKey: undefined }],
        ['another assurance', { assurance: 'platform' }],
        ['another place in the log', { log: undefined }],
        ['another release', { releaseId: '00'.repeat(16) }],
        ['another time', { iat: 1_800_000_001 }],
      ] as const
    ).map(([what, grant]): [string, Case] => [
      `a grant is for ${what}`,
      [
        async ({ builder, verifier, worker }) => {
          const change = 'auditKey' in grant ? { auditKey: builder.foreignAuditKey } : grant
          const place = 'log' in grant ? { log: { boot: verifier.boot, checkpoint: 'x', index: 1 } } : change
          await granting(place as Parameters<typeof granting>[0])({ builder, verifier, worker })
        },
        ['grant.contradicted verifier:4'],
      ],
    ]),
  ),
  'a grant ends earlier than it must': [granting({ exp: 1_800_000_100 }), []],
  'a grant is signed by a key that no grant CA certified': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.decide(verifier, worker)
      const { grants } = JSON.parse(released.grants.bytes.toString())
      const key = { v: 1, jwk: providerRoot.keys[0]?.jwk, nbf: 0, exp: 2_000_000_000 } as never
      const grantKey = await signCompact(GrantKeyFormat, key, foreign)
      const other = recorded('grants', canonicalBytes({ v: 1, grantKey, grants }))
      await builder.issue(verifier, { ...released, grants: other })
      await builder.receive(worker, released)
      await builder.publish(worker, released)
    },
    ['grant.unverified verifier:4'],
  ],
  'the recorded grants lack the one that was issued': [
    async ({ builder, verifier, worker }) => {
      const other = await builder.decide(verifier, worker)
      await builder.fail(verifier, other, 'service.unavailable')
      const released = await builder.decide(verifier, worker)
      await builder.issue(verifier, { ...released, grants: other.grants })
      await builder.receive(worker, released)
      await builder.publish(worker, released)
    },
    ['grant.unverified verifier:7'],
  ],
  'a decision names other terms than its permission has': [
    async ({ builder, verifier, worker }) => {
      const released = await builder.release(verifier, worker, { termsDigest: digest })
      await builder.publish(worker, released)
    },
    ['decision.contradicted verifier:3', 'record.missing verifier:3'],
  ],
}

describe('a changed Verifier', { concurrency: 8 }, () => {
  for (const [name, [write, expected]] of Object.entries(cases))
    test(name, async () => {
      const folder = await mkdtemp(join(dir, 'case-'))
      const builder = await CollectionBuilder.create(folder)
      builder.announces = true
      const [verifier, worker] = [await builder.boot('verifier'), await builder.boot('worker')]
      verifier.log.append(builder.loaded())
      await write({ builder, verifier, worker })
      const { findings } = await auditCollection(openCollection(folder), { providerRoot, simulation: true })
      const who = (boot: string | null) => (boot === verifier.boot ? 'verifier' : 'worker')
      const found = findings.map(({ code, log, index }) => `${code} ${who(log)}:${index}`)
      assert.deepEqual([...new Set(found)].sort(), expected, JSON.stringify(findings, undefined, 1))
    })
})
