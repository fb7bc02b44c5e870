/**
 * A short run of `npm run fuzz` with a fixed seed. No parser answers hostile bytes with an undocumented
 * error, hangs or grows.
 */
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
    // The generators still work: they reach each documented code, and acceptance.
    assert.deepEqual(report.unmet, [])
    assert.ok(report.accepted > 0)
  })
