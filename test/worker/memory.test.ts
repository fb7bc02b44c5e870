import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkShape } from '#core/canonical.ts'
import { WorkerConfig } from '../../src/worker/config.ts'
import { expectMemory } from '../../src/worker/material.ts'
import { concurrencyIn, memoryOf } from '../../src/worker/memory.ts'
import { readDocument, tableRows } from '../docs/document.ts'

const Batch = WorkerConfig.shape.batch
const MIB = 1024 * 1024

test('the most jobs that fit are the most whose memory fits', () => {
  for (let memory = 0; memory < 8000; memory++) {
    const most = concurrencyIn(memory)
    assert.ok(most === 0 || memoryOf(most) <= memory)
    assert.ok(memoryOf(most + 1) > memory)
  }
})

test('a concurrency that does not fit into the memory is refused, with the most that fit', () => {
  const check = (concurrency: number, memoryMib: number) =>
    checkShape(Batch, { maxJobs: 1, concurrency, memoryMib }, 'batch', 'config.invalid')
  check(2, memoryOf(2))
  assert.throws(() => check(2, memoryOf(2) - 1), { code: 'config.invalid' })
  assert.throws(() => check(64, 512), {
    code: 'config.invalid',
    message:
      'batch is malformed: concurrency: 64 concurrent jobs may need 8880 MiB, memoryMib is 512, in which 2 fit',
  })
})

test('memory in which no job fits is refused with that reason, down to 1 MiB', () => {
  assert.throws(
    () => checkShape(Batch, { maxJobs: 1, concurrency: 1, memoryMib: 1 }, 'batch', 'config.invalid'),
    {
      code: 'config.invalid',
      message:
        'batch is malformed: concurrency: 1 concurrent jobs may need 375 MiB, memoryMib is 1, in which 0 fit',
    },
  )
})

test('a worker whose cgroup allows less than its configuration does not start', () => {
  const config = { batch: { maxJobs: 1, concurrency: 1, memoryMib: 512 } }
  for (const available of [0, 512 * MIB, 2 ** 64]) expectMemory(config, available)
  assert.throws(() => expectMemory(config, 512 * MIB - 1), {
    code: 'config.invalid',
    message: 'batch.memoryMib is 512, but this process may use only 511 MiB (in a unit MemoryMax=)',
  })
})

test("the unit's MemoryMax is the memory of the printed example, whose concurrency fits", () => {
  const unit = readFileSync(new URL('../../systemd/confidential-worker.service', import.meta.url), 'utf8')
  const { memoryMib, concurrency } = Batch.shape
  assert.equal(/^MemoryMax=(\d+)M$/m.exec(unit)?.[1], String(memoryMib.meta()?.['example']))
  assert.equal(concurrency.meta()?.['example'], concurrencyIn(Number(memoryMib.meta()?.['example'])))
})

test('docs/operations.md has the memory of each concurrency', async () => {
  const [, after = ''] = (await readDocument('docs/operations.md')).split('\n#### Memory of a worker\n')
  const [section = ''] = after.split(/\n##/)
  assert.match(section, new RegExp(`needs up to ${memoryOf(0)} MiB and ${memoryOf(1) - memoryOf(0)} MiB per`))
  const rows = tableRows(section).filter(([first = '']) => /^\d+$/.test(first))
  assert.deepEqual(
    rows.map(([concurrency]) => Number(concurrency)),
    [1, 2, 4, 8, 16],
  )
  for (const [concurrency, memory] of rows) assert.equal(Number(memory), memoryOf(Number(concurrency)))
})
