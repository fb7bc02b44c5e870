import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { configExample } from '#adapters/system/configExample.ts'

const short = z.string().meta({ description: 'A name.', example: 'a' })

for (const { name, schema, expect } of [
  {
    name: 'a described field',
    schema: z.strictObject({ a: short }),
    expect: '{\n  // A name.\n  "a": "a"\n}\n',
  },
  {
    name: 'a field without description',
    schema: z.strictObject({ a: z.int().meta({ example: 1 }) }),
    expect: '{\n  "a": 1\n}\n',
  },
  {
    name: 'an optional field, described inside',
    schema: z.strictObject({ a: short.optional() }),
    expect: '{\n  // Optional. A name.\n  "a": "a"\n}\n',
  },
  {
    name: 'an optional field, described outside',
    schema: z.strictObject({ a: z.string().meta({ example: 'a' }).optional().describe('Outside.') }),
    expect: '{\n  // Optional. Outside.\n  "a": "a"\n}\n',
  },
  {
    name: 'fields within fields',
    schema: z.strictObject({ a: z.strictObject({ b: short }).describe('Two.'), c: short }),
    expect: '{\n  // Two.\n  "a": {\n    // A name.\n    "b": "a"\n  },\n  // A name.\n  "c": "a"\n}\n',
  },
  {
    name: 'an object with an example of its own',
    schema: z.strictObject({ a: z.strictObject({ b: z.string() }).meta({ example: { b: 'x' } }) }),
    expect: '{\n  "a": { "b": "x" }\n}\n',
  },
  {
    name: 'a long value, a line per member',
    schema: z.strictObject({
      a: z.unknown().meta({ example: [{ b: 'x'.repeat(60) }, { c: 'y'.repeat(10) }] }),
    }),
    expect: `{\n  "a": [\n    { "b": "${'x'.repeat(60)}" },\n    { "c": "yyyyyyyyyy" }\n  ]\n}\n`,
  },
])
  test(`an example shows ${name}`, () => assert.equal(configExample(schema), expect))

test('a field without example is a mistake in the schema', () => {
  assert.throws(() => configExample(z.strictObject({ a: z.string() })), /has no example/)
})

test('comments wrap at 100 characters', () => {
  const schema = z.strictObject({ a: short.describe('word '.repeat(60).trim()) })
  const lines = configExample(schema).split('\n')
  assert.equal(lines.filter((line) => line.startsWith('  // word')).length, 4)
  assert.ok(lines.every((line) => line.length <= 100))
})
