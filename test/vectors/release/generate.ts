/**
 * Makes the vectors of this folder: `node test/vectors/release/generate.ts`. The same seeds give the same
 * files.
 */

import { createHash } from 'node:crypto'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { RegistrationFormat } from '#core/boot/registration.ts'
import { fromBase64url, sha256, toBase64url, utf8 } from '#core/bytes.ts'
import { canonicalBytes } from '#core/canonical.ts'
import type { ErrorCode } from '#core/errors.ts'
import { scopesDigest } from '#core/fhir/scope.ts'
import { thumbprint } from '#core/jwk.ts'
import { type Signer, signCompact } from '#core/jws.ts'
import { documentName } from '#core/policy/objectName.ts'
import { POLICY as POLICY_KIND, type Policy } from '#core/policy/policy.ts'
import { REVOCATION as REVOCATION_KIND, type Revocation, RevocationFormat } from '#core/policy/revocation.ts'
import { grantedTerms } from '#core/policy/terms.ts'
import { VERIFIER_KEYS as VERIFIER_KEYS_KIND, type VerifierKeys } from '#core/policy/verifierKeys.ts'
import { signAssertion } from '#core/release/assertion.ts'
import { grantDigest } from '#core/release/issue.ts'
import { provePossession } from '#core/release/possession.ts'
import { RefusalFormat, signRefusal } from '#core/release/refusal.ts'
import type { ReleaseRequest } from '#core/release/request.ts'
import { resultIdOfGrant } from '#core/release/resultId.ts'
import { type RuntimeData, RuntimeDataFormat } from '#core/release/runtimeData.ts'
import { addSeconds } from '#core/time.ts'
import { seeded } from '../sealed/seeded.ts'
import {
  ANCHORS,
  type AnswerChanges,
  ASKER,
  AUDIENCE,
  ada,
  answerOf,
  BOOT,
  CONTEXT,
  client,
  DEPLOYMENT,
  EXPECTED,
  evidence,
  GRANT,
  grace,
  grantCa,
  grantKey,
  JOB,
  JWE,
  KEYS,
  NONCE,
  NONCE_KEY,
  NOW,
  POLICY,
  REGISTRATION,
  REPORT_DATA,
  REQUEST,
  REVOCATION,
  ROOT,
  TRUST,
  unchecked,
  VERIFIER,
  VERIFIER_KEYS,
  wrap,
} from './cases.ts'
import { consentVectors } from './consent.ts'
import { ANY_POLICY, signed } from './documents.ts'
import { freshnessVectors } from './freshness.ts'
import { ed25519, p256, p384, wrapSeeded } from './keys.ts'
import { policyDemandVectors } from './policyDemands.ts'
import type { Document, Expected, Vector } from './vector.ts'

const FOLDER = new URL('./', import.meta.url)
const PAGE = 'docs/formats/release.md'
const SCOPES = 'system/Condition.rs system/Observation.rs'
const HOSTILE = ed25519('somebody else')

export async function makeVectors(): Promise<readonly Vector[]> {
  return [
    ...nonceVectors(),
    ...requestVectors(),
    ...bindingVectors(),
    ...(await assertionVectors()),
    ...trustVectors(),
    ...(await answerVectors()),
    ...keyVectors(),
    ...(await governanceVectors()),
    ...(await registrationVectors()),
    ...(await preflightVectors()),
    ...(await possessionVectors()),
    ...traceVectors(),
    ...(await policyDemandVectors()),
    ...(await refusalVectors()),
    ...(await inForceVectors()),
    ...resultNameVectors(),
    ...(await freshnessVectors()),
    ...(await consentVectors()),
  ]
}

/** One question has one name, whatever its terms; only the edition, or other objects, ask another. */
function resultNameVectors(): Vector[] {
  const make = (name: string, changes: Partial<typeof GRANT>, note: string): Vector => {
    const { terms, termsDigest } = grantedTerms({ ...GRANT, ...changes })
    const grant = { ...GRANT, ...changes, ...terms, termsDigest }
    return {
      name: `result ${name}`,
      spec: 'docs/formats/sealed.md §5',
      operation: 'name-result',
      input: { grant },
      ...accepted({ resultId: resultIdOfGrant(grant), termsDigest }),
      note,
    }
  }
  const second = GRANT.objects.map((object) => ({ ...object, headerDigest: toBase64url(sha256()) }))
  return [
    make('of a grant', {}, 'tenant, dataset, permission, edition, objects'),
    make('of the same objects under other scopes', { scopes: ['system/Condition.rs'] }, 'the same result'),
    make('of another release', { releaseId: 'ab'.repeat(16), iat: NOW + 9 }, 'the same result'),
    make('of another edition', { edition: 2 }, 'another result'),
    make('of other objects', { objects: second }, 'another result'),
    make('of two objects', { objects: [...GRANT.objects, ...second] }, 'their digests are sorted'),
    make('of two objects in the other order', { objects: [...second, ...GRANT.objects] }, 'the same result'),
  ]
}

