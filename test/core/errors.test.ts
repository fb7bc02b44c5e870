import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CodedError, codeOf, ERRORS, type ErrorCode, errorRow, isErrorCode, under } from '#core/errors.ts'

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

// What a disposition means to the loops: each class has its one exit, so that a supervisor knows what to do.
for (const [code, { disposition, exit, http, meaning }] of Object.entries(ERRORS))
  test(`${code} ends in a way that fits what it means`, () => {
    const exits = { retry: [75], reject: [1, 2], stop: [75, 78] }[disposition]
    assert.ok(exits.includes(exit), `${disposition} with exit ${exit}`)
    assert.ok(http >= 400 && http < 600)
    assert.match(meaning, /^[A-Za-z].*[^.]$/)
    assert.equal(errorRow(code as ErrorCode).meaning, meaning)
  })
