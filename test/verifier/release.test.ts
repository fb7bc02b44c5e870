/** The order of evidence, Vault and answer, also if the log or the Vault fails in between. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { createEvidenceLog } from '#adapters/evidence/log.ts'
import type { Log } from '#adapters/system/log.ts'
import { bootOf } from '#core/boot/boot.ts'
import { fromBase64url, sha256, toBase64url, toHex, utf8 } from '#core/bytes.ts'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import {
  type EntryBody,
  EntryFormat,
  MAX_DATASETS,
  MAX_NEAREST,
  MAX_NEAREST_FIELDS,
  MAX_TRACES,
} from '#core/evidence/entry.ts'
import {
  GrantsRecordFormat,
  isRecordedName,
  type RecordedKind,
  RequestRecordFormat,
  recordedName,
} from '#core/evidence/record.ts'
import { Ed25519Jwk, exportJwk, P384Jwk } from '#core/jwk.ts'
import { defineSigned, keySigner, peekCompact, type Signer, signCompact, signGeneral } from '#core/jws.ts'
import { uniteConsents } from '#core/policy/consentUnion.ts'
import type { Policy } from '#core/policy/policy.ts'
import { grantedTerms } from '#core/policy/terms.ts'
import { VerifierKeysFormat } from '#core/policy/verifierKeys.ts'
import { GrantFormat } from '#core/release/grant.ts'
import { mintNonce } from '#core/release/nonce.ts'
import { prepareRequest } from '#core/release/prepare.ts'
import { RefusalFormat, RequestRefused } from '#core/release/refusal.ts'
import { type ReleaseJob, ReleaseJobsFormat, type ReleaseResponse } from '#core/release/request.ts'
import { headerDigest, type SealHeader, SealHeaderFormat } from '#core/sealed/header.ts'
import { openCrl } from '#core/snp/crl.ts'
import { addSeconds, toUnixSeconds } from '#core/time.ts'
import { SERIALS } from '#lab/amd/authority.ts'
import type { Boot } from '../../src/verifier/boot.ts'
import { MAX_REASONS } from '../../src/verifier/decisionEntries.ts'
import type { HeldCrl } from '../../src/verifier/endorsements.ts'
import { createGrantKeys } from '../../src/verifier/grantKeys.ts'
import type { InForce } from '../../src/verifier/policyStore.ts'
import { createQuotas, type Quotas } from '../../src/verifier/quotas.ts'
import { CLIENT_RATE, createRates } from '../../src/verifier/rates.ts'
import { createRegistrations } from '../../src/verifier/registrations.ts'
import { answerRelease } from '../../src/verifier/release.ts'
import { faultyStore, unavailable } from '../adapters/evidence/stores.ts'
import { crlOf, MEASUREMENT, mint, storeOf, testAuthority } from '../amd.ts'
import {
  AUDIENCE,
  client,
  datasetOf,
  ed25519,
  headerOf,
  jobOf,
  NOW,
  nothingRevoked,
  p384,
  permissionOf,
  policyOf,
  root,
  signers,
  TRACEPARENT,
  verifierKeysOf,
  workerKeys,
} from '../core/release/releaseWorld.ts'
import { steerableClock } from './steerableClock.ts'

const authority = await testAuthority()
const now = toUnixSeconds(NOW)
const nonceKey = { epoch: 1, key: randomBytes(32) }
const trust = Buffer.alloc(32, 3)
const grantCa = keySigner(p384())
const verifierKeys = verifierKeysOf(
  { jwk: P384Jwk.parse(grantCa.jwk), keyId: 'ocid1.key.oc1..ca' },
  { exp: NOW + 1000 },
)
const [reference] = policyOf().referenceValues
assert.ok(reference !== undefined)
const policy = policyOf({
  roots: [{ product: 'Genoa', ark: toHex(sha256(authority.arkDer)), simulated: true }],
  referenceValues: [
    {
      ...reference,
      measurements: [MEASUREMENT],
      guestPolicy: { ...reference.guestPolicy, abi: { major: 0, minor: 0 } },
    },
  ],
})
const signedKeys = await signGeneral(VerifierKeysFormat, verifierKeys, signers.slice(0, 2))
const job = await jobOf()

const inForce = (policy: Policy): InForce => ({
  loaded: { policy, digest: '' },
  revocation: nothingRevoked,
  consent: new Map([['registry', uniteConsents([], root, [], new Set())]]),
  keys: { verifierKeys, signed: signedKeys, earlier: [] },
  freshness: '',
})

/** A boot of the Verifier, whose log can fail after an entry and whose steps are in `said`. */
async function verifierBoot(
  changes: {
    readonly fault?: string
    readonly policy?: Policy
    readonly wrapFor?: () => Promise<string>
    readonly spendNonce?: () => Promise<void>
    readonly crls?: readonly HeldCrl[]
    readonly announce?: () => Promise<void>
    readonly quotas?: Quotas
    /** Once the decision is stored: what is in force, and how much later it is. */
    readonly afterDecision?: { readonly inForce?: () => InForce; readonly seconds?: number }
    /** While the Vault works. */
    readonly duringVault?: { readonly inForce?: () => InForce; readonly seconds?: number }
  } = {},
) {
  let passed = 0
  let current = () => inForce(changes.policy ?? policy)
  const apply = (later: { readonly inForce?: () => InForce; readonly seconds?: number } | undefined) => {
    current = later?.inForce ?? current
    passed += later?.seconds ?? 0
  }
  const store = await faultyStore()
  const bucket = { namespace: 'test', bucket: 'evidence' }
  const key = ed25519()
  const evidence = createEvidenceLog({
    store,
    bucket,
    role: 'verifier',
    key,
    boot: bootOf(Ed25519Jwk.parse(exportJwk(key))),
    software: 'test/1',
    simulation: true,
    now: () => now,
  })
  await evidence.flush()
  const said: string[] = []
  const entries: EntryBody[] = []
  const answered: string[] = []
  const errors: string[] = []
  let failing = false
  store.fault = () => {
    if (failing) throw unavailable()
    return undefined
  }
  const log: Log = {
    info: assert.fail,
    warn: assert.fail,
    error: (message, fields) => errors.push(`${message} ${fields?.['code']}`),
    child: () => log,
  }
  const boot: Boot = {
    audience: AUDIENCE,
    requestSeconds: 30,
    roots: storeOf(authority),
    revocationLists: { held: () => changes.crls ?? [], refresh: async () => {} },
    nonceKeys: { minting: () => nonceKey, checking: () => [nonceKey], refresh: async () => {} },
    policyStore: {
      inForce: () => current(),
      refresh: async () => {},
      ageSeconds: () => 0,
      freshSeconds: () => 900,
      ignored: () => 0,
    },
    spendNonce: changes.spendNonce ?? (async () => {}),
    quotas: changes.quotas ?? createQuotas(await faultyStore(), bucket),
    registrations: createRegistrations(await faultyStore(), bucket, grantCa),
    grantCa: grantCa.jwk,
    witnessedLogs: { cosign: async () => assert.fail() },
    commits: { win: async () => assert.fail() },
    custody: {
      wrapFor: async () => {
        said.push('vault')
        apply(changes.duringVault)
        return await (changes.wrapFor ?? (async () => 'a.b.c.d.e'))()
      },
      wrapLists: async () => 'a.b.c.d.e',
      close: () => {},
    },
    governance: { namespace: 'hospital', bucket: 'governance' },
    grantKeys: await createGrantKeys(grantCa, () => now),
    evidence: {
      ...evidence,
      append: (body) => {
        const index = evidence.append(body)
        said.push(body.event)
        entries.push(body)
        failing = body.event === changes.fault
        return index
      },
      appendAll: (bodies, named) => {
        const first = evidence.appendAll(bodies, named)
        for (const { event } of bodies) said.push(event)
        entries.push(...bodies)
        failing = bodies.some(({ event }) => event === changes.fault)
        return first
      },
      flush: async (signal) => {
        const sealed = await evidence.flush(signal)
        said.push('flush')
        if (!said.includes('vault')) apply(changes.afterDecision)
        return sealed
      },
    },
    announce: changes.announce ?? (async () => {}),
    interruptions: { look: async () => assert.fail() },
    clientRates: createRates(CLIENT_RATE, () => 0),
    metrics: {
      step: () => {},
      permitted: assert.fail,
      answered: (outcome, code) => answered.push(`${outcome} ${code}`.trim()),
      refused: assert.fail,
      crlFailed: assert.fail,
      request: assert.fail,
      waits: assert.fail,
      tlsRefused: assert.fail,
      dropped: assert.fail,
    },
    clock: { ...steerableClock(), now: () => addSeconds(now, passed) },
    log,
  }
  const readAll = (name: string) => store.readAll({ ...bucket, name }, 4_000_000)
  const names = async () => {
    const all: string[] = []
    for await (const { name } of store.list(bucket, '')) all.push(name)
    return all
  }
  return { boot, said, entries, answered, errors, readAll, names }
}