/** File name and exact content. */
export function fileOf(vector: Vector, index: number): { readonly file: string; readonly content: string } {
  const name = vector.name.replace(/[^a-z0-9]+/gi, '-').toLowerCase()
  return {
    file: `${String(index + 1).padStart(3, '0')}-${name}.json`,
    content: `${JSON.stringify(vector, undefined, 2)}\n`,
  }
}

type Expectation = Pick<Vector, 'expect' | 'output'>
const accepted = (output?: unknown): Expectation => ({ expect: 'accepted', output })
const error = (code: ErrorCode): Expectation => ({ expect: { error: code } })

function nonceVectors(): Vector[] {
  const keys = [{ epoch: NONCE_KEY.epoch, key: toBase64url(NONCE_KEY.key) }]
  const make = (
    name: string,
    expectation: Expectation,
    note: string,
    changes: { nonce?: Buffer; audience?: string; now?: number; epoch?: number } = {},
  ): Vector => ({
    name: `nonce ${name}`,
    spec: `${PAGE} §1`,
    operation: 'check-nonce',
    input: {
      nonce: toBase64url(changes.nonce ?? NONCE),
      keys: keys.map(({ epoch, key }) => ({ epoch: changes.epoch ?? epoch, key })),
      audience: changes.audience ?? AUDIENCE,
      now: changes.now ?? NOW,
    },
    ...expectation,
    note,
  })
  const invalid = error('nonce.invalid')
  return [
    make('good', accepted(NOW), 'made here, checked at once'),
    make('good for 299 seconds', accepted(NOW), 'its last valid second', { now: NOW + 299 }),
    make('expired', error('nonce.expired'), '300 seconds old', { now: NOW + 300 }),
    make('from the future', invalid, 'replicas may differ by 30 seconds, not by 31', { now: NOW - 31 }),
    make('changed', invalid, 'one bit of the random part', { nonce: flip(NONCE, 20) }),
    make('of another time', invalid, 'the MAC covers iat', { nonce: flip(NONCE, 12) }),
    make('with another MAC', invalid, 'one bit of the MAC', { nonce: flip(NONCE, 60) }),
    make('of another version', invalid, 'version 3', { nonce: flip(NONCE, 0, 2) }),
    make('cut', invalid, '60 bytes', { nonce: NONCE.subarray(0, 60) }),
    make('of another epoch', invalid, 'the epoch is not in force', { epoch: 8 }),
    make('for another audience', invalid, 'the MAC covers the audience', { audience: `${AUDIENCE}:444` }),
  ]
}

function requestVectors(): Vector[] {
  const make = (name: string, body: unknown, note: string): Vector => ({
    name: `request ${name}`,
    spec: `${PAGE} §4`,
    operation: 'read-request',
    input: { body: typeof body === 'string' ? body : JSON.stringify(body) },
    ...error('request.malformed'),
    note,
  })
  const evidence = (changes: Partial<ReleaseRequest['evidence']>) => ({
    ...REQUEST,
    evidence: { ...REQUEST.evidence, ...changes },
  })
  const { jobs: _jobs, ...withoutJobs } = REQUEST
  const certificate = toBase64url(Buffer.alloc(256))
  const spaced = utf8(` ${fromBase64url(REQUEST.jobs).toString()}`)
  const manyObjects = `[{"objects":[${Array.from({ length: 65 }, () => '{"bucket":"b","etag":"e","header":"a.b.c","name":"n"}').join(',')}],"traceparent":"${JOB.traceparent}"}]`
  return [
    {
      ...make('good', REQUEST, 'as a worker sends it'),
      ...accepted({ wrapKey: thumbprint(wrap.jwk), boot: BOOT }),
    },
    make('that is not JSON', '{', 'cut after one byte'),
    make('with an extra field', { ...REQUEST, surplus: 1 }, 'schemas are closed'),
    make('with a missing field', withoutJobs, 'jobs is missing'),
    make('with a short report', evidence({ report: toBase64url(Buffer.alloc(1183)) }), '1183 bytes'),
    make('without certificates', evidence({ certs: [] }), 'the leaf is required'),
    make('with four certificates', evidence({ certs: Array(4).fill(certificate) }), 'at most three'),
    make('with padded base64', { ...REQUEST, jobs: `${REQUEST.jobs}=` }, 'base64url has one spelling'),
    make(
      'with jobs that are not canonical',
      { ...REQUEST, jobs: toBase64url(spaced) },
      'a space before the first byte',
    ),
    make('with 65 objects in a job', { ...REQUEST, jobs: toBase64url(utf8(manyObjects)) }, 'at most 64'),
    make(
      'with runtime data of version 2',
      { ...REQUEST, runtimeData: toBase64url(utf8(runtimeText().replace('"v":1', '"v":2'))) },
      'another version is another format',
    ),
    make(
      'with runtime data that are not canonical',
      { ...REQUEST, runtimeData: toBase64url(utf8(`${runtimeText()}\n`)) },
      'a line feed at the end',
    ),
  ]
}

