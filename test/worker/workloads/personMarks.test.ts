import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_MARKS, PersonMarks } from '../../../src/worker/workloads/personMarks.ts'

/** Different persons, spread over the 48 bits. */
const personAt = (index: number) => (index * 134_217_757) % 2 ** 48

test('a cell has enough if so many different persons are in it', () => {
  // Few persons, whose halves are often equal.
  const half = fc.integer({ min: 0, max: 3 })
  const person = fc.tuple(half, half).map(([low, high]) => high * 2 ** 32 + low)
  const additions = fc.array(fc.tuple(fc.integer({ min: 0, max: 2000 }), person))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), additions, (enough, added) => {
      const marks = new PersonMarks(enough)
      const persons = new Map<number, Set<number>>()
      for (const [cell, person] of added) {
        marks.add(cell, person)
        persons.set(cell, (persons.get(cell) ?? new Set()).add(person))
        assert.equal(marks.isEnough(cell), enough === 1 || (persons.get(cell)?.size ?? 0) >= enough)
      }
      assert.equal(marks.isEnough(5000), enough === 1)
    }),
  )
})

test('marks survive when the table grows and is swept', () => {
  const marks = new PersonMarks(3)
  const cells = 20_000
  for (const index of [0, 1, 0, 1])
    for (let cell = 0; cell < cells; cell++) {
      marks.add(cell, personAt(index))
      // Cells that are shown at once, whose marks are swept out.
      for (const other of [7, 8, 9]) marks.add(cells + cell, personAt(other))
    }
  for (let cell = 0; cell < cells; cell++) {
    assert.equal(marks.isEnough(cell), false)
    marks.add(cell, personAt(2))
    assert.equal(marks.isEnough(cell) && marks.isEnough(cells + cell), true)
  }
})

test('as many marks as 200,000 cells of 10 persons fit into 96 MiB, and more end the workload', () => {
  const marks = new PersonMarks(Number.MAX_SAFE_INTEGER)
  const before = process.memoryUsage().arrayBuffers
  for (let index = 0; index < MAX_MARKS; index++) marks.add(index % 1000, personAt(index))
  // With the smaller tables of before, which may not have been collected yet.
  assert.ok(process.memoryUsage().arrayBuffers - before < 96 * 1024 * 1024)
  assert.throws(
    () => {
      for (let index = 0; index < 100_000; index++) marks.add(0, index)
    },
    { code: 'workload.failed', message: `the summary marks more than ${MAX_MARKS} persons in its cells` },
  )
})