async function ask(
  boot: Boot,
  jobs: readonly ReleaseJob[] = [job],
  changes: {
    readonly nonceKey?: typeof nonceKey
    readonly jobsText?: string
    readonly evidenceSigner?: Signer
    readonly purpose?: string
    readonly software?: string
  } = {},
): Promise<ReleaseResponse> {
  const { wrapKey, evidenceSigner } = workerKeys()
  const nonce = mintNonce(changes.nonceKey ?? nonceKey, AUDIENCE, now, randomBytes(16))
  const prepared = await prepareRequest({
    challenge: { nonce: toBase64url(nonce), exp: NOW + 300, aud: AUDIENCE },
    audience: AUDIENCE,
    jobs,
    asker: { client: 'acme', purpose: changes.purpose ?? 'HRESCH' },
    signer: client,
    jti: 'ab'.repeat(16),
    wrapKey,
    evidenceSigner: changes.evidenceSigner ?? evidenceSigner,
    trust,
    software: changes.software ?? 'test/1',
  })
  const { bytes, certs } = mint(authority, {}, { reportData: prepared.reportData })
  const request = prepared.withEvidence({ report: bytes, certs })
  const { jobsText = request.jobs } = changes
  return await answerRelease(utf8(JSON.stringify({ ...request, jobs: jobsText })), boot)
}

