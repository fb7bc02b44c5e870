import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Registry } from 'prom-client'
import { z } from 'zod'
import { publishReplicas } from '#adapters/http/replicas.ts'
import { OciConfig } from '#adapters/oci/config.ts'
import { systemClock } from '#adapters/system/clock.ts'
import { createClockSkew, publishClockSkew } from '#adapters/system/clockSkew.ts'
import { publishExpiries } from '#adapters/system/tlsWatch.ts'
import { FunctionConfig } from '../../src/function/config.ts'
import { ADMISSION_LIMITS } from '../../src/verifier/admission.ts'
import { VerifierConfig } from '../../src/verifier/config.ts'
import { FRONT_DOORS } from '../../src/verifier/frontDoor.ts'
import {
  createMetrics,
  publishAges,
  publishClientCertificates,
  publishConnections,
  publishQuotas,
} from '../../src/verifier/metrics.ts'
import { CLIENT_RATE, type Rate } from '../../src/verifier/rates.ts'
import { REQUEST_MILLISECONDS } from '../../src/verifier/server.ts'
import { HANDSHAKE_MILLISECONDS } from '../../src/verifier/serverTls.ts'
import { TLS_REFUSALS } from '../../src/verifier/tlsRefusals.ts'
import { WorkerConfig } from '../../src/worker/config.ts'
import { createWorkerMetrics } from '../../src/worker/metrics.ts'
import { readDocument, tableRows } from './document.ts'

const page = await readDocument('docs/operations.md')

/** Paths of all fields; a list, a choice and the section that all programs share are one field each. */
function fieldsOf(schema: unknown, path = ''): readonly string[] {
  const inner = schema instanceof z.ZodOptional ? schema.unwrap() : schema
  if (!(inner instanceof z.ZodObject) || path === 'oci') return [path]
  return Object.entries(inner.shape).flatMap(([key, child]) =>
    fieldsOf(child, path === '' ? key : `${path}.${key}`),
  )
}

/** What stands in code type in the first column below a heading. */
function namesBelow(heading: string): readonly string[] {
  const [, after = ''] = page.split(`\n${heading}\n`)
  const [section = ''] = after.split(/\n##/)
  return tableRows(section).flatMap(([cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  )
}

for (const { heading, schema } of [
  { heading: '### Worker', schema: WorkerConfig },
  { heading: '### Verifier', schema: VerifierConfig },
  { heading: '### Ingest function', schema: FunctionConfig },
  { heading: '### OCI', schema: OciConfig },
])
  test(`docs/operations.md has every field of "${heading}"`, () => {
    assert.deepEqual([...namesBelow(heading)].sort(), [...fieldsOf(schema)].sort())
  })

test('docs/operations.md has every metric, with its labels', async () => {
  const registry = new Registry()
  createWorkerMetrics(registry, true)
  publishClockSkew(registry, createClockSkew(systemClock), [])
  publishExpiries(registry, { expiries: () => [] }, systemClock)
  publishReplicas(registry, { resting: () => [] })
  createMetrics(registry, true)
  publishConnections(registry, () => ({ handshakes: 0, clients: 0 }))
  publishClientCertificates(registry, 'required')
  publishAges(registry, {
    policyStore: {
      ageSeconds: () => 0,
      freshSeconds: () => 0,
      ignored: () => 0,
      inForce: () => assert.fail('not scraped'),
    },
    revocationLists: { held: () => [] },
    clock: systemClock,
  })
  publishQuotas(registry, { fullest: () => 0 }, systemClock)
  const rows = tableRows(page)
    .filter(([name = '', , meaning]) => name.startsWith('`cw_') && meaning !== undefined)
    .map(([name = '', labels = '']) => [
      name.slice(1, -1),
      [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label),
    ])
  const metrics = registry
    .getMetricsAsArray()
    // prom-client types a metric's description without its label names, which it has.
    .map((metric) => [metric.name, (metric as unknown as { labelNames: string[] }).labelNames])
  assert.deepEqual(rows, metrics)
})

test("docs/operations.md has the limits of the Verifier's server, for both front doors", () => {
  const [, after = ''] = page.split("\n## Limits of the Verifier's server\n")
  const rows = tableRows(after.split('\n##')[0] ?? '').slice(1)
  const number = (value: number) => value.toLocaleString('en')
  const mib = (bytes: number) => `${bytes / 1024 / 1024} MiB`
  const rate = ({ perSecond, burst }: Rate) => `${number(perSecond)} per second, ${number(burst)} at once`
  for (const [column, mode] of [
    [1, 'required'],
    [2, 'at-gateway'],
  ] as const) {
    const { connections, limits } = FRONT_DOORS[mode]
    assert.deepEqual(
      rows.map((row) => row[column]),
      [
        `${connections.silenceMilliseconds / 1000} s`,
        `${HANDSHAKE_MILLISECONDS / 1000} s`,
        number(connections.handshakesPerAddress),
        rate(connections.failedHandshakes),
        number(connections.perClient),
        number(connections.total),
        rate(limits.requests),
        `${mib(limits.bodies.perSecond)} per second, ${mib(limits.bodies.burst)} at once`,
        `${limits.penaltyMilliseconds / 1000} s`,
        number(limits.atOnce),
        rate(CLIENT_RATE),
        `${REQUEST_MILLISECONDS / 1000} s`,
        mib(ADMISSION_LIMITS.bodyBytes),
        number(ADMISSION_LIMITS.working),
      ],
    )
  }
})

test('docs/operations.md has every reason for which a handshake fails', () => {
  for (const reason of Object.keys(TLS_REFUSALS)) assert.ok(page.includes(`\`${reason}\``), reason)
})
