import { test } from 'node:test'
import { FunctionConfig } from '../../src/function/config.ts'
import { assertClosed, assertLimits, exampleOf } from '../configuration.ts'

const example = exampleOf(FunctionConfig)
const buckets = (count: number) => Array(count).fill({ namespace: 'hospital', bucket: 'outbox' })

test('the printed example of the ingest function loads only as a whole, and with nothing else', () => {
  assertClosed(FunctionConfig, example)
})

test("each limit of the ingest function's configuration is exact", () => {
  assertLimits(FunctionConfig, example, [
    { field: 'allowed', good: [buckets(1), buckets(64)], bad: [[], buckets(65), 'outbox'] },
  ])
})
