import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { reachOf } from '#cli/evidence/blast/reach.ts'
import { toHex } from '#core/bytes.ts'
import { signCompact } from '#core/jws.ts'
import { SealRecordFormat, sealRecordName } from '#core/sealed/record.ts'
import { CollectionBuilder, randomId, signers } from '../../core/evidence/collectionBuilder.ts'
import type { RealRequest } from '../../core/evidence/realRequests.ts'
import { cli, expectFailure } from '../process.ts'

const folder = await mkdtemp(join(tmpdir(), 'cw-blast-'))
after(() => rm(folder, { recursive: true, force: true }))
const dir = join(folder, 'collection')
const trust = join(dir, 'trust.json')
const builder = await CollectionBuilder.create(dir)
const verifier = await builder.boot('verifier')
const [first, second] = [await builder.boot('worker'), await builder.boot('worker')]
verifier.log.append(builder.loaded())
for (const { boot } of [first, second]) verifier.log.append(builder.registered(boot))

const [sealer] = signers
assert(sealer !== undefined)
const sealId = randomId()
const job = await builder.job()
const [headerDigest = assert.fail()] = builder.digestsOf(job)
const sealRecord = {
  v: 1,
  sealId,
  headerDigest,
  objectDigest: headerDigest,
  size: 1,
  namespace: 'hospital',
  bucket: 'outbox',
  object: 'outbox/1',
  etag: 'a',
  recordedAt: builder.now,
} as const
await builder.put(
  'governance',
  sealRecordName(sealId),
  await signCompact(SealRecordFormat, sealRecord, sealer),
)

const asked: RealRequest[] = []
const one = await builder.release(verifier, first, {
  job,
  request: (real) => {
    asked.push(real)
    return real
  },
})
const request = asked[0]?.objects.find(({ name }) => name.startsWith('request/')) ?? assert.fail()
/** Of both workers: they run on one host. */
const chip = toHex(asked[0]?.proven.verified.report.chipId ?? assert.fail())
const made = await builder.publish(first, one)
const two = await builder.release(verifier, second)
await builder.publish(second, two)
await first.log.close('drained')
await second.log.close('drained')
await verifier.log.close('stopped')

const reach = (subject: string) => reachOf(dir, subject, { trust, simulation: true })
const idsOf = ({ releases }: { readonly releases: readonly { readonly releaseId: string }[] }) =>
  releases.map(({ releaseId }) => releaseId)
const measurement = builder.attestation(first.boot).measurement

for (const [subject, expected] of [
  [measurement, [one, two]],
  ['ff'.repeat(48), []],
  ['research', [one, two]],
  ['another', []],
  [first.boot, [one]],
  [second.boot, [two]],
  [sealId, [one]],
  [randomId(), []],
  [chip, [one, two]],
  ['ff'.repeat(64), []],
  ['ocid1.key.oc1..synthetic', [one, two]],
  ['ocid1.key.oc1..other', []],
] as const)
  test(`the releases that ${subject.slice(0, 24)} touched`, async () => {
    assert.deepEqual(idsOf(await reach(subject)).sort(), idsOf({ releases: expected }).sort())
  })

test('its objects and results come with it, by the seal records', async () => {
  const { objects, results, releases, verdict } = await reach(first.boot)
  assert.deepEqual(objects, [{ headerDigest, dataset: 'cohort', sealId }])
  assert.deepEqual([results, verdict], [[made.resultId], 'intact'])
  assert.deepEqual([releases[0]?.status, releases[0]?.measurement], ['visible', measurement])
  const unsealed = await reach(second.boot)
  assert.deepEqual(unsealed.objects, [
    { headerDigest: two.headerDigests[0], dataset: 'cohort', sealId: null },
  ])
})

test('a chip is unknown where the recorded request is absent or altered', async () => {
  assert.equal((await reach(chip)).unknown, 0)
  const path = join(dir, 'evidence-verifier', request.name)
  await rm(path)
  await writeFile(path, Buffer.concat([request.bytes, Buffer.from(' ')]))
  const { unknown, releases } = await reach(chip)
  assert.deepEqual([unknown, idsOf({ releases })], [1, [two.releaseId]])
  await rm(path)
  await writeFile(path, request.bytes)
})

test('the command says what to do, and exits 1 unless the evidence is intact', async () => {
  const radius = ['evidence', 'blast-radius', dir, first.boot, '--trust', trust]
  const { code, stdout, stderr } = await cli(...radius, '--simulation')
  assert.deepEqual([code, stderr], [0, ''])
  for (const line of [
    `boot ${first.boot}\n1 release to 1 boot of 1 client, of 1 object, with 1 result`,
    one.releaseId,
    `${sealId}  cohort  header ${headerDigest}`,
    made.resultId,
    `stop further releases: confidential-worker revoke --boot ${first.boot}`,
    'seal 1 object anew',
  ])
    assert(stdout.includes(line), line)
  const json = JSON.parse((await cli(...radius, '--simulation', '--json')).stdout)
  assert.deepEqual(json.subject, { kind: 'boot', id: first.boot })
  const simulated = await cli(...radius)
  assert.equal(simulated.code, 1)
  assert.match(simulated.stderr, /^warning: the evidence is broken/)
  expectFailure(await cli('evidence', 'blast-radius', dir, 'No Client', '--trust', trust), 'usage.invalid', 2)
})
