/**
 * docs/governance.md: its command blocks run in their order, as a reader runs them, beside a deployment. At its
 * revocation both replicas are watched.
 */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { systemClock } from '#adapters/system/clock.ts'
import { type Job, jobIdOf } from '#core/job/job.ts'
import { verifierName } from '#lab/demo/names.ts'
import { generatePopulation } from '#lab/demo/population.ts'
import { readDocument } from '../docs/document.ts'
import { temporaryFolder } from '../lab/emulator/testEmulator.ts'
import { type Consumer, openConsumer, refusalCode } from './consumer.ts'
import { GOVERNANCE } from './governor.ts'
import { type SystemUnderTest, startSystem, until } from './systemUnderTest.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** Only a failing block takes this long. */
const PATIENCE_MS = 90_000
/** What docs/governance.md and docs/formats/release.md promise of honest storage. */
const BITES_WITHIN_MS = 5000
/** Between two questions to one replica. */
const PACE_MS = 100
const REPLICAS = [verifierName(0), verifierName(1)]
const REVOCATION = /^cw revoke --permission research-summary /
const missing = ['bash', 'openssl', 'curl'].find((tool) => spawnSync(tool, ['--version']).error !== undefined)
const skip = missing === undefined ? false : `${missing} is absent`

test('a reader of docs/governance.md governs a hospital by its commands alone', { skip }, async (t) => {
  const system = await startSystem({ workers: 1, spareWorkers: 1, verifiers: REPLICAS.length })
  t.after(system.close)
  system.deployment.reviveEnded()
  const { run, blocks } = await readerOf(t, system)
  assert.ok(blocks.length >= 15)
  const said: string[] = []
  for (const block of blocks) {
    const revokes = REVOCATION.test(block)
    const watch = revokes ? await watchReplicas(t, system) : undefined
    said.push(await run(block))
    await watch?.expectBite()
  }
  const all = said.join('')
  for (const expected of [
    /a form is not a policy: exit code 2/,
    /approved {2}worker-1, in /,
    /research may use cohort for HRESCH/,
    /published {2}policy\/000000002-/,
    /research-sumary is not in the policy in force/,
    /^refused: exit code 1$/m,
    /revoked {4}revocation\/000000001-[0-9a-f]{32} by privacy-officer/,
    /published {2}revocation\/000000002-/,
    /Policy 2 → 3 of hospital\. /,
    /published {2}verifier-keys\/000000002-/,
    /--exclude-signer: revoked again, until others restore it: research-summary/,
    /^excluded: exit code 1$/m,
    /^policy\/000000004-|published {2}policy\/000000004-/m,
    /published {2}revocation\/000000003-/,
    /^INTACT/m,
    /^nothing is released without a list: exit code 1$/m,
    /published {2}consent\/cohort\/000000001-/,
    /withdrawn {2}1 of 1/,
    /^has not withdrawn: exit code 1$/m,
    /restored {3}1 patients; 0 stay withdrawn/,
    /published {2}consent\/cohort\/000000003-/,
  ])
    assert.match(all, expected)
  assert.doesNotMatch(all, /verifier keys 2 end with it/)
  // Nothing that is secret was printed.
  assert.doesNotMatch(all, /PRIVATE KEY|"d":/)
})

/** The blocks of the page after the first, which each of them needs. */
async function readerOf(t: TestContext, system: SystemUnderTest) {
  const { folders } = system.deployment
  await writeFile(
    join(folders.root, 'input.ndjson'),
    generatePopulation({ seed: 'governance', patients: 15 }),
  )
  // The page has a path below the current folder.
  const here = await temporaryFolder(t)
  await symlink(folders.root, join(here, 'hospital'))
  const [head = '', ...blocks] = [
    ...(await readDocument('docs/governance.md')).matchAll(/^```sh\n(.*?)^```$/gms),
  ].map(([, sh = '']) => sh)
  const shell = head
    .replace('H=out/hospital', 'H=hospital')
    .replace('npm run --silent cli --', `${process.execPath} ${ROOT}src/cli/main.ts`)
  assert.ok(
    shell.includes('H=hospital') && shell.includes('main.ts'),
    'the first block has folder and command',
  )
  const options = {
    cwd: here,
    timeout: PATIENCE_MS,
    // A reader has time; this halves what each of the many commands takes to load.
    env: { ...process.env, NODE_COMPILE_CACHE: join(here, 'compiled') },
  }
  const run = async (block: string): Promise<string> => {
    const started = performance.now()
    const { stdout, stderr } = await promisify(execFile)(
      'bash',
      ['-c', `set -eu\n${shell}\n${block}`],
      options,
    ).catch((error: Error & { stdout: string; stderr: string }) =>
      assert.fail([block, error.message, error.stdout, error.stderr, lastLines(system)].join('\n')),
    )
    t.diagnostic(`${Math.round(performance.now() - started)} ms: ${block.split('\n')[0]}`)
    return stdout + stderr
  }
  return { run, blocks }
}