function bindingVectors(): Vector[] {
  const make = (
    name: string,
    note: string,
    changes: { request?: Partial<ReleaseRequest>; reportData?: Buffer; audience?: string },
    expectation = error('report.data-mismatch'),
  ): Vector => ({
    name: `binding ${name}`,
    spec: `${PAGE} §2`,
    operation: 'bind-request',
    input: {
      body: JSON.stringify({ ...REQUEST, ...changes.request }),
      reportData: toBase64url(changes.reportData ?? REPORT_DATA),
      audience: changes.audience ?? AUDIENCE,
    },
    ...expectation,
    note,
  })
  const runtime = (changes: Partial<RuntimeData>) => {
    const bytes = RuntimeDataFormat.encode({ ...runtimeData(), ...changes })
    return { request: { runtimeData: toBase64url(bytes) }, reportData: reportDataBeside(bytes) }
  }
  const otherJobs = fromBase64url(REQUEST.jobs).toString().replace('etag-1', 'etag-2')
  const offCurve = { ...wrap.jwk, y: toBase64url(flip(fromBase64url(wrap.jwk.y), 31)) }
  return [
    make('good', 'the report binds every part', {}, accepted()),
    make('of another report', 'one bit of REPORT_DATA', { reportData: flip(REPORT_DATA, 63) }),
    make('without the domain', 'SHA-512 over the runtime data alone', {
      reportData: reportDataBeside(fromBase64url(REQUEST.runtimeData), ''),
    }),
    make('of other jobs', 'another eTag', { request: { jobs: toBase64url(utf8(otherJobs)) } }),
    make('of another assertion', 'one letter', {
      request: { clientAssertion: REQUEST.clientAssertion.replace(/.$/, (end) => (end === 'A' ? 'B' : 'A')) },
    }),
    make('for another audience', 'made for another Verifier', { audience: `${AUDIENCE}:444` }),
    make('of another boot', 'the boot id follows from the key', runtime({ boot: 'a'.repeat(26) })),
    make(
      'with a wrap key that is not on its curve',
      'not a point of P-256',
      runtime({ wrapKey: offCurve }),
      error('request.malformed'),
    ),
  ]
}

async function assertionVectors(): Promise<Vector[]> {
  const bindingOf = (changes: { iat?: number; audience?: string; nonce?: Buffer; wrapKey?: string }) => ({
    audience: changes.audience ?? AUDIENCE,
    nonce: changes.nonce ?? NONCE,
    wrapKey: changes.wrapKey ?? thumbprint(wrap.jwk),
    iat: addSeconds(NOW, changes.iat ?? 0),
    jti: seeded('jti')(16).toString('hex'),
  })
  const make = (name: string, assertion: string, note: string, now: number = NOW): Vector => ({
    name: `assertion ${name}`,
    spec: `${PAGE} §3`,
    operation: 'verify-assertion',
    input: {
      assertion,
      clients: [{ id: 'acme', keys: [client.jwk] }],
      audience: AUDIENCE,
      nonce: toBase64url(NONCE),
      wrapKey: thumbprint(wrap.jwk),
      now,
    },
    ...error('assertion.invalid'),
    note,
  })
  const signed = (changes: Parameters<typeof bindingOf>[0] = {}, signer: Signer = client.signer) =>
    signAssertion(ASKER, bindingOf(changes), signer)
  // A library may sign a claim that `signAssertion` refuses.
  const scoped = async (scope: string) => {
    const claims = JSON.parse(fromBase64url(good.split('.')[1] ?? '').toString())
    return signCompact(unchecked('JWT'), { ...claims, scope }, client.signer)
  }
  const asker = { ...ASKER, scopesDigest: null }
  const invalidScope = error('scope.invalid')
  const good = await signed()
  const unknown = await signAssertion({ ...ASKER, client: 'other' }, bindingOf({}), client.signer)
  return [
    { ...make('good', good, 'ES384'), ...accepted(asker) },
    { ...make('at its last second', good, '299 seconds old', NOW + 299), ...accepted(asker) },
    {
      ...make('with scopes', await scoped(`${SCOPES} system/Observation.s`), 'compared when expanded'),
      ...accepted({ ...asker, scopesDigest: scopesDigest(SCOPES.split(' ')) }),
    },
    make('without any scope', await scoped(''), 'scope is absent or not empty'),
    { ...make('with a text for a scope', await scoped('John_Doe'), 'no scope'), ...invalidScope },
    {
      ...make('with 65 scopes', await scoped(Array(65).fill('system/Patient.rs').join(' ')), 'at most 64'),
      ...invalidScope,
    },
    {
      ...make('with 292 scopes', await scoped('system/*.r?_tag=a system/*.r?_tag=b'), '2 of 146 types'),
      ...invalidScope,
    },
    make('expired', good, '300 seconds old', NOW + 300),
    make('from the future', await signed({ iat: 61 }), 'iat may be 60 seconds ahead'),
    make('by another key', await signed({}, p384('somebody else').signer), 'no key of the client'),
    make('of an unknown client', unknown, 'the policy has no such client'),
    make('for another audience', await signed({ audience: `${AUDIENCE}:444` }), 'aud'),
    make('with another nonce', await signed({ nonce: flip(NONCE, 20) }), 'nonce'),
    make('for another wrap key', await signed({ wrapKey: thumbprint(p256('other').jwk) }), 'cnf.jkt'),
  ]
}