/** The refusal of a job, as its bytes say it. */
function refusalOf(answer: ReleaseResponse['answers'][number]) {
  assert.ok('refusal' in answer)
  return peekCompact(RefusalFormat, answer.refusal, 'verifier.untrusted').payload
}

test('the Vault is asked after the decision is durable, and the answer leaves after its end is', async () => {
  const { boot, said, answered } = await verifierBoot()
  const { answers } = await ask(boot)
  assert.ok(answers[0] !== undefined && 'grant' in answers[0])
  assert.deepEqual(said, [
    'boot.registered',
    'worker.accepted',
    'release.decided',
    'flush',
    'vault',
    'release.issued',
    'flush',
  ])
  assert.deepEqual(answered, ['issued'])
})

const listOf = (options: Parameters<typeof crlOf>[1] = {}): HeldCrl => {
  const der = crlOf(authority, { thisUpdate: NOW - 60, ...options })
  return { ...openCrl(der, storeOf(authority).roots), der }
}
const withList = {
  ...policy,
  referenceValues: policy.referenceValues.map((one) => ({ ...one, crl: { graceSeconds: 600 } })),
}

type Kept = Awaited<ReturnType<typeof verifierBoot>>
const keptAs = async ({ readAll }: Kept, kind: RecordedKind, digest: string) => {
  const bytes = await readAll(recordedName(kind, digest))
  assert.equal(toBase64url(sha256(bytes)), digest)
  return bytes
}
const entryOf = <Event extends EntryBody['event']>({ entries }: Kept, event: Event) => {
  const found = entries.find((entry) => entry.event === event)
  assert.ok(found !== undefined)
  return found as Extract<EntryBody, { event: Event }>
}

test('the request, its chain and list, the terms and the grants of a release are kept by their digests', async () => {
  const list = listOf()
  const made = await verifierBoot({ crls: [list] })
  const { answers } = await ask(made.boot, [job, await jobOf({ sealId: '11'.repeat(16) })])
  const accepted = entryOf(made, 'worker.accepted')
  const request = RequestRecordFormat.decode(await keptAs(made, 'request', accepted.requestDigest))
  const { certs, root, crl, ...parts } = request
  assert.deepEqual(
    await Promise.all(certs.map((digest) => keptAs(made, 'certificate', digest))),
    mint(authority).certs,
  )
  assert.deepEqual(await keptAs(made, 'certificate', root.ark), authority.arkDer)
  assert.deepEqual(await keptAs(made, 'certificate', root.ask ?? ''), authority.askDer)
  assert.deepEqual(await keptAs(made, 'certificate', root.asvk ?? ''), authority.asvkDer)
  assert.deepEqual(await keptAs(made, 'crl', crl ?? ''), list.der)
  assert.equal(toBase64url(sha256(fromBase64url(parts.report))), accepted.reportDigest)
  assert.equal(toBase64url(sha256(fromBase64url(parts.runtimeData))), accepted.runtimeDataDigest)
  assert.equal(toBase64url(sha256(utf8(parts.clientAssertion))), accepted.tokenDigest)
  assert.equal(accepted.jti, 'ab'.repeat(16))
  assert.equal(parts.time, NOW)
  assert.equal(ReleaseJobsFormat.decode(fromBase64url(parts.jobs)).length, 2)

  const decided = entryOf(made, 'release.decided')
  const { termsBytes, scopesDigest } = grantedTerms(permissionOf())
  assert.deepEqual(await keptAs(made, 'terms', decided.termsDigest), termsBytes)
  assert.deepEqual([decided.edition, decided.scopesDigest, decided.consent], [1, scopesDigest, null])

  const issued = entryOf(made, 'release.issued')
  const { grantKey, grants } = GrantsRecordFormat.decode(await keptAs(made, 'grants', issued.grantsDigest))
  assert.deepEqual(
    grants,
    answers.map((answer) => ('grant' in answer ? answer.grant : assert.fail())),
  )
  assert.equal(grantKey, made.boot.grantKeys.current().certificate)
})

test('a request that is refused as a whole is kept too, with the datasets that the policy has', async () => {
  const made = await verifierBoot({ policy: withList })
  const jobs = [job, await jobOf({ dataset: 'unknown' }), await jobOf({ tenant: 'clinic' })]
  await assert.rejects(ask(made.boot, jobs), { code: 'crl.missing' })
  const refused = entryOf(made, 'worker.refused')
  const { crl } = RequestRecordFormat.decode(await keptAs(made, 'request', refused.requestDigest))
  assert.equal(crl, null)
  assert.deepEqual(refused.datasets, ['cohort'])
})

test('a request that is not authentic leaves nothing behind', async () => {
  const made = await verifierBoot({ crls: [listOf({ revoked: [SERIALS.ask] })] })
  await assert.rejects(ask(made.boot), { code: 'chain.revoked' })
  assert.deepEqual((await made.names()).filter(isRecordedName), [])
})

