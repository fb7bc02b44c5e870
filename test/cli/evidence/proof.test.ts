import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { proveEntry } from '#adapters/evidence/proveEntry.ts'
import { logOrigin } from '#core/boot/boot.ts'
import { fromBase64url, toBase64url, utf8 } from '#core/bytes.ts'
import { checkpointName, signCheckpoint } from '#core/evidence/checkpoint.ts'
import { checkProof, type EntryProof, EntryProofFormat } from '#core/evidence/entryProof.ts'
import { providerRoot } from '../../core/evidence/collectionBuilder.ts'
import { writeWholeCollection } from '../../core/evidence/wholeCollection.ts'
import { cli, expectFailure } from '../process.ts'

const root = await mkdtemp(join(tmpdir(), 'cw-proof-'))
after(() => rm(root, { recursive: true, force: true }))
const whole = join(root, 'whole')
const { boots, releases } = await writeWholeCollection(whole)
const { boot } = boots.verifier
const trust = join(whole, 'trust.json')
const { index } = releases.first.verifier
const proof = await proveEntry(whole, { boot, index })
const other = await proveEntry(whole, { boot, index: index + 1 })
const worker = await proveEntry(whole, { boot: boots.alive.boot, index: 1 })

test('every entry of every registered log has a proof, under every checkpoint over it', async () => {
  for (const [bucket, log] of [
    ['evidence-verifier', boot],
    ['evidence-worker', boots.alive.boot],
  ] as const) {
    const sizes = (await readdir(join(whole, bucket, log, 'checkpoint'))).map(Number)
    assert(sizes.length > 3)
    for (const size of sizes)
      for (let n = 0; n < size; n++) {
        const proven = checkProof(await proveEntry(whole, { boot: log, index: n, size }), providerRoot)
        assert.deepEqual([proven.index, proven.checkpoint.size], [n, size])
      }
  }
  const { entry } = checkProof(proof, providerRoot)
  assert(entry.event === 'release.decided' && entry.releaseId === releases.first.releaseId)
})

const flip = (text: string) => {
  const bytes = Buffer.from(fromBase64url(text))
  bytes[20] = (bytes[20] ?? 0) ^ 1
  return toBase64url(bytes)
}
for (const [what, change, code] of [
  ['another entry', { entry: other.entry }, 'evidence.inconsistent'],
  ['an altered entry', { entry: flip(proof.entry) }, 'evidence.inconsistent'],
  ['another number', { index: proof.index + 1 }, 'evidence.inconsistent'],
  ['a number beyond the checkpoint', { index: 1_000_000 }, 'evidence.inconsistent'],
  ['a shorter path', { path: proof.path.slice(1) }, 'evidence.inconsistent'],
  ['an altered path', { path: [flip(proof.path[0] ?? ''), ...proof.path.slice(1)] }, 'evidence.inconsistent'],
  ['the checkpoint of another log', { checkpoint: worker.checkpoint }, 'evidence.inconsistent'],
  ['no checkpoint', { checkpoint: 'x' }, 'evidence.malformed'],
  ['another role', { role: 'worker' }, 'evidence.inconsistent'],
  ['another boot', { boot: worker.boot }, 'evidence.inconsistent'],
  ['the registration of another boot', { registration: worker.registration }, 'evidence.inconsistent'],
  ['no verifier keys', { verifierKeys: [] }, 'evidence.inconsistent'],
  [
    'verifier keys that are none',
    { verifierKeys: [{ name: 'verifier-keys/1', signed: '{}' }] },
    'evidence.inconsistent',
  ],
] as const satisfies readonly (readonly [string, Partial<EntryProof>, string])[])
  test(`a proof with ${what} does not hold`, () => {
    assert.throws(() => checkProof({ ...proof, ...change }, providerRoot), { code })
  })

test('a root of other people proves nothing', () => {
  const [one] = providerRoot.keys
  assert(one !== undefined)
  assert.throws(() => checkProof(proof, { keys: [one], threshold: 2 }), { code: 'evidence.inconsistent' })
})

test('no byte of a proof can be changed', () => {
  const bytes = EntryProofFormat.encode(proof)
  const place = fc.integer({ min: 0, max: bytes.byteLength - 1 })
  fc.assert(
    fc.property(place, fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ mask
      assert.throws(
        () => checkProof(EntryProofFormat.decode(changed), providerRoot),
        ({ code }: { code?: string }) => code === 'evidence.malformed' || code === 'evidence.inconsistent',
      )
    }),
    { numRuns: 300 },
  )
})

test('the commands write a proof and check it, alone', async () => {
  const file = join(root, 'proof.json')
  const written = await cli('evidence', 'prove', whole, boot, String(index), '-o', file)
  assert.deepEqual(written, { code: 0, stdout: `${file} proves entry ${index} of ${boot}\n`, stderr: '' })
  assert.deepEqual(EntryProofFormat.decode(await readFile(file)), proof)
  expectFailure(await cli('evidence', 'prove', whole, boot, String(index), '-o', file), 'output.exists', 2)

  const check = ['evidence', 'check-proof', file, '--trust', trust]
  const { stdout, code } = await cli(...check, '--simulation')
  assert.equal(code, 0)
  assert.match(
    stdout,
    new RegExp(`^PROVEN\n${'entry'.padEnd(15)}${index} of \\d+, in the log of the verifier ${boot}\n`),
  )
  assert(stdout.includes(releases.first.releaseId))
  const json = JSON.parse((await cli(...check, '--simulation', '--json')).stdout)
  assert.deepEqual([json.proven, json.index, json.entry.event], [true, index, 'release.decided'])
  expectFailure(await cli(...check), 'evidence.simulated', 1)
  await writeFile(file, utf8('{}'))
  expectFailure(await cli(...check, '--simulation'), 'evidence.malformed', 2)
})

test('a kept checkpoint must say the same of the same size', async () => {
  const file = join(root, 'old.json')
  const [first = 0] = (await readdir(join(whole, 'evidence-verifier', boot, 'checkpoint')))
    .map(Number)
    .sort((a, b) => a - b)
  const kept = join(whole, 'evidence-verifier', boot, checkpointName(first))
  await cli('evidence', 'prove', whole, boot, '0', '--size', String(first), '-o', file)
  const check = ['evidence', 'check-proof', file, '--trust', trust, '--simulation', '--checkpoint']
  assert.equal((await cli(...check, kept)).code, 0)
  const forked = join(root, 'forked')
  const origin = logOrigin('verifier', boot)
  await writeFile(
    forked,
    signCheckpoint({ origin, size: first, root: Buffer.alloc(32, 1) }, boots.verifier.key),
  )
  const fork = await cli(...check, forked)
  expectFailure(fork, 'evidence.inconsistent', 1)
  assert.match(fork.stderr, /another root than the proof: the log was forked/)
  const newer = (await readdir(join(whole, 'evidence-verifier', boot, 'checkpoint'))).sort().at(-1) ?? ''
  const failed = await cli(...check, join(whole, 'evidence-verifier', boot, 'checkpoint', newer))
  expectFailure(failed, 'evidence.inconsistent', 1)
  assert.match(failed.stderr, new RegExp(`prove the entry with --size ${Number(newer)}`))
})

for (const [what, wanted] of [
  ['boot', { boot: 'a'.repeat(26), index: 0 }],
  ['entry', { boot, index: 100_000 }],
  ['checkpoint', { boot, index: 0, size: 100_000 }],
] as const)
  test(`what the folder does not have cannot be proven: ${what}`, async () => {
    await assert.rejects(proveEntry(whole, wanted), { code: 'input.unreadable' })
  })