function trustVectors(): Vector[] {
  const make = (name: string, anchors: typeof ANCHORS, digest: Buffer, note: string): Vector => ({
    name: `trust digest ${name}`,
    spec: 'docs/formats.md, Trust digest',
    operation: 'trust-digest',
    input: { anchors },
    ...accepted(toBase64url(digest)),
    note,
  })
  const second = 'a-workload@00'.padEnd(11 + 64, '0')
  const sorted = { ...ANCHORS, workloads: [second, ...ANCHORS.workloads] }
  return [
    make('good', ANCHORS, TRUST, 'SHA-256 of the canonical form'),
    make(
      'of workloads in any order',
      { ...ANCHORS, workloads: [...ANCHORS.workloads, second] },
      sha256(canonicalBytes(sorted)),
      'the list is sorted before it is hashed',
    ),
  ]
}

async function answerVectors(): Promise<Vector[]> {
  const make = async (
    name: string,
    note: string,
    code: ErrorCode,
    changes: AnswerChanges = {},
    expected: Partial<Expected> = {},
  ): Promise<Vector> => ({
    name: `answer ${name}`,
    spec: `${PAGE} §8`,
    operation: 'accept-answer',
    input: { response: await answerOf(changes), expected: { ...EXPECTED, ...expected } },
    ...error(code),
    note,
  })
  const good = await answerOf()
  const [granted] = good.answers
  const denialId = seeded('denial')(16).toString('hex')
  const refusal = await signRefusal(
    { code: 'permission.none', denialId },
    { nonce: NONCE, job: 0 },
    grantKey.signer,
  )
  const base = await make('good', 'one granted job', 'internal.fault')
  const jwe2 = wrapSeeded('another', Buffer.alloc(64), wrap.jwk, CONTEXT)
  const object = (changes: object) => ({
    jobs: EXPECTED.jobs.map((job) => ({
      ...job,
      objects: job.objects.map((one) => ({ ...one, ...changes })),
    })),
  })
  const output = (disclosure: object) => ({ output: { ...GRANT.output, disclosure } })
  const late = { iat: NOW + 300, exp: NOW + 3900 }
  return [
    { ...base, ...accepted([grantDigest(granted?.grant ?? '')]) },
    {
      ...base,
      name: 'answer with a refusal',
      operation: 'accept-answer',
      input: { response: { ...good, answers: [{ refusal }] }, expected: EXPECTED },
      ...accepted(['permission.none']),
      note: 'a refusal is an answer',
    },
    {
      ...base,
      name: 'answer with too few answers',
      operation: 'accept-answer',
      input: {
        response: good,
        expected: { ...EXPECTED, jobs: [...EXPECTED.jobs, ...EXPECTED.jobs] },
      },
      ...error('verifier.untrusted'),
      note: 'one answer for two jobs',
    },
    await make('of one signer', 'verifier keys need a quorum', 'verifier.untrusted', {
      signers: [ada.signer],
    }),
    await make(
      'of another root',
      'the pin names other persons',
      'verifier.untrusted',
      {},
      {
        providerRoot: { keys: ROOT.keys.map((key) => ({ ...key, jwk: HOSTILE.jwk })), threshold: 2 },
      },
    ),
    await make('of another grant CA', 'verifier keys certify another one', 'verifier.untrusted', {
      grantCa: p384('somebody else').signer,
    }),
    await make('of another grant key', 'the grant CA certifies another one', 'grant.invalid', {
      grantSigner: HOSTILE.signer,
    }),
    await make('of a grant key not yet in force', 'nbf is after iat', 'grant.invalid', {
      grantKeyWindow: { nbf: NOW + 3, exp: NOW + 40_000 },
    }),
    await make('of an expired grant key', 'exp is iat', 'grant.invalid', {
      grantKeyWindow: { nbf: NOW - 60, exp: NOW + 2 },
    }),
    await make('of expired verifier keys', 'exp is iat', 'grant.invalid', {
      verifierKeys: { exp: NOW + 2 },
    }),
    await make(
      'after it expired',
      'the worker has verified a later time',
      'grant.invalid',
      { grant: { exp: NOW + 500 } },
      { now: NOW + 500 },
    ),
    await make('from before the nonce', 'iat is before the minting of the nonce', 'grant.invalid', {
      grant: { iat: NOW - 1 },
    }),
    await make('from after the nonce', 'iat is after the nonce expired', 'grant.invalid', { grant: late }),
    await make('with an extra key', 'one key per object', 'grant.invalid', { keys: [JWE, JWE] }),
    await make('with another key', 'its digest is not in the grant', 'grant.invalid', { keys: [jwe2] }),
    await make(
      'to another nonce',
      'a replayed grant',
      'grant.invalid',
      {},
      {
        nonce: toBase64url(flip(NONCE, 20)),
      },
    ),
    await make('from another audience', 'aud', 'grant.invalid', { grant: { aud: `${AUDIENCE}:444` } }),
    await make('to another wrap key', 'wrapKey', 'grant.invalid', {}, { wrapKey: p256('other').jwk }),
    await make('to another boot', 'boot', 'grant.invalid', {}, { boot: 'a'.repeat(26) }),
    await make('to another client', 'client', 'grant.invalid', { grant: { client: 'other' } }),
    await make('for another purpose', 'purpose', 'grant.invalid', { grant: { purpose: 'HMARKT' } }),
    await make('with other terms', 'its terms do not have its digest', 'grant.invalid', {
      grant: { scopes: ['system/Condition.rs'] },
    }),
    await make('with a limit to one share', 'this version has none', 'grant.invalid', {
      unchecked: output({ form: 'threshold', k: 11, cap: 1 }),
    }),
    await make('with a threshold of one', 'exact says so', 'grant.invalid', {
      unchecked: output({ form: 'threshold', k: 1, cap: null }),
    }),
    await make('with consent of another form', 'a number and a digest do not name a list', 'grant.invalid', {
      unchecked: { consent: { seq: 1, digest: toBase64url(sha256()) } },
    }),
    await make('with details', 'this version has none', 'grant.invalid', {
      unchecked: { projection: { view: 'minimal', details: [{ type: 'fhir' }] } },
    }),
    await make('with parameters', 'the workload takes none', 'grant.invalid', {
      unchecked: { workload: { ...GRANT.workload, parameters: { top: 10 } } },
    }),
    await make(
      'about another version',
      'the eTag of the job',
      'grant.invalid',
      {},
      object({ etag: 'etag-2' }),
    ),
    await make(
      'about another bucket',
      'the bucket of the job',
      'grant.invalid',
      {},
      object({ bucket: 'inbox' }),
    ),
    await make(
      'about another name',
      'the name of the job',
      'grant.invalid',
      {},
      object({ name: 'elsewhere' }),
    ),
    await make('about a set', 'the job has no set record', 'grant.invalid', {
      grant: { set: '5e'.repeat(16) },
    }),
    await make(
      'about another header',
      'the header of the job',
      'grant.invalid',
      {},
      object({ header: 'a.b.c' }),
    ),
    await make('simulated', 'for a worker outside simulation', 'grant.invalid', {}, { simulation: false }),
  ]
}

