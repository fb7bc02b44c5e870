import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_DRAIN_SECONDS, WorkerConfig } from '../../src/worker/config.ts'
import { memoryOf } from '../../src/worker/memory.ts'
import { assertClosed, assertLimits, exampleOf } from '../configuration.ts'

const example = exampleOf(WorkerConfig)
const origins = (count: number) => Array.from({ length: count }, (_, at) => `https://verifier-${at}`)
const path = (length: number) => '/'.padEnd(length, 'a')

test('the printed example of the worker loads only as a whole, and with nothing else', () => {
  assertClosed(WorkerConfig, example, ['attestation.endorsements.kds'])
})

test("each limit of the worker's configuration is exact", () => {
  assertLimits(WorkerConfig, example, [
    ...['ca', 'cert', 'key'].map((file) => ({
      field: `verifier.${file}`,
      good: ['/', path(4096)],
      bad: ['', 'a', 'a/b', path(4097)],
    })),
    {
      field: 'verifier.urls',
      good: [['https://a'], ['https://a', 'https://a:8443'], origins(8)],
      bad: [
        [],
        origins(9),
        'https://a',
        [1],
        ['http://a'],
        ['https://a/'],
        ['https://a:b'],
        ['https://a', 'https://b', 'https://a'],
        ['https://a', 'https://a:443'],
      ],
    },
    { field: 'stream.reservationMs', good: [2000, 60_000], bad: [1999, 60_001, 2000.5, '2000'] },
    { field: 'batch.maxJobs', good: [1, 64], bad: [0, 65, 1.5] },
    { field: 'batch.memoryMib', good: [1_048_576], bad: [0, 1_048_577, 512.5] },
    {
      field: 'batch',
      good: [
        { maxJobs: 1, concurrency: 1, memoryMib: memoryOf(1) },
        { maxJobs: 1, concurrency: 64, memoryMib: memoryOf(64) },
      ],
      bad: [
        { maxJobs: 1, concurrency: 0, memoryMib: 1_048_576 },
        { maxJobs: 1, concurrency: 65, memoryMib: 1_048_576 },
        { maxJobs: 1, concurrency: 64, memoryMib: memoryOf(64) - 1 },
        { maxJobs: 1, concurrency: 1, memoryMib: 1 },
      ],
    },
    { field: 'monitor.host', good: ['a', 'a'.repeat(255)], bad: ['', 'a'.repeat(256)] },
    { field: 'monitor.port', good: [0, 65_535], bad: [-1, 65_536, 1.5] },
    { field: 'drainSeconds', good: [1, 900], bad: [0, 901, 1.5] },
  ])
})

test('an address that is no origin and one that is named twice are told apart', () => {
  const { verifier } = example as { readonly verifier: object }
  const said = (...urls: readonly string[]) =>
    WorkerConfig.safeParse({ ...(example as object), verifier: { ...verifier, urls } }).error?.issues.map(
      ({ message }) => message,
    )
  assert.deepEqual(said('https://a', 'https://a:443'), ['names an address twice'])
  assert.deepEqual(said('https://a', 'https://a:b'), ['is not an https origin'])
})

test("a worker drains for at most 900 seconds, which its unit's TimeoutStopSec exceeds", () => {
  assert.equal(MAX_DRAIN_SECONDS, 900)
})
