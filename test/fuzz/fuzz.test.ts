/** A little of `npm run fuzz`, always the same: no parser answers hostile bytes otherwise than it says, hangs or grows. */
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fuzz, USUAL_LIMITS } from './campaign.ts'
import { TARGETS } from './targets.ts'

const SEED = 20_261_121
const MODULE = new URL('./targets.ts', import.meta.url).href

for (const target of TARGETS)
  test(`${target.quick} inputs of ${target.name}: ${target.what}`, async () => {
    const report = await fuzz(target, {
      ...USUAL_LIMITS,
      module: MODULE,
      seed: SEED,
      from: 0,
      inputs: target.quick,
      seconds: Number.POSITIVE_INFINITY,
      folder: join(tmpdir(), 'confidential-worker-fuzz'),
    })
    assert.deepEqual(report.findings, [])
    assert.equal(report.inputs, target.quick)
    // Else the generators have lost their way: each documented code is met, and so is acceptance.
    assert.deepEqual(report.unmet, [])
    assert.ok(report.accepted > 0)
  })