function keyVectors(): Vector[] {
  const { privateKey } = wrap
  const { d } = privateKey.export({ format: 'jwk' })
  const make = (
    name: string,
    note: string,
    changes: { jwe?: string; nonce?: Buffer; headerDigest?: Buffer; seed?: string } = {},
  ): Vector => {
    const other = changes.seed === undefined ? undefined : p256(changes.seed)
    const secret = other?.privateKey.export({ format: 'jwk' }).d ?? d ?? ''
    return {
      name: `key ${name}`,
      spec: `${PAGE} §7`,
      operation: 'unwrap-key',
      input: {
        jwe: changes.jwe ?? JWE,
        wrapKey: { ...(other?.jwk ?? wrap.jwk), d: secret },
        nonce: toBase64url(changes.nonce ?? NONCE),
        headerDigest: toBase64url(changes.headerDigest ?? Buffer.from(CONTEXT.apv)),
      },
      ...error('key.unopened'),
      note,
    }
  }
  const parts = JWE.split('.')
  const changed = (part: number, at: number) =>
    parts.map((text, index) => (index === part ? toBase64url(flip(fromBase64url(text), at)) : text)).join('.')
  const short = wrapSeeded('short', Buffer.alloc(63), wrap.jwk, CONTEXT)
  return [
    {
      ...make('good', 'DEK and identity key'),
      ...accepted({ dek: toBase64url(KEYS.dek), idKey: toBase64url(KEYS.idKey) }),
    },
    make('for another TEE', 'another private key', { seed: 'other' }),
    make('for another nonce', 'apu', { nonce: flip(NONCE, 20) }),
    make('for another header', 'apv', { headerDigest: flip(Buffer.from(CONTEXT.apv), 0) }),
    make('with a changed wrapped key', 'AES key wrap', { jwe: changed(1, 0) }),
    make('with a changed IV', 'part 3', { jwe: changed(2, 0) }),
    make('with a changed ciphertext', 'part 4', { jwe: changed(3, 0) }),
    make('with a changed tag', 'part 5', { jwe: changed(4, 15) }),
    make('in four parts', 'no tag', { jwe: parts.slice(0, 4).join('.') }),
    make('of 63 bytes', 'two keys have 64', { jwe: short }),
  ]
}

