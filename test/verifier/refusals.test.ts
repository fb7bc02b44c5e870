import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogFields } from '#adapters/system/log.ts'
import { CodedError } from '#core/errors.ts'
import { DecidedRefusal } from '../../src/verifier/decidedRefusal.ts'
import { createRefusals } from '../../src/verifier/refusals.ts'
import { steerableClock } from './steerableClock.ts'

function listen() {
  const clock = steerableClock()
  const lines: (readonly [string, LogFields | undefined])[] = []
  const counted: string[] = []
  const metered: string[] = []
  const refusals = createRefusals(
    { count: (code, address) => counted.push(`${code} ${address}`) },
    { refused: (code) => metered.push(code), tlsRefused: (reason) => metered.push(reason) },
    { clock, log: { info: (message, fields) => lines.push([message, fields]) } },
  )
  const request = (error: CodedError) =>
    refusals.request({ code: error.code, id: 'ab', address: '192.0.2.1', error })
  return { clock, lines, counted, metered, refusals, request }
}

test('a failed handshake is counted by reason and by address, the probe of a balancer only by reason', () => {
  const { refusals, counted, metered, lines } = listen()
  refusals.handshake('no-certificate', '192.0.2.1')
  refusals.handshake('abandoned', '192.0.2.2')
  assert.deepEqual(metered, ['no-certificate', 'abandoned'])
  assert.deepEqual(counted, ['tls.refused 192.0.2.1'])
  assert.deepEqual(lines, [['TLS refused', { code: 'tls.refused', reason: 'no-certificate' }]])
})

test('a decision is not counted again in the evidence', () => {
  const { request, counted, metered } = listen()
  const proof = { verifierKeys: { payload: '', signatures: [] }, grantKey: '', freshness: '', refusal: '' }
  request(new DecidedRefusal({ code: 'tcb.below-floor', denialId: 'cd'.repeat(16) }, proof))
  request(new CodedError('nonce.expired', 'of the test'))
  assert.deepEqual(metered, ['tcb.below-floor', 'nonce.expired'])
  assert.deepEqual(counted, ['nonce.expired 192.0.2.1'])
})

test('a flood writes few lines, which say how many were left out; other codes keep theirs', () => {
  const { request, counted, lines, clock } = listen()
  for (let count = 0; count < 1000; count += 1) request(new CodedError('nonce.expired', 'of the flood'))
  assert.equal(counted.length, 1000)
  assert.equal(lines.length, 32)
  request(new CodedError('nonce.spent', 'of the test'))
  assert.equal(lines.length, 33)
  clock.pass(1)
  request(new CodedError('nonce.expired', 'of the flood'))
  assert.equal(lines.at(-1)?.[1]?.['omitted'], 968)
  clock.pass(1)
  request(new CodedError('nonce.expired', 'of the flood'))
  assert.equal(lines.at(-1)?.[1]?.['omitted'], undefined)
})
