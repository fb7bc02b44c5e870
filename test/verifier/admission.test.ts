import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADMISSION_LIMITS, createAdmission, Shed } from '../../src/verifier/admission.ts'
import { FRONT_DOORS } from '../../src/verifier/frontDoor.ts'

const { atOnce } = FRONT_DOORS.required.limits
const shed = (code: string) => (error: unknown) => {
  assert.ok(error instanceof Shed)
  assert.equal(error.code, code)
  assert.ok(error.retryAfterSeconds > 0)
  return true
}

test('bodies in memory have one limit for all, and a request that leaves gives its bytes back', () => {
  const admission = createAdmission(atOnce)
  const [first, second] = [admission.enter('a'), admission.enter('b')]
  first.hold(ADMISSION_LIMITS.bodyBytes - 1)
  second.hold(1)
  assert.throws(() => second.hold(1), shed('verifier.unavailable'))
  first.leave()
  second.hold(ADMISSION_LIMITS.bodyBytes - 1)
  assert.throws(() => second.hold(1), shed('verifier.unavailable'))
})

test('one certificate cannot hold all bytes', () => {
  assert.ok(atOnce * 1.75 * 1024 * 1024 * 4 <= ADMISSION_LIMITS.bodyBytes)
})

test('a place of a certificate is free again when its request leaves', () => {
  const admission = createAdmission(atOnce)
  const places = Array.from({ length: atOnce }, () => admission.enter('a'))
  assert.throws(() => admission.enter('a'), shed('client.busy'))
  assert.ok(admission.enter('b'))
  places[0]?.leave()
  assert.ok(admission.enter('a'))
  assert.throws(() => admission.enter('a'), shed('client.busy'))
})

test('a place for work is free again when its request leaves, also if it never worked', () => {
  const admission = createAdmission(atOnce)
  const places = Array.from({ length: ADMISSION_LIMITS.working }, (_, index) => admission.enter(`${index}`))
  for (const place of places) place.work()
  const late = admission.enter('late')
  assert.throws(() => late.work(), shed('verifier.unavailable'))
  late.leave()
  const later = admission.enter('late')
  assert.throws(() => later.work(), shed('verifier.unavailable'))
  places[0]?.leave()
  later.work()
})