async function governanceVectors(): Promise<Vector[]> {
  const both = [ada.signer, grace.signer]
  const invalid = error('policy.invalid')
  const policy = async (
    name: string,
    note: string,
    changes: { policy?: object; verifier?: object } = {},
    expectation = invalid,
  ): Promise<Vector> => ({
    name: `policy ${name}`,
    spec: `${PAGE} §9.1`,
    operation: 'load-policy',
    input: {
      ...(await signed(ANY_POLICY, { ...POLICY, ...changes.policy }, both)),
      root: ROOT,
      verifier: { ...VERIFIER, ...changes.verifier },
    },
    ...expectation,
    note,
  })
  const dataset = (changes: object) => ({ datasets: POLICY.datasets.map((one) => ({ ...one, ...changes })) })
  const permission = (changes: object) =>
    dataset({ permissions: POLICY.datasets[0]?.permissions.map((one) => ({ ...one, ...changes })) })
  const list = await signed(REVOCATION_KIND, REVOCATION, [ada.signer])
  const document = (name: string, note: string, stored: Document, expectation = invalid): Vector => ({
    name: `document ${name}`,
    spec: `${PAGE} §9`,
    operation: 'read-document',
    input: { ...stored, root: ROOT },
    ...expectation,
    note,
  })
  const nameOf = (seq: number) => documentName('revocation', seq, RevocationFormat.encode(REVOCATION))
  const [acme] = POLICY.clients
  return [
    await policy('good', 'it fits its Verifier', {}, accepted(POLICY.seq)),
    await policy('of a simulation for a real Verifier', 'the Verifier is not in simulation', {
      verifier: { simulation: false },
    }),
    await policy('of a simulation with a real Vault', 'the Vault is not on loopback', {
      verifier: { vaultOnLoopback: false },
    }),
    await policy('with real data in a simulation', 'synthetic is false', {
      policy: dataset({ synthetic: false }),
    }),
    await policy('with a simulated root outside simulation', 'a simulated root can sign any report', {
      policy: { simulation: false },
      verifier: { simulation: false },
    }),
    await policy('with a permission for an unknown client', 'client is not in clients', {
      policy: permission({ client: 'other' }),
    }),
    await policy('with an invalid scope', 'scopes', { policy: permission({ scopes: ['patient/*.rs'] }) }),
    await policy('with 292 scopes', 'at most 256 without *', {
      policy: permission({ scopes: ['system/*.rs?_tag=a', 'system/*.rs?_tag=b'] }),
    }),
    await policy('with 65 written scopes', 'at most 64', {
      policy: permission({ scopes: Array(65).fill('system/Patient.rs') }),
    }),
    await policy('with another code table', 'codeTable is not the built-in one', {
      policy: permission({ codeTable: toBase64url(sha256()) }),
    }),
    await policy('with a dataset of no population', 'population is not in populations', {
      policy: { populations: [] },
    }),
    await policy('with a population twice', 'ids are unique', {
      policy: { populations: [...POLICY.populations, ...POLICY.populations] },
    }),
    await policy('with a budget', 'budget is null', {
      policy: { populations: [{ id: 'cohort', budget: { epsilon: 1 } }] },
    }),
    await policy('without an edition', 'absent fields refuse to load', {
      policy: permission({ edition: undefined }),
    }),
    await policy('with a permission that ends before it begins', 'notAfter', {
      policy: permission({ notAfter: NOW - 2000 }),
    }),
    await policy('with a client twice', 'ids are unique', {
      policy: { clients: acme === undefined ? [] : [acme, { ...acme, keys: [p384('second').jwk] }] },
    }),
    await policy('of more than 90 days', 'a policy that storage keeps showing ends by itself', {
      policy: { expiresAt: POLICY.issuedAt + 90 * 86_400 + 1 },
    }),
    document('good', 'one signer', list, accepted(REVOCATION.seq)),
    document(
      'of a stranger',
      'not a signer of the root',
      await signed(REVOCATION_KIND, REVOCATION, [HOSTILE.signer]),
    ),
    document('under another number', 'the number is in its payload', { ...list, name: nameOf(5) }),
    document('under another digest', 'the name has the digest of the payload', {
      ...list,
      name: documentName('revocation', REVOCATION.seq, Buffer.from('another')),
    }),
    document('with a short number', 'nine digits', { ...list, name: list.name.replace('/00000', '/') }),
  ]
}

