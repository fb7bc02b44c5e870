/** The tables of the doctors: each row can be told from the others, and says how to mend what it finds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AUDITOR } from '#cli/doctor/auditor.ts'
import { RESEARCHER } from '#cli/doctor/researcher.ts'
import { SEALER } from '#cli/doctor/sealer.ts'
import { VERIFIER_CHECKS } from '../../../src/verifier/doctorChecks.ts'
import { WORKER_CHECKS } from '../../../src/worker/doctorChecks.ts'

const TABLES = [
  ['worker', WORKER_CHECKS],
  ['verifier', VERIFIER_CHECKS],
  ['sealer', SEALER.checks],
  ['auditor', AUDITOR.checks],
  ['researcher', RESEARCHER.checks],
] as const

for (const [role, checks] of TABLES)
  test(`${role}: each row has an id of its own, and a remedy`, () => {
    const ids = checks.map(({ id }) => id)
    assert.deepEqual(ids, [...new Set(ids)])
    for (const { id, tries, expects, remedy } of checks) {
      assert.match(id, /^[a-z-]+(\.[a-z-]+)+$/)
      for (const text of [tries, expects, remedy]) assert.match(text, /^[^\n]+[^.\n]$/, id)
    }
    assert.ok(
      checks.some(({ expects }) => expects === 'refused'),
      'what must be refused is tried, too',
    )
  })
