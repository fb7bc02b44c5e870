import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, test } from 'node:test'
import { auditFolder } from '#adapters/evidence/folderAudit.ts'
import { findDenial } from '#cli/explain/denial.ts'
import { renderDenial } from '#cli/explain/text.ts'
import { CollectionBuilder, traceparent } from '../../core/evidence/collectionBuilder.ts'
import { writeWholeCollection } from '../../core/evidence/wholeCollection.ts'
import { CONSUMER_NAMESPACE, PROVIDER_NAMESPACE } from '../../lab/emulator/testEmulator.ts'
import { managerOf, startServices } from '../emulatedServices.ts'
import { cli, expectFailure } from '../process.ts'

const root = await mkdtemp(join(tmpdir(), 'cw-cli-explain-'))
after(() => rm(root, { recursive: true, force: true }))
const whole = join(root, 'whole')
const { refusal, boots } = await writeWholeCollection(whole)
const { denialId } = refusal
const explain = (...parameters: readonly string[]) => cli('explain', ...parameters, '--simulation')

test('a denial by its id, or by its first digits: each reason, the nearest values, what was in force, traces', async () => {
  const [byId, byPrefix] = await Promise.all([
    explain(denialId, '--evidence', whole),
    explain(denialId.slice(0, 10), '--evidence', whole),
  ])
  assert.deepEqual([byId.code, byId.stderr], [0, ''])
  assert.deepEqual(byPrefix, byId)
  for (const line of [
    `denied     ${denialId} at 20`,
    'evidence   consistent, under a root that you have not confirmed: name it with --trust; simulated',
    'client     research for HRESCH',
    'objects    1',
    `worker     ${boots.stranger.boot}`,
    'in force   policy 1, 1 revocation list',
    '  guest-policy.debug\n    field    guestPolicy.debug\n    found    set?[2J\n    expected clear\n',
    '    remedy   launch the guest with POLICY bit 19 clear',
    '  reference-1  1 difference   guestPolicy.debug',
    // The log of a worker that is not registered does not count.
    `traces     ${refusal.traceparents[0]}\n`,
    "  none: no registered worker's log has this denial",
  ])
    assert.ok(byId.stdout.includes(line), `${line}\n---\n${byId.stdout}`)
})

test('--json has the whole denial on one line', async () => {
  const { code, stdout } = await explain(denialId, '--evidence', whole, '--json')
  assert.equal(code, 0)
  assert.equal(stdout.trimEnd().split('\n').length, 1)
  const report = await auditFolder(whole, { simulation: true })
  const denial = JSON.parse(stdout)
  assert.deepEqual(denial, JSON.parse(JSON.stringify(findDenial(report, denialId))))
  assert.deepEqual(denial.reasons, refusal.reasons)
  assert.deepEqual(denial.nearest, refusal.nearest)
  assert.deepEqual([denial.policySeq, denial.revocationSeq, denial.evidence.verdict], [1, 1, 'consistent'])
})

test('no such denial is 1; another command line, or no evidence, is 2', async () => {
  const absent = await explain('0'.repeat(32), '--evidence', whole)
  assert.deepEqual([absent.code, absent.stdout], [1, ''])
  assert.match(absent.stderr, /^error: .*\(denial\.missing\)\n {2}remedy: /)
  const outcomes = await Promise.all([
    explain(denialId),
    explain(denialId, '--evidence', whole, '--config', whole),
    explain(denialId, '--config', whole),
    explain('not-an-id', '--evidence', whole),
    explain(denialId.slice(0, 7), '--evidence', whole),
    explain(denialId, '--evidence', join(root, 'nowhere')),
  ])
  assert.deepEqual(
    outcomes.map(({ code, stderr }) => `${code} ${/\(([a-z]+\.[a-z]+)\)/.exec(stderr)?.[1]}`),
    [...Array<string>(5).fill('2 usage.invalid'), '2 input.unreadable'],
  )
})

test('a job that is refused: the reference values that its worker matched; two denials that begin alike', async () => {
  const dir = join(root, 'jobs')
  const builder = await CollectionBuilder.create(dir)
  const verifier = await builder.boot('verifier')
  const worker = await builder.boot('worker')
  verifier.log.append(builder.loaded())
  verifier.log.append(builder.registered(worker.boot))
  const jobs = [await builder.job({ dataset: 'nowhere' }), await builder.job({ dataset: 'nowhere' })]
  const accepted = await builder.accept(verifier, worker, jobs)
  const denials = ['1', '2'].map((digit) => `abcdef00${digit.repeat(24)}`)
  for (const [n, denialId] of denials.entries())
    await builder.refuseJobs(verifier, accepted, jobs.slice(n, n + 1), { denialId })
  await verifier.log.flush()
  const [denialId = ''] = denials
  const jobId = 'ab'.repeat(16)
  worker.log.append({ event: 'release.denied', jobId, traceparent, denialId, code: 'guest-policy.debug' })
  await worker.log.flush()
  const report = await auditFolder(dir, { simulation: true })
  assert.throws(() => findDenial(report, 'abcdef00'), { code: 'usage.invalid' })
  const denial = findDenial(report, 'abcdef001')
  assert.equal(denial.denialId, denials[0])
  const text = renderDenial(denial)
  assert.ok(text.includes('  reference-1: the worker matches it'), text)
  assert.ok(text.includes(`  job ${jobId}  trace ${traceparent}  boot ${worker.boot}`), text)
})

test('of evidence that is broken the first lines say that it proves nothing', async () => {
  // Simulated, and not asked for.
  const report = await auditFolder(whole, { simulation: false })
  const [, second] = renderDenial(findDenial(report, denialId)).split('\n')
  assert.match(second ?? '', /^evidence {3}BROKEN: what follows is no proof/)
})

test('--config reads the buckets of both tenancies as the auditor, and says the same', async (t) => {
  const { emulator, configs } = await startServices(t)
  const provider = managerOf(t, emulator, 'provider').store
  const consumer = managerOf(t, emulator, 'consumer').store
  for (const bucket of ['governance', 'evidence-verifier', 'evidence-worker', 'results']) {
    const [store, namespace] =
      bucket === 'results' ? [consumer, CONSUMER_NAMESPACE] : [provider, PROVIDER_NAMESPACE]
    for (const name of await filesBelow(join(whole, bucket)))
      await store.create({ namespace, bucket, name }, await readFile(join(whole, bucket, name)))
  }
  const trust = ['--trust', join(whole, 'trust.json')]
  const asked = [
    explain(denialId, '--config', configs.audit, ...trust),
    explain(denialId, '--evidence', whole, ...trust),
  ]
  const [fromBuckets, fromFolder] = await Promise.all(asked)
  assert.deepEqual(fromBuckets, fromFolder)
  assert.equal(fromBuckets?.code, 0)
  // A sealing host may read none of it, which is not the same as finding no denial.
  const config = JSON.parse(await readFile(configs.audit, 'utf8'))
  const sealer = join(root, 'sealer.json')
  await writeFile(sealer, JSON.stringify({ ...config, oci: configs.oci('sealer') }))
  expectFailure(await explain(denialId, '--config', sealer, ...trust), 'service.missing', 1)
})

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
}