/** Last, so that the numbers of the others stay. */
async function inForceVectors(): Promise<Vector[]> {
  const both = [ada.signer, grace.signer]
  const policy = (changes: Partial<Policy>, by: readonly Signer[] = both) =>
    signed(POLICY_KIND, { ...POLICY, ...changes }, by)
  const keys = (changes: Partial<VerifierKeys>) =>
    signed(VERIFIER_KEYS_KIND, { ...VERIFIER_KEYS, ...changes }, both)
  const list = (changes: Partial<Revocation>, by: readonly Signer[] = [ada.signer]) =>
    signed(REVOCATION_KIND, { ...REVOCATION, referenceValues: [], objects: [], ...changes }, by)
  const digest = ({ document }: Document) => toBase64url(sha256(fromBase64url(document.payload)))
  const latest = (stored: Document) => ({ seq: seqOf(stored), digest: digest(stored) })
  const nothing = { referenceValues: [], objects: [], boots: [], permissions: [] }
  const revoked = (lists: readonly Document[], names: object = {}) => ({
    seq: lists.length,
    digest: toBase64url(sha256(utf8(lists.map(digest).sort().join('\n')))),
    ...nothing,
    ...names,
  })
  const make = (
    name: string,
    note: string,
    documents: readonly Document[],
    output: { policy?: object; verifierKeys?: object; revocation?: object; ignored?: readonly Document[] },
  ): Vector => ({
    name: `in force ${name}`,
    spec: `${PAGE} §9`,
    operation: 'in-force',
    input: { documents, root: ROOT, deployment: DEPLOYMENT, now: NOW },
    ...accepted({
      policy: null,
      verifierKeys: null,
      revocation: revoked([]),
      consent: {},
      ...output,
      ignored: (output.ignored ?? []).map((stored) => stored.name).sort(),
    }),
    note,
  })
  const first = await policy({})
  const gap = await policy({ seq: POLICY.seq + 900 })
  const alone = await policy({ seq: 999_999_999 }, [ada.signer])
  const twin = await policy({ issuedAt: NOW - 1 })
  const beyond = await policy({ seq: POLICY.seq + 1001 })
  const foreign = await policy({ seq: 13, tenant: 'hospital-b' })
  const future = await policy({ seq: 13, issuedAt: NOW + 1 })
  const [oldKeys, newKeys] = [await keys({}), await keys({ seq: 4 })]
  const [one, other] = [await list({ permissions: ['a'] }), await list({ seq: 9, permissions: ['b'] })]
  const inserted = await list({ seq: 5, permissions: ['c'] }, [grace.signer])
  const back = { seq: 10, replaces: [digest(one)] }
  const [byQuorum, byOne] = [await list(back, both), await list(back)]
  return [
    make('nothing', 'an empty bucket', [], {}),
    make('after a gap', 'the highest number of the quorum', [gap, first], { policy: latest(gap) }),
    make('beside one that a signer squats', 'one signature is no quorum', [first, alone], {
      policy: latest(first),
      ignored: [alone],
    }),
    make('beyond the gap', 'more than 1,000 above', [first, beyond], {
      policy: latest(first),
      ignored: [beyond],
    }),
    make('twice under one number', 'neither counts, and nothing below', [first, twin], {
      policy: { seq: POLICY.seq, digest: null },
      ignored: [first, twin],
    }),
    make('for another tenant', 'it ends nothing here', [first, foreign], {
      policy: latest(first),
      ignored: [foreign],
    }),
    make('before its issue', 'it ends nothing yet', [first, future], { policy: latest(first) }),
    make('after a rotation of the keys', 'the higher number', [newKeys, oldKeys], {
      verifierKeys: latest(newKeys),
    }),
    make('revoked by two lists', 'the union', [one, other], {
      revocation: revoked([one, other], { permissions: ['a', 'b'] }),
    }),
    make('revoked by a list in between', 'no order of numbers counts', [one, inserted, other], {
      revocation: revoked([one, inserted, other], { permissions: ['a', 'c', 'b'] }),
    }),
    make('taken back by the quorum', 'by the digest of the list', [one, other, byQuorum], {
      revocation: revoked([one, other, byQuorum], { permissions: ['b'] }),
    }),
    make('not taken back by one signer', 'one signer may only add', [one, other, byOne], {
      revocation: revoked([one, other, byOne], { permissions: ['a', 'b'] }),
    }),
  ]
}

function seqOf({ name }: Document): number {
  return Number(name.split(/[/-]/).at(-2))
}

async function registrationVectors(): Promise<Vector[]> {
  const make = (name: string, jws: string, expectation: Expectation, note: string): Vector => ({
    name: `registration ${name}`,
    spec: `${PAGE} §6.4`,
    operation: 'verify-registration',
    input: { jws, keys: [grantCa.jwk] },
    ...expectation,
    note,
  })
  const good = await signCompact(RegistrationFormat, REGISTRATION, grantCa.signer)
  const foreign = await signCompact(RegistrationFormat, REGISTRATION, p384('somebody else').signer)
  const [header = '', payload = '', signature = ''] = good.split('.')
  const changed = `${header}.${payload}.${toBase64url(flip(fromBase64url(signature), 95))}`
  return [
    make('good', good, accepted(), 'by the grant CA'),
    make('by another key', foreign, error('boot.mismatch'), 'not by the grant CA'),
    make('changed', changed, error('boot.mismatch'), 'one bit of the signature'),
  ]
}

/** Last, so that the numbers of the others stay. */
async function preflightVectors(): Promise<Vector[]> {
  const good = await answerOf()
  const make = (
    name: string,
    changes: { readonly response: object; readonly jobs: typeof EXPECTED.jobs },
    expectation: Expectation,
    note: string,
  ): Vector => ({
    name: `preflight ${name}`,
    spec: `${PAGE} §4, §8`,
    operation: 'accept-answer',
    input: { response: { ...good, ...changes.response }, expected: { ...EXPECTED, jobs: changes.jobs } },
    ...expectation,
    note,
  })
  const none = { answers: [] }
  const foreign = { ...none, verifierKeys: (await answerOf({ signers: [ada.signer] })).verifierKeys }
  return [
    make('accepted', { response: none, jobs: [] }, accepted([]), 'no job, no answer'),
    make('with an answer', { response: {}, jobs: [] }, error('verifier.untrusted'), 'nobody asked'),
    make('of one signer', { response: foreign, jobs: [] }, error('verifier.untrusted'), 'a quorum signs'),
    make(
      'in place of an answer',
      { response: none, jobs: EXPECTED.jobs },
      error('verifier.untrusted'),
      'a job without an answer',
    ),
  ]
}

