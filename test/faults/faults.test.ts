/**
 * A few seeds of `npm run faults`, as ordinary tests. They share a deployment. A seed that fails is repeated
 * with `npm run faults -- --seed N`, which keeps the folder of the deployment.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { runSeed } from './run.ts'
import { closeSite, type Site, startSite } from './site.ts'

/** A storm, a killer job, killed and frozen programs, lost publications, half-open connections. */
const SEEDS = [4, 8, 10, 21, 37] as const

let site: Site
before(async () => {
  site = await startSite()
})
after(() => site && closeSite(site))

for (const seed of SEEDS)
  test(`seed ${seed}: every object ends once, and the pool is whole again`, async () => {
    const { violations } = await runSeed(site, seed, { audit: seed === SEEDS.at(-1) })
    assert.deepEqual(violations, [])
  })
