import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STAGES, type Stage } from '#core/errors/coded.ts'
import { REPORT_ERRORS, CodedError as ReportError } from '#core/errors/report.ts'
import { CodedError, codeOf, ERRORS, type ErrorCode, errorRow, isErrorCode, under } from '#core/errors.ts'
import { problemOf } from '#core/release/refusal.ts'

test('a fault keeps its code, message and cause', () => {
  const cause = new Error('why')
  const error = new CodedError('lease.lost', 'the partition is gone', { cause })
  assert.ok(error instanceof Error)
  assert.deepEqual(
    { name: error.name, code: error.code, message: error.message, cause: error.cause },
    { name: 'CodedError', code: 'lease.lost', message: 'the partition is gone', cause },
  )
})

test('whatever has no code of its own is a fault of ours, and stops', () => {
  assert.equal(codeOf(new CodedError('nonce.spent', 'x')), 'nonce.spent')
  for (const foreign of [new TypeError('x'), { code: 'nonce.spent' }, 'nonce.spent', undefined])
    assert.equal(codeOf(foreign), 'internal.fault')
  assert.equal(errorRow('internal.fault').disposition, 'stop')
})

test('an error of the report library is one of the product, with the same row', () => {
  const error: unknown = new ReportError('chain.expired', 'x')
  assert.ok(error instanceof CodedError)
  assert.equal(codeOf(error), 'chain.expired')
  for (const [code, row] of Object.entries(REPORT_ERRORS)) assert.equal(errorRow(code as ErrorCode), row)
})

test('a code is one of the table and nothing that an object has by nature', () => {
  assert.equal(isErrorCode('permission.none'), true)
  for (const other of ['constructor', 'toString', '__proto__', 'grant', ''])
    assert.equal(isErrorCode(other), false)
})

test("a decoder's code speaks for what it calls, with the cause kept", () => {
  const inner = new CodedError('encoding.invalid', 'payload is not unpadded base64url')
  const decode = (error: unknown) => () =>
    under('grant.invalid', () => {
      throw error
    })
  assert.throws(decode(inner), {
    code: 'grant.invalid',
    message: 'payload is not unpadded base64url',
    cause: inner,
  })
  const own = new CodedError('grant.invalid', 'x')
  assert.throws(decode(own), (error) => error === own)
  const foreign = new TypeError('x')
  assert.throws(decode(foreign), (error) => error === foreign)
  assert.equal(
    under('grant.invalid', () => 1),
    1,
  )
})

// A supervisor acts on the exit code, so each disposition has its own.
for (const [code, { disposition, exit, http, meaning, remedy }] of Object.entries(ERRORS))
  test(`${code} has a row that agrees with itself`, () => {
    const exits = { retry: [75], reject: [1, 2], stop: [75, 78] }[disposition]
    assert.ok(exits.includes(exit), `${disposition} with exit ${exit}`)
    assert.ok(http >= 400 && http < 600)
    assert.match(meaning, /^[A-Za-z].*[^.]$/)
    assert.match(remedy, /^[a-z].*[^.]$/)
    assert.equal(errorRow(code as ErrorCode).meaning, meaning)
  })

/** The stage of each family of codes, and the codes that differ from their family. */
const EXPECTED: Readonly<Record<string, Stage | null>> = {
  'report.data-mismatch': 'binding',
  report: 'evidence',
  'certificate-table': 'evidence',
  chain: 'evidence',
  'crl.malformed': 'evidence',
  'crl.untrusted': 'evidence',
  'crl.superseded': null,
  crl: 'appraisal',
  'firmware.malformed': null,
  firmware: 'appraisal',
  measurement: 'appraisal',
  reference: 'appraisal',
  product: 'appraisal',
  root: 'appraisal',
  'signing-key': 'appraisal',
  tcb: 'appraisal',
  mitigations: 'appraisal',
  'guest-policy': 'appraisal',
  'guest-svn': 'appraisal',
  'platform-info': 'appraisal',
  vmpl: 'appraisal',
  'id-key': 'appraisal',
  'author-key': 'appraisal',
  'family-id': 'appraisal',
  'image-id': 'appraisal',
  'host-data': 'appraisal',
  chip: 'appraisal',
  trust: 'appraisal',
  boot: 'appraisal',
  client: 'appraisal',
  request: 'request',
  policy: 'request',
  'policy.malformed': null,
  'policy.unsuitable': null,
  'policy.unsigned': null,
  clock: 'request',
  'verifier.unavailable': 'request',
  'client.busy': 'request',
  nonce: 'nonce',
  possession: 'binding',
  assertion: 'assertion',
  permission: 'grant',
  assurance: 'grant',
  grant: 'grant',
  scope: 'grant',
  quota: 'grant',
  'consent.none': 'grant',
  object: 'grant',
  set: 'grant',
  key: 'custody',
  service: 'custody',
  internal: 'custody',
  'boot.unregistered': 'witness',
  checkpoint: 'witness',
  intent: 'witness',
  'result.committed': 'witness',
}

test('each code names the step of the Verifier that gives it', () => {
  for (const [code, { stage }] of Object.entries(ERRORS)) {
    const [family = ''] = code.split('.')
    const expected = code in EXPECTED ? EXPECTED[code] : (EXPECTED[family] ?? null)
    assert.equal(stage, expected, code)
  }
})

test('a refusal on the wire carries stage, title and status of the table', () => {
  for (const [code, { stage, meaning, http, disposition }] of Object.entries(ERRORS)) {
    const body = problemOf(code as ErrorCode, '00'.repeat(16))
    assert.deepEqual(
      [body.stage, body.title, body.status, body.retryable],
      [stage ?? 'request', meaning, http, disposition === 'retry'],
    )
    assert.ok(STAGES.includes(body.stage))
  }
})
