import assert from 'node:assert/strict'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { openJournal } from '#lab/emulator/journal.ts'
import { temporaryFolder } from './testEmulator.ts'

const schema = z.strictObject({ key: z.string(), value: z.int() })

/** A map whose changes are in a journal. */
async function openMap(file: string) {
  const map = new Map<string, number>()
  const journal = await openJournal({
    file,
    schema,
    replay: ({ key, value }) => map.set(key, value),
    snapshot: () => [...map].map(([key, value]) => ({ key, value })),
  })
  return { map, journal }
}

test('a journal replays what was flushed, in order', async (t) => {
  const file = join(await temporaryFolder(t), 'deep', 'journal')
  const { journal } = await openMap(file)
  for (let value = 0; value < 100; value += 1) journal.append({ key: `k${value % 10}`, value })
  await Promise.all([journal.flushed(), journal.flushed()])
  assert.equal((await readFile(file, 'utf8')).split('\n').length, 101)
  await journal.close()
  const { map, journal: again } = await openMap(file)
  assert.deepEqual([...map.values()], [90, 91, 92, 93, 94, 95, 96, 97, 98, 99])
  await again.close()
})

test('a torn last line is cut off, and the next record follows the last whole one', async (t) => {
  const file = join(await temporaryFolder(t), 'journal')
  await writeFile(file, '{"key":"a","value":1}\n{"key":"b","val')
  const { map, journal } = await openMap(file)
  assert.deepEqual([...map], [['a', 1]])
  journal.append({ key: 'c', value: 3 })
  await journal.close()
  assert.equal(await readFile(file, 'utf8'), '{"key":"a","value":1}\n{"key":"c","value":3}\n')
})

test('a long journal is rewritten to its present state', async (t) => {
  const file = join(await temporaryFolder(t), 'journal')
  const lines = Array.from({ length: 2000 }, (_, value) => `{"key":"k${value % 3}","value":${value}}\n`)
  await writeFile(file, lines.join(''))
  const { map, journal } = await openMap(file)
  await journal.close()
  assert.equal((await readFile(file, 'utf8')).split('\n').length, 4)
  const { map: again, journal: next } = await openMap(file)
  assert.deepEqual(again, map)
  await next.close()
})

test('a whole line that is not a record of the journal is config.invalid', async (t) => {
  for (const line of ['{"key":"a","value":1,"more":2}', '{"key":"a"}', 'nothing']) {
    const file = join(await temporaryFolder(t), 'journal')
    await writeFile(file, '{"key":"a","value":1}\n')
    await appendFile(file, `${line}\n`)
    await assert.rejects(openMap(file), { code: 'config.invalid' }, line)
  }
})
