import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { generatePopulation, POPULATION_CANARIES } from '#lab/demo/population.ts'

const digestOf = async (options: Parameters<typeof generatePopulation>[0]) => {
  const hash = createHash('sha256')
  for await (const chunk of generatePopulation(options)) hash.update(chunk)
  return hash.digest('hex')
}

test('one seed gives one population', async () => {
  const one = await digestOf({ seed: 'a', patients: 200 })
  assert.equal(await digestOf({ seed: 'a', patients: 200 }), one)
  assert.notEqual(await digestOf({ seed: 'b', patients: 200 }), one)
})

test('a population has the requested number of patients and contains every canary', async () => {
  const text = Buffer.concat(
    await Array.fromAsync(generatePopulation({ seed: 'a', patients: 200 })),
  ).toString()
  const types = new Map<string, number>()
  for (const line of text.split('\n').slice(0, -1)) {
    const { resourceType } = JSON.parse(line)
    types.set(resourceType, (types.get(resourceType) ?? 0) + 1)
  }
  assert.equal(types.get('Patient'), 200)
  for (const type of ['Encounter', 'Condition', 'Observation', 'DocumentReference'])
    assert.ok(Number(types.get(type)) > 100, type)
  for (const canary of Object.values(POPULATION_CANARIES).flat()) assert.ok(text.includes(canary), canary)
  assert.ok(text.endsWith('}\n'))
})

test('a population has at least the requested number of bytes, in bounded chunks', async () => {
  let bytes = 0
  for await (const chunk of generatePopulation({ seed: 'a', bytes: 3_000_000 })) {
    bytes += chunk.length
    assert.ok(chunk.length < 512 * 1024)
  }
  assert.ok(bytes >= 3_000_000 && bytes < 3_100_000)
})

test('zero patients give an empty population', async () =>
  assert.deepEqual(await Array.fromAsync(generatePopulation({ seed: 'a', patients: 0 })), []))