test('refusals name the dataset that the policy has, and share an entry per dataset', async () => {
  const second = datasetOf({ id: 'second', permissions: [] })
  const made = await verifierBoot({ policy: { ...policy, datasets: [...policy.datasets, second] } })
  await ask(made.boot, [
    await jobOf({ dataset: 'second' }),
    await jobOf({ dataset: 'unknown' }),
    await jobOf({ dataset: 'second', sealId: '11'.repeat(16) }),
  ])
  const refused = made.entries.filter((entry) => entry.event === 'release.refused')
  assert.deepEqual(
    refused.map(({ dataset, headerDigests }) => [dataset, headerDigests.length]),
    [
      ['second', 2],
      [null, 1],
    ],
  )
})

test('grants leave only after the object that keeps them is stored', async () => {
  const made = await verifierBoot({ fault: 'release.issued' })
  await assert.rejects(ask(made.boot), { code: 'evidence.unavailable' })
  assert.deepEqual(
    (await made.names()).filter((name) => name.startsWith('grants/')),
    [],
  )
})

test('a worker cannot ask under the boot of another, whose public key it knows', async () => {
  const { boot, said } = await verifierBoot()
  const evidenceSigner = { ...workerKeys().evidenceSigner, jwk: workerKeys().evidenceKey }
  await assert.rejects(ask(boot, [job], { evidenceSigner }), { code: 'possession.invalid' })
  assert.deepEqual(said, [])
})

/** Requests that carry `marker` wherever a requester chooses a text. */
const markedHeader: Partial<SealHeader> = {
  object: 'marker',
  contentType: 'text/marker',
  custody: { ...headerOf().custody, keyId: 'ocid1.key.oc1..marker', keyVersionId: 'ocid1.key.oc1..marker' },
}
const markedPlace = { bucket: 'marker', name: 'marker', etag: 'marker' }
const withReference = ({ objects, ...more }: ReleaseJob, changes: object = markedPlace): ReleaseJob => ({
  ...more,
  objects: objects.map((object) => ({ ...object, ...changes })),
})
const foreignType = defineSigned('cw-marker', SealHeaderFormat)
const marked: readonly {
  readonly what: string
  readonly jobs: readonly ReleaseJob[]
  readonly changes?: Parameters<typeof ask>[2]
  readonly event: EntryBody['event']
}[] = [
  { what: 'purpose', jobs: [job], changes: { purpose: 'MARKER_TEXT' }, event: 'worker.refused' },
  { what: 'software', jobs: [job], changes: { software: 'marker' }, event: 'release.issued' },
  { what: 'dataset', jobs: [await jobOf({ dataset: 'marker' })], event: 'release.refused' },
  { what: 'tenant', jobs: [await jobOf({ tenant: 'marker' })], event: 'release.refused' },
  {
    what: 'header that no one signed',
    jobs: [withReference(await jobOf(markedHeader, keySigner(ed25519())))],
    event: 'release.refused',
  },
  {
    what: 'name of the object',
    jobs: [withReference(await jobOf(), { name: 'marker', bucket: 'marker', etag: 'marker' })],
    event: 'release.refused',
  },
  {
    what: 'type of the header',
    jobs: [withReference(job, { header: await signCompact(foreignType, headerOf(), keySigner(ed25519())) })],
    event: 'release.refused',
  },
  {
    what: 'text in place of a header',
    jobs: [withReference(job, { header: 'marker.marker.marker' })],
    event: 'release.refused',
  },
  { what: 'set record', jobs: [{ ...job, set: 'marker.marker.marker' }], event: 'release.refused' },
]
for (const { what, jobs, changes, event } of marked)
  test(`no text of a requester is in the evidence: ${what}`, async () => {
    const { boot, entries } = await verifierBoot()
    await ask(boot, jobs, changes).catch((error) => assert.ok(error instanceof RequestRefused))
    assert.ok(entries.some((entry) => entry.event === event))
    assert.doesNotMatch(JSON.stringify(entries), /marker/i)
  })