/** Of each program, for the reader of a failure. */
function lastLines({ linesOf }: SystemUnderTest): string {
  return ['freshness', 'worker-1', ...REPLICAS]
    .flatMap((name) =>
      linesOf(name)
        .slice(-8)
        .map((line) => `${name} ${JSON.stringify(line)}`),
    )
    .join('\n')
}

/**
 * A consumer with an approved machine asks each replica again and again. `expectBite` returns when both refuse,
 * and no later than they must.
 */
async function watchReplicas(t: TestContext, system: SystemUnderTest) {
  const job = await onlyJob(system)
  const ending = new AbortController()
  const replicas = await Promise.all(REPLICAS.map((name) => watchReplica(t, system, name, ending.signal)))
  const published = revocationPublished(system)
  t.after(() => ending.abort())
  return {
    expectBite: async () => {
      const at = await published
      for (const { name, refusedAt } of replicas) {
        const elapsed = (await refusedAt) - at
        t.diagnostic(`${name} refuses ${Math.round(elapsed)} ms after the list was published`)
        assert.ok(elapsed <= BITES_WITHIN_MS, `${name} still gave keys ${elapsed} ms after the revocation`)
      }
      ending.abort()
      // No key for the object that the pool has worked on, either.
      for (const { consumer } of replicas) {
        const answer = await consumer.ask([await consumer.jobOf(job)])
        assert.ok('refusal' in answer)
        assert.equal(refusalCode(answer), 'client.none')
        await consumer.close()
      }
    },
  }
}

async function watchReplica(t: TestContext, system: SystemUnderTest, name: string, signal: AbortSignal) {
  const ready = system.linesOf(name).findLast((line) => typeof line['url'] === 'string')
  const consumer = await openConsumer(system, { url: String(ready?.['url']), keepsLog: true })
  t.after(consumer.close)
  assert.equal(await codeOf(consumer), undefined, `${name} gives nothing before the revocation`)
  const refused = async (): Promise<number> => {
    while (!signal.aborted) {
      const asked = await codeOf(consumer)
      if (asked !== undefined) {
        assert.equal(asked, 'client.none')
        return performance.now()
      }
      await systemClock.sleep(PACE_MS)
    }
    throw new Error(`${name} was not asked until it refused`)
  }
  return { name, consumer, refusedAt: refused() }
}

/** Of a preflight: undefined if a job of this consumer could be granted. */
async function codeOf(consumer: Consumer): Promise<string | undefined> {
  const answer = await consumer.ask([])
  return 'refusal' in answer ? refusalCode(answer) : undefined
}

/** When the bucket first shows a list. */
async function revocationPublished(system: SystemUnderTest): Promise<number> {
  const store = system.deployment.ociAs('governor').objectStore()
  await until(system, 'no revocation list is published', async () => {
    const lists = await Array.fromAsync(store.list(GOVERNANCE, 'revocation/'))
    return lists.length > 0
  })
  return performance.now()
}

/** The job of the one object in the outbox. */
async function onlyJob({ deployment }: SystemUnderTest): Promise<Job> {
  const place = { namespace: GOVERNANCE.namespace, bucket: 'outbox' }
  const store = deployment.ociAs('sealer').objectStore()
  const [found, ...more] = await Array.fromAsync(store.list(place, ''))
  assert.ok(found !== undefined && more.length === 0)
  const { etag, size } = await store.head({ ...place, name: found.name })
  const object = { ...place, object: found.name, etag }
  const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
  return {
    v: 1,
    jobId: jobIdOf(object),
    eventId: 'e',
    ...object,
    size,
    traceparent,
    enqueuedAt: 0,
    notBefore: 0,
  }
}
