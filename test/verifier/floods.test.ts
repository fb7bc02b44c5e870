/** Every flood at once: a good worker still gets its keys, and the metrics say what was refused. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deployTarget, FLOODS, startFlood } from './floods.ts'

/**
 * Of the connections of each flood. The most numerous still has more handshakes than an address may have, and
 * unfinished bodies take more than the places of a certificate.
 */
const PART = 7

/** Every line of the metrics that the floods leave, whatever the machine's pace. */
const REFUSED = [
  'cw_verifier_requests_refused_total{code="client.busy"}',
  'cw_verifier_requests_refused_total{code="request.malformed"}',
  'cw_verifier_requests_refused_total{code="nonce.invalid"}',
  'cw_verifier_tls_refused_total{reason="plain-http"}',
  'cw_verifier_tls_refused_total{reason="no-certificate"}',
  'cw_verifier_connections_dropped_total{reason="handshakes"}',
]

test('a good worker gets its keys while every flood runs', async (t) => {
  const target = await deployTarget(t)
  const { monitor, obtain } = target
  await obtain()
  const floods = await Promise.all(FLOODS.map((flood) => startFlood(flood, target, { part: PART })))
  t.after(() => Promise.all(floods.map((end) => end())))
  let missing: readonly string[] = REFUSED
  while (missing.length > 0) {
    await obtain()
    const text = await (await fetch(`${monitor}/metrics`)).text()
    missing = REFUSED.filter((line) => !text.includes(line))
    assert.doesNotMatch(text, /code="internal.fault"/)
  }
  assert.equal((await fetch(`${monitor}/readyz`)).status, 200)
})
