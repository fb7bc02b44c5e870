import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCollection } from '#adapters/evidence/collection.ts'
import { temporaryFolder } from './stores.ts'

test('a folder reads as its buckets: an absent one is empty, an object over the limit is malformed', async () => {
  const dir = await temporaryFolder()
  await mkdir(join(dir, 'evidence-worker', 'a'), { recursive: true })
  await writeFile(join(dir, 'evidence-worker', 'a', 'b'), 'ten bytes!')
  const { workerLogs, results } = openCollection(dir)
  assert.deepEqual(await Array.fromAsync(workerLogs.list('')), ['a/b'])
  assert.deepEqual(await Array.fromAsync(workerLogs.list('b')), [])
  assert.equal((await workerLogs.read('a/b', 10))?.toString(), 'ten bytes!')
  await assert.rejects(workerLogs.read('a/b', 9), { code: 'evidence.malformed' })
  assert.equal(await workerLogs.read('a/c', 10), undefined)
  assert.deepEqual(await Array.fromAsync(results.list('')), [])
  assert.equal(await results.read('r/x/result', 10), undefined)
})
