/** The limits of the documents of a release are exact, and none has a field more. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { toBase64url } from '#core/bytes.ts'
import { MAX_SCOPES } from '#core/fhir/scope.ts'
import { Ed25519Jwk } from '#core/jwk.ts'
import { GrantFormat, GrantKeyFormat } from '#core/release/grant.ts'
import { Challenge } from '#core/release/nonce.ts'
import { QuotaEntryFormat } from '#core/release/quotaChain.ts'
import { Problem, problemOf, RefusalFormat } from '#core/release/refusal.ts'
import { RefusedResponse, ReleaseJobsFormat, ReleaseRequest, ReleaseResponse } from '#core/release/request.ts'
import { RuntimeDataFormat } from '#core/release/runtimeData.ts'
import { MAX_MEMBERS } from '#core/sealed/set.ts'
import * as cases from '../../vectors/release/cases.ts'
import { expectClosed, expectLimits, type Limit, listOf, numberOf } from '../documentLaws.ts'

const bytesOf = (field: string, least: number, most: number): Limit => ({
  field,
  least,
  most,
  of: (length) => toBase64url(Buffer.alloc(length, 1)),
})
const idOf = (at: number) => at.toString(16).padStart(64, '0')
const DENIAL = 'ab'.repeat(16)
const jws = 'a.b.c'
const { AUDIENCE, GRANT, JOB, NONCE, NOW, REQUEST } = cases
const [object] = GRANT.objects
const [reference] = JOB.objects
const runtimeData = RuntimeDataFormat.decode(Buffer.from(REQUEST.runtimeData, 'base64url'))
const grantKey = { v: 1 as const, jwk: Ed25519Jwk.parse(cases.grantKey.jwk), nbf: NOW, exp: NOW + 1 }
const refusal = {
  v: 1 as const,
  nonce: toBase64url(randomBytes(61)),
  job: 0,
  code: 'object.withdrawn',
  about: 'object' as const,
  denialId: DENIAL,
}
const work = { id: idOf(0), objects: 1, bytes: 1 }
const entry = {
  v: 1 as const,
  works: [work],
  total: { releases: 1, objects: 1, bytes: 1 },
  before: [[idOf(1)]],
}
const response = await cases.answerOf()
const { answers, earlierKeys: _none, ...envelope } = response
const keysOfBefore = response.verifierKeys
const problem = problemOf('object.withdrawn', DENIAL)

test('no document takes an unknown field, at any depth', () => {
  expectClosed(GrantFormat.schema, GRANT)
  expectClosed(GrantKeyFormat.schema, grantKey)
  expectClosed(RefusalFormat.schema, refusal)
  expectClosed(RuntimeDataFormat.schema, runtimeData)
  expectClosed(ReleaseJobsFormat.schema, [{ ...JOB, set: jws }])
  expectClosed(ReleaseRequest, REQUEST)
  expectClosed(ReleaseResponse, {
    ...response,
    earlierKeys: [keysOfBefore],
    answers: [...answers, { refusal: jws }],
  })
  expectClosed(RefusedResponse, { ...envelope, refusal: jws })
  expectClosed(QuotaEntryFormat.schema, entry)
  expectClosed(Challenge, { nonce: toBase64url(NONCE), exp: NOW, aud: AUDIENCE })
  expectClosed(Problem, problem)
})

test('each limit of a grant is exact', () => {
  expectLimits(GrantFormat.schema, GRANT, [
    bytesOf('nonce', 61, 61),
    listOf('objects', 1, MAX_MEMBERS, () => object),
    listOf('scopes', 1, MAX_SCOPES, () => 'system/Condition.rs'),
  ])
})

test('each limit of runtime data and a refusal is exact', () => {
  expectLimits(RuntimeDataFormat.schema, runtimeData, [
    bytesOf('nonce', 61, 61),
    { field: 'software', least: 1, most: 200, of: (length) => '~'.repeat(length) },
  ])
  expectLimits(RefusalFormat.schema, refusal, [bytesOf('nonce', 61, 61)])
  for (const software of ['é', 'a\n', '\x7f', '\x1f'])
    assert.ok(!RuntimeDataFormat.schema.safeParse({ ...runtimeData, software }).success, software)
})

test('each limit of a request and its jobs is exact', () => {
  expectLimits(ReleaseRequest, REQUEST, [
    bytesOf('evidence.report', 1184, 1184),
    listOf('evidence.certs', 1, 3, () => REQUEST.evidence.certs[0]),
    bytesOf('evidence.certs.0', 256, 4096),
    bytesOf('runtimeData', 1, 4096),
    { field: 'clientAssertion', most: 4096, of: (length) => `a.b.${'c'.repeat(length - 4)}` },
    bytesOf('possession', 64, 64),
  ])
  expectLimits(ReleaseJobsFormat.schema, [JOB], [listOf('0.objects', 1, MAX_MEMBERS, () => reference)])
  const jobs = (...counts: readonly number[]) =>
    counts.map((objects) => ({ ...JOB, objects: Array(objects).fill(reference) }))
  const accepts = (value: unknown) => ReleaseJobsFormat.schema.safeParse(value).success
  for (const good of [jobs(), jobs(64, 64, 64, 64), jobs(...Array(256).fill(1))]) assert.ok(accepts(good))
  for (const bad of [jobs(64, 64, 64, 64, 1), jobs(...Array(257).fill(1))]) assert.ok(!accepts(bad))
})

test('each limit of a response is exact', () => {
  expectLimits(ReleaseResponse, response, [
    listOf('answers', 0, 256, () => answers[0]),
    listOf('earlierKeys', 0, 16, () => keysOfBefore),
    listOf('answers.0.keys', 1, MAX_MEMBERS, () => answers[0]?.keys[0]),
  ])
})

test('each limit of a quota entry is exact', () => {
  expectLimits(QuotaEntryFormat.schema, entry, [
    listOf('works', 1, 256, () => work),
    listOf('before', 0, 255, () => []),
    listOf('before.0', 0, 256, idOf),
  ])
  assert.equal(QuotaEntryFormat.maxBytes, 5_242_880)
})

test('a problem has the status of a refusal', () => {
  expectLimits(Problem, problem, [numberOf('status', 400, 599)])
  assert.ok(!Problem.safeParse({ ...problem, type: 'about:blank' }).success)
})