async function possessionVectors(): Promise<Vector[]> {
  const make = (
    name: string,
    possession: string,
    note: string,
    expectation = error('possession.invalid'),
  ): Vector => ({
    name: `possession ${name}`,
    spec: `${PAGE} §2`,
    operation: 'verify-possession',
    input: { possession, reportData: toBase64url(REPORT_DATA), evidenceKey: evidence.jwk },
    ...expectation,
    note,
  })
  const by = (signer: Signer, reportData: Buffer = REPORT_DATA) => provePossession(reportData, signer)
  const good = await by(evidence.signer)
  return [
    make('good', good, 'Ed25519 over the 64 bytes', accepted()),
    make('by another key', await by(HOSTILE.signer), 'who knows the public key of a boot does not hold it'),
    make('over another report', await by(evidence.signer, flip(REPORT_DATA, 63)), 'one bit of REPORT_DATA'),
    make('changed', toBase64url(flip(fromBase64url(good), 0)), 'one bit of the signature'),
    make('cut', toBase64url(fromBase64url(good).subarray(0, 63)), '63 bytes'),
  ]
}

function traceVectors(): Vector[] {
  const make = (name: string, traceparent: string, note: string): Vector => ({
    name: `request with ${name}`,
    spec: `${PAGE} §4`,
    operation: 'read-request',
    input: { body: JSON.stringify({ ...REQUEST, jobs: jobsWith(traceparent) }) },
    ...error('request.malformed'),
    note,
  })
  const jobsWith = (traceparent: string) => toBase64url(canonicalBytes([{ ...JOB, traceparent }]))
  const [version = '', trace = '', parent = '', flags = ''] = JOB.traceparent.split('-')
  const text = (...parts: string[]) => parts.join('-')
  return [
    make('a free text for a traceparent', 'John Doe, born 1971', 'W3C Trace Context, version 00'),
    make('a trace id of zeros', text(version, '0'.repeat(32), parent, flags), 'invalid by §3.2.2.3'),
    make('a parent id of zeros', text(version, trace, '0'.repeat(16), flags), 'invalid by §3.2.2.4'),
    make('a traceparent that goes on', text(version, trace, parent, flags, 'more'), 'nothing is left over'),
  ]
}

async function refusalVectors(): Promise<Vector[]> {
  const good = await answerOf()
  const denialId = seeded('denial')(16).toString('hex')
  const refusal = { v: 1, nonce: toBase64url(NONCE), job: 0, about: 'object', denialId } as const
  const make = async (
    name: string,
    changes: { readonly code?: string; readonly nonce?: string; readonly job?: number | null },
    expectation: Expectation,
    note: string,
    signer: Signer = grantKey.signer,
  ): Promise<Vector> => {
    const signed = await signCompact(
      RefusalFormat,
      { ...refusal, code: 'object.withdrawn', ...changes },
      signer,
    )
    return {
      name: `refusal ${name}`,
      spec: `${PAGE} §6, §8`,
      operation: 'accept-answer',
      input: { response: { ...good, answers: [{ refusal: signed }] }, expected: EXPECTED },
      ...expectation,
      note,
    }
  }
  const untrusted = error('verifier.untrusted')
  return [
    await make('good', {}, accepted(['object.withdrawn']), 'by the grant key'),
    await make('by another key', {}, untrusted, 'nothing decides without the grant key', HOSTILE.signer),
    await make('of another request', { nonce: toBase64url(flip(NONCE, 20)) }, untrusted, 'nonce'),
    await make('of another job', { job: 1 }, untrusted, 'the index is 0'),
    await make('of the request in place of a job', { job: null }, untrusted, 'job is null'),
    await make(
      'with a code of tomorrow',
      { code: 'object.melted' },
      accepted(['refusal.unknown']),
      'it waits',
    ),
  ]
}

function runtimeText(): string {
  return fromBase64url(REQUEST.runtimeData).toString()
}

function runtimeData(): RuntimeData {
  return RuntimeDataFormat.decode(fromBase64url(REQUEST.runtimeData))
}

/** §2, independent of the implementation. */
function reportDataBeside(bytes: Uint8Array, domain = 'confidential-worker/release/v1\0'): Buffer {
  return createHash('sha512').update(domain).update(bytes).digest()
}

function flip(bytes: Uint8Array, at: number, mask = 1): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8(copy.readUInt8(at) ^ mask, at)
  return copy
}

if (import.meta.main) {
  const files = (await makeVectors()).map(fileOf)
  for (const old of readdirSync(FOLDER)) if (old.endsWith('.json')) rmSync(new URL(old, FOLDER))
  for (const { file, content } of files) writeFileSync(new URL(file, FOLDER), content)
}