test('the trace of a job is in its decision', async () => {
  const { boot, entries } = await verifierBoot()
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`
  await ask(boot, [{ ...job, traceparent }])
  const decided = entries.find((entry) => entry.event === 'release.decided')
  assert.equal(decided?.traceparent, traceparent)
})

test('the jobs of a request are not looked at before its nonce', async () => {
  const { boot, said } = await verifierBoot()
  const forged = { epoch: 1, key: randomBytes(32) }
  await assert.rejects(ask(boot, [job], { jobsText: '%', nonceKey: forged }), { code: 'nonce.invalid' })
  await assert.rejects(ask(boot, [job], { jobsText: '%' }), { code: 'request.malformed' })
  assert.deepEqual(said, [])
})

test('a preflight registers the boot and is one entry: nothing is released or counted as a release', async () => {
  const { boot, said, answered } = await verifierBoot()
  assert.deepEqual((await ask(boot, [])).answers, [])
  assert.deepEqual(said, ['boot.registered', 'worker.accepted', 'flush', 'flush'])
  assert.deepEqual(answered, [])
})

for (const { name, jobs } of [
  { name: 'a preflight', jobs: [] },
  { name: 'two jobs', jobs: [job, job] },
])
  test(`${name} of a client without a permission: one refusal, stored before it leaves`, async () => {
    const none = { ...policy, datasets: [datasetOf({ permissions: [] })] }
    const { boot, said } = await verifierBoot({ policy: none })
    await assert.rejects(ask(boot, jobs), { name: 'RequestRefused', code: 'client.none' })
    assert.deepEqual(said, ['worker.refused', 'flush'])
    const unstored = await verifierBoot({ policy: none, fault: 'worker.refused' })
    await assert.rejects(ask(unstored.boot, jobs), { code: 'evidence.unavailable' })
  })

test('the entry on a refused worker has the three nearest reference values, and what was in force', async () => {
  const [good] = policy.referenceValues
  assert.ok(good !== undefined)
  const near = { ...good, id: 'near', vmpl: 1 }
  const far = (id: string) => ({ ...near, id, measurements: ['c7'.repeat(48)] })
  const referenceValues = [far('far-1'), far('far-2'), near, far('far-3')]
  const { boot, entries } = await verifierBoot({ policy: { ...policy, seq: 7, referenceValues } })
  await assert.rejects(ask(boot), { name: 'RequestRefused', code: 'vmpl.violated' })
  const [entry] = entries
  assert.ok(entry?.event === 'worker.refused')
  const farFields = { differences: 2, fields: ['measurement', 'vmpl'] }
  assert.deepEqual(entry.nearest, [
    { reference: 'near', differences: 1, fields: ['vmpl'] },
    { reference: 'far-1', ...farFields },
    { reference: 'far-2', ...farFields },
  ])
  assert.deepEqual(entry.traceparents, [TRACEPARENT])
  assert.deepEqual([entry.policySeq, entry.revocationSeq], [7, nothingRevoked.seq])

  const none = await verifierBoot({ policy: { ...policy, datasets: [datasetOf({ permissions: [] })] } })
  await assert.rejects(ask(none.boot), { code: 'client.none' })
  const [other] = none.entries
  assert.ok(other?.event === 'worker.refused')
  assert.deepEqual(other.nearest, [])
})

test('a decision that cannot be stored: the Vault is not asked, the request fails, the release ends as failed', async () => {
  const { boot, said, answered } = await verifierBoot({ fault: 'release.decided' })
  await assert.rejects(ask(boot), { code: 'evidence.unavailable' })
  assert.deepEqual(said, ['boot.registered', 'worker.accepted', 'release.decided', 'release.failed'])
  assert.deepEqual(answered, ['failed evidence.unavailable'])
})

test('an end that cannot be stored: the request fails', async () => {
  const { boot, said } = await verifierBoot({ fault: 'release.issued' })
  await assert.rejects(ask(boot), { code: 'evidence.unavailable' })
  assert.deepEqual(said, [
    'boot.registered',
    'worker.accepted',
    'release.decided',
    'flush',
    'vault',
    'release.issued',
  ])
})

test('the jobs of a request share the entry on their worker, and those refused for the same reasons one refusal', async () => {
  const { boot, entries } = await verifierBoot()
  const other = { dataset: 'other' }
  const jobs = await Promise.all([
    jobOf({ ...other, sealId: '11'.repeat(16) }),
    job,
    jobOf({ ...other, sealId: '22'.repeat(16) }),
    jobOf({ dataset: 'third', sealId: '33'.repeat(16) }),
  ])
  const { answers } = await ask(boot, jobs)
  const refused = entries.filter((entry) => entry.event === 'release.refused')
  assert.deepEqual(
    entries.map(({ event }) => event),
    [
      'boot.registered',
      'worker.accepted',
      'release.refused',
      'release.decided',
      'release.refused',
      'release.issued',
    ],
  )
  // log.opened and boot.registered come before it.
  for (const entry of entries) if ('accepted' in entry) assert.equal(entry.accepted, 2)
  const headers = jobs.map(({ objects }) => objects.map(({ header }) => toBase64url(headerDigest(header))))
  assert.deepEqual(
    refused.map(({ headerDigests }) => headerDigests),
    [[headers[0], headers[2]].flat(), headers[3]],
  )
  // Both jobs have one trace.
  for (const { traceparents } of refused) assert.deepEqual(traceparents, [TRACEPARENT])
  const denials = answers.map((answer) => ('refusal' in answer ? refusalOf(answer).denialId : ''))
  assert.deepEqual(denials, [refused[0]?.denialId, '', refused[0]?.denialId, refused[1]?.denialId])
  const [issued] = answers.flatMap((answer) => ('grant' in answer ? [answer.grant] : []))
  assert.ok(issued !== undefined)
  assert.equal(peekCompact(GrantFormat, issued, 'grant.invalid').payload.log.index, 4)
})

test('what a request of 256 refused jobs leaves is smaller than the request', async () => {
  const digests = 256 * 46
  const { boot, entries } = await verifierBoot()
  const jobs = await Promise.all(
    Array.from({ length: 256 }, (_, n) =>
      jobOf({ dataset: 'other', sealId: n.toString(16).padStart(32, '0') }),
    ),
  )
  await ask(boot, jobs)
  const bytes = JSON.stringify(entries).length
  assert.ok(bytes < digests + 4096, `${bytes} bytes`)
})

test('a refusal with the most and longest reasons, over the most objects, fits one entry', () => {
  const text = 'x'.repeat(400)
  const reason = {
    code: 'assurance.insufficient',
    field: 'x'.repeat(80),
    expected: text,
    actual: text,
    remedy: text,
  } as const
  const bytes = EntryFormat.encode({
    v: 1,
    event: 'worker.refused',
    time: NOW,
    denialId: '0'.repeat(32),
    boot: 'a'.repeat(26),
    client: 'x'.repeat(64),
    purpose: 'HRESCH',
    headerDigests: Array.from({ length: 256 }, () => 'A'.repeat(43)),
    traceparents: Array.from({ length: MAX_TRACES }, () => TRACEPARENT),
    reasons: Array.from({ length: MAX_REASONS }, () => reason),
    nearest: Array.from({ length: MAX_NEAREST }, () => ({
      reference: 'x'.repeat(64),
      differences: 999,
      fields: Array.from({ length: MAX_NEAREST_FIELDS }, () => 'x'.repeat(80)),
    })),
    policySeq: 999_999_999,
    revocationSeq: 999_999_999,
    runtimeDataDigest: 'A'.repeat(43),
    reportDigest: 'A'.repeat(43),
    measurement: '0'.repeat(96),
    requestDigest: 'A'.repeat(43),
    tokenDigest: 'A'.repeat(43),
    jti: '0'.repeat(32),
    scopesDigest: 'A'.repeat(43),
    datasets: Array.from({ length: MAX_DATASETS }, () => 'x'.repeat(64)),
  })
  assert.ok(bytes.byteLength <= 65_535)
})

test('a log without room for all decisions and their ends refuses the request before it records one', async () => {
  const { boot, said, answered } = await verifierBoot()
  const waiting = {
    event: 'policy.loaded',
    policySeq: 1,
    policyDigest: 'A'.repeat(43),
    revocationSeq: 0,
    revocations: [] as string[],
  } as const
  // Room for boot.registered, worker.accepted, both decisions, and one end.
  boot.evidence.appendAll(Array.from({ length: 8192 - 5 }, () => waiting))
  said.length = 0
  await assert.rejects(ask(boot, [job, await jobOf({ sealId: '11'.repeat(16) })]), {
    code: 'evidence.unavailable',
  })
  assert.deepEqual(said, ['boot.registered'])
  assert.deepEqual(answered, [])
})

test('a Vault that does not answer before the deadline: the release ends as failed, and the end is stored', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { boot, said, answered, errors } = await verifierBoot({
    wrapFor: () => {
      t.mock.timers.tick(30_000)
      return new Promise(() => {})
    },
  })
  await assert.rejects(ask(boot), { code: 'service.unavailable' })
  assert.deepEqual(said.slice(0, 6), [
    'boot.registered',
    'worker.accepted',
    'release.decided',
    'flush',
    'vault',
    'release.failed',
  ])
  assert.deepEqual(answered, ['failed service.unavailable'])
  assert.deepEqual(errors, ['release failed service.unavailable'])
  await boot.evidence.flush()
  // The request began the first of them, and no one waits for it any more.
  assert.deepEqual(said.slice(6), ['flush', 'flush'])
})

test('a nonce marker that is not stored before the deadline: nothing is decided', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { boot, said } = await verifierBoot({
    spendNonce: () => {
      t.mock.timers.tick(30_000)
      return new Promise(() => {})
    },
  })
  await assert.rejects(ask(boot), { code: 'service.unavailable' })
  assert.deepEqual(said, [])
})

/** What may change between a decision and the key. Review M2: none of it kept a key in the Vault. */
const laterChanges: readonly {
  readonly name: string
  readonly policy?: Policy
  readonly later: { readonly inForce?: () => InForce; readonly seconds?: number }
  readonly code: ErrorCode
}[] = [
  {
    name: 'another policy',
    later: { inForce: () => ({ ...inForce(policy), loaded: { policy, digest: 'other' } }) },
    code: 'policy.changed',
  },
  {
    name: 'another consent list',
    later: {
      inForce: () => {
        const [[dataset, lists] = assert.fail()] = inForce(policy).consent
        return { ...inForce(policy), consent: new Map([[dataset, { ...lists, seq: 1, digest: 'other' }]]) }
      },
    },
    code: 'policy.changed',
  },
  {
    name: 'another revocation list',
    later: {
      inForce: () => {
        const { revocation, ...rest } = inForce(policy)
        return { ...rest, revocation: { ...revocation, objects: ['00'.repeat(16)] } }
      },
    },
    code: 'policy.changed',
  },
  {
    name: 'no confirmed listing, since the log took minutes to store the decision',
    later: {
      seconds: 240,
      inForce: () => {
        throw new CodedError('policy.stale', 'the governance bucket was last listed 240 seconds ago')
      },
    },
    code: 'policy.stale',
  },
  { name: 'a nonce of five minutes', later: { seconds: 300 }, code: 'nonce.expired' },
  {
    name: 'the end of the permission',
    policy: { ...policy, datasets: [datasetOf({ permissions: [permissionOf({ notAfter: NOW + 9 })] })] },
    later: { seconds: 9 },
    code: 'grant.expired',
  },
]
for (const { name, policy: decidedBy, later, code } of laterChanges) {
  const deciding = decidedBy === undefined ? {} : { policy: decidedBy }
  test(`after the decision ${name}: the Vault is not asked, and the release ends as ${code}`, async () => {
    const { boot, said, entries, answered } = await verifierBoot({ ...deciding, afterDecision: later })
    const [answer] = (await ask(boot)).answers
    assert.equal(answer !== undefined && refusalOf(answer).code, code)
    assert.ok(!said.includes('vault'))
    const end = entries.at(-1)
    assert.equal(end?.event === 'release.failed' && end.code, code)
    assert.deepEqual(answered, [`failed ${code}`])
  })
  test(`while the Vault works ${name}: no grant is signed, and the release ends as ${code}`, async () => {
    const { boot, said, answered } = await verifierBoot({ ...deciding, duringVault: later })
    await ask(boot)
    assert.deepEqual(said.slice(-3), ['vault', 'release.failed', 'flush'])
    assert.deepEqual(answered, [`failed ${code}`])
  })
}

test('a job that its quota refuses says so in numbers; the others of the request are released', async () => {
  const quota = { hours: 24, releases: 2, objects: 100, bytes: 10_000 }
  const limited = { ...policy, datasets: [datasetOf({ permissions: [permissionOf({ quota })] })] }
  const { boot, said, entries, answered } = await verifierBoot({ policy: limited })
  const [first, second, third] = await Promise.all(
    ['11', '22', '33'].map((id) => jobOf({ sealId: id.repeat(16) })),
  )
  assert.ok(first && second && third)
  // The same work twice is one charge.
  const { answers } = await ask(boot, [first, first, second, third])
  const codes = answers.map((answer) => ('refusal' in answer ? refusalOf(answer).code : ''))
  assert.deepEqual(codes, ['', '', '', 'quota.exceeded'])
  const begins = NOW - (NOW % 86_400)
  const decided = entries.flatMap((entry) => (entry.event === 'release.decided' ? [entry.quota] : []))
  const used = (releases: number) => ({ releases, objects: releases, bytes: 1234 * releases })
  assert.deepEqual(
    decided,
    [1, 1, 2].map((n) => ({ begins, used: used(n) })),
  )
  const refused = entries.find((entry) => entry.event === 'release.refused')
  assert.deepEqual(refused?.quota, {
    permission: 'heart-2027',
    unit: 'releases',
    limit: 2,
    used: 2,
    asked: 1,
    ends: begins + 86_400,
  })
  assert.deepEqual(refused?.reasons, [
    {
      code: 'quota.exceeded',
      field: 'permission heart-2027.quota.releases',
      expected: 'at most 2 from 2027-01-15T00:00:00Z until 2027-01-16T00:00:00Z',
      actual: '2 used, 1 asked for',
      remedy: 'wait for the next window, or raise the quota',
    },
  ])
  assert.equal(said.filter((step) => step === 'vault').length, 3)
  assert.deepEqual(answered.sort(), ['issued', 'issued', 'issued', 'refused quota.exceeded'])
})

test('what cannot be charged is not decided; a fault without a code fails the request', async () => {
  const failing = (error: Error): Quotas => ({
    charge: async () => {
      throw error
    },
    fullest: () => 0,
  })
  const { boot, said, entries } = await verifierBoot({ quotas: failing(unavailable()) })
  const [answer] = (await ask(boot)).answers
  assert.equal(answer && refusalOf(answer).code, 'service.unavailable')
  assert.deepEqual(said, ['boot.registered', 'worker.accepted', 'release.refused', 'flush', 'flush'])
  const refused = entries.find((entry) => entry.event === 'release.refused')
  assert.equal(refused?.quota, null)
  const broken = await verifierBoot({ quotas: failing(new RangeError('not ours')) })
  await assert.rejects(ask(broken.boot), RangeError)
})

test('the charge is stored before the decision is', async () => {
  const order: string[] = []
  const { boot, said } = await verifierBoot({
    quotas: {
      charge: async (_window, asked) => {
        order.push(...said, 'charge')
        return asked.map(() => ({ kind: 'charged', used: { releases: 1, objects: 1, bytes: 1 } }))
      },
      fullest: () => 0,
    },
  })
  await ask(boot)
  assert.deepEqual(order, ['boot.registered', 'charge'])
})

test('a listing that finds the same policy and list again changes nothing', async () => {
  const { boot } = await verifierBoot({ afterDecision: { inForce: () => structuredClone(inForce(policy)) } })
  assert.ok('grant' in ((await ask(boot)).answers[0] ?? {}))
})

test('a nonce marker or an announcement that comes after the deadline: the boot is not registered', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  for (const step of ['spendNonce', 'announce']) {
    const late = Promise.withResolvers<void>()
    const { boot, said } = await verifierBoot({
      [step]: () => {
        t.mock.timers.tick(30_000)
        return late.promise
      },
    })
    const registrations = {
      ...boot.registrations,
      register: async () => {
        said.push('register')
      },
    }
    await assert.rejects(ask({ ...boot, registrations }), { code: 'service.unavailable' })
    late.resolve()
    await setImmediate()
    assert.deepEqual(said, [], step)
  }
})

for (const { name, changed, until } of [
  { name: 'the verifier keys', changed: policy, until: verifierKeys.exp },
  { name: 'the policy', changed: { ...policy, expiresAt: NOW + 60 }, until: NOW + 60 },
  {
    name: 'the permission',
    changed: { ...policy, datasets: [datasetOf({ permissions: [permissionOf({ notAfter: NOW + 60 })] })] },
    until: NOW + 60,
  },
  {
    name: 'the reference values, including their last second',
    changed: {
      ...policy,
      referenceValues: policy.referenceValues.map((one) => ({ ...one, notAfter: NOW + 59 })),
    },
    until: NOW + 60,
  },
])
  test(`a grant ends with ${name}`, async () => {
    const { boot } = await verifierBoot({ policy: changed })
    const [answer] = (await ask(boot)).answers
    assert.ok(answer !== undefined && 'grant' in answer)
    assert.equal(peekCompact(GrantFormat, answer.grant, 'grant.invalid').payload.exp, until)
  })

test('a client beyond its rate is refused before it costs evidence, and asks again later', async () => {
  const { boot, said } = await verifierBoot()
  const spent: string[] = []
  const clientRates = { take: (name: string) => spent.push(name) > 1, has: () => true }
  await assert.rejects(ask({ ...boot, clientRates }), { code: 'client.busy', retryAfterSeconds: 1 })
  assert.deepEqual(said, [])
  assert.ok(await ask({ ...boot, clientRates }))
  assert.deepEqual(spent, ['acme', 'acme'])
})

test('a boot that cannot be announced decides nothing', async () => {
  const { boot, said, answered } = await verifierBoot({
    announce: async () => {
      throw unavailable()
    },
  })
  await assert.rejects(ask(boot), { name: 'RequestRefused', code: 'service.unavailable' })
  assert.deepEqual(said, ['worker.refused', 'flush'])
  assert.deepEqual(answered, [])
})

test('a key that the Vault refuses fails only its own job', async () => {
  const [first, second] = await Promise.all([jobOf({ sealId: '11'.repeat(16) }), job])
  assert.ok(first !== undefined && second !== undefined)
  let calls = 0
  const { boot, answered, errors } = await verifierBoot({
    wrapFor: async () => {
      calls += 1
      if (calls === 1) throw unavailable()
      return 'a.b.c.d.e'
    },
  })
  const { answers } = await ask(boot, [first, second])
  const [failed, issued] = answers
  assert.ok(failed !== undefined && 'refusal' in failed && issued !== undefined && 'grant' in issued)
  assert.deepEqual([refusalOf(failed).code, refusalOf(failed).job], ['service.unavailable', 0])
  assert.deepEqual(answered.sort(), ['failed service.unavailable', 'issued'])
  assert.deepEqual(errors, ['release failed service.unavailable'])
})

test('a nonce that cannot be spent refuses the request as a whole; a fault without a code fails the request', async () => {
  const { boot, said, answered } = await verifierBoot({
    spendNonce: async () => {
      throw new CodedError('nonce.spent', 'another request has used this nonce')
    },
  })
  const two = [job, await jobOf({ sealId: '11'.repeat(16) })]
  await assert.rejects(ask(boot, two), { name: 'RequestRefused', code: 'nonce.spent' })
  assert.deepEqual(said, ['worker.refused', 'flush'])
  assert.deepEqual(answered, [])

  const broken = await verifierBoot({
    spendNonce: async () => {
      throw new RangeError('not ours')
    },
  })
  await assert.rejects(ask(broken.boot), RangeError)
})

test('an ASK on the held revocation list is refused before any decision', async () => {
  const { boot, said } = await verifierBoot({ crls: [listOf({ revoked: [SERIALS.ask] })] })
  await assert.rejects(ask(boot), { code: 'chain.revoked' })
  assert.deepEqual(said, [])
})

for (const { name, crls, code } of [
  { name: 'no list', crls: [], code: 'crl.missing' },
  {
    name: 'a list past its end and the grace',
    crls: [listOf({ thisUpdate: NOW - 5000, nextUpdate: NOW - 601 })],
    code: 'crl.stale',
  },
  {
    name: 'a list within the grace',
    crls: [listOf({ thisUpdate: NOW - 5000, nextUpdate: NOW - 600 })],
    code: '',
  },
  { name: 'a list in force', crls: [listOf()], code: '' },
])
  test(`reference values that require a list, and ${name}: ${code === '' ? 'granted' : code}`, async () => {
    const { boot } = await verifierBoot({ policy: withList, crls })
    if (code === '') assert.ok('grant' in ((await ask(boot)).answers[0] ?? {}))
    else await assert.rejects(ask(boot), { name: 'RequestRefused', code })
  })

test('reference values that require no list: an old list does not refuse, but still revokes', async () => {
  const old = { thisUpdate: NOW - 5000, nextUpdate: NOW - 4000 }
  const { answers } = await ask((await verifierBoot({ crls: [listOf(old)] })).boot)
  assert.ok(answers[0] && 'grant' in answers[0])
  const { boot } = await verifierBoot({ crls: [listOf({ ...old, revoked: [SERIALS.ask] })] })
  await assert.rejects(ask(boot), { code: 'chain.revoked' })
})
