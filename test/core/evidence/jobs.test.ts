import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Findings } from '#core/evidence/audit/finding.ts'
import { jobOrder } from '#core/evidence/audit/rules/jobOrder.ts'
import type { Entry } from '#core/evidence/entry.ts'
import { traceparent } from './collectionBuilder.ts'

const letter: Entry = {
  v: 1,
  event: 'job.dead-lettered',
  time: 1_800_000_000,
  jobId: 'ab'.repeat(16),
  traceparent,
  code: 'job.exhausted',
  attempts: 3,
  headerDigests: [],
}

for (const { name, index, codes } of [
  { name: 'an illegal entry is found', index: 0, codes: ['job.order'] },
  { name: 'behind a lost entry nothing is judged: it may be the missing move', index: 1, codes: [] },
])
  test(name, () => {
    const findings = new Findings()
    jobOrder({ findings }).entry?.({ role: 'worker', boot: 'b'.repeat(26), index, entry: letter })
    assert.deepEqual(
      findings.list.map(({ code }) => code),
      codes,
    )
  })
