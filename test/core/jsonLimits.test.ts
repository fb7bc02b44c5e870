import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8 } from '#core/bytes.ts'
import { checkJsonLimits, type JsonLimits, MAX_JSON_DEPTH } from '#core/jsonLimits.ts'

const NONE: JsonLimits = { depth: Number.POSITIVE_INFINITY, values: Number.POSITIVE_INFINITY }

function exceeds(text: string, limits: Partial<JsonLimits>): string | undefined {
  try {
    checkJsonLimits(utf8(text), { ...NONE, ...limits }, 'sample')
    return undefined
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error)
    assert.equal(error.code, 'encoding.invalid')
    return error.message
  }
}

for (const [text, depth, values] of [
  ['1', 0, 0],
  ['[]', 1, 1],
  ['[1,2]', 1, 2],
  ['{"a":{"b":[1,2,{"c":3}]}}', 4, 6],
  ['["[[[,,,"]', 1, 1],
  [String.raw`["\"[[",","]`, 1, 2],
  [String.raw`["\\",["\\\"[,"]]`, 2, 3],
  ['[1],[2]', 1, 3],
  // Not JSON: what comes before the first error is counted.
  ['[[[', 3, 3],
  ['["[[[', 1, 1],
  ['["\\', 1, 1],
  ['"', 0, 0],
] as const)
  test(`${text} nests ${depth} deep and has ${values} values`, () => {
    assert.equal(exceeds(text, { depth, values }), undefined)
    if (depth > 0)
      assert.equal(exceeds(text, { depth: depth - 1 }), `sample nests deeper than ${depth - 1} levels`)
    if (values > 0)
      assert.equal(exceeds(text, { values: values - 1 }), `sample has more than ${values - 1} values`)
  })

/** What the scan counts, by walking over the parsed value. */
function measure(value: unknown): { depth: number; values: number } {
  if (typeof value !== 'object' || value === null) return { depth: 0, values: 0 }
  const members = Object.values(value).map(measure)
  return {
    depth: 1 + Math.max(0, ...members.map(({ depth }) => depth)),
    values: Math.max(1, members.length) + members.reduce((sum, { values }) => sum + values, 0),
  }
}

test('any JSON text is counted as its parsed value is', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), fc.constantFrom(undefined, 1), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent)
      const { depth, values } = measure(JSON.parse(text))
      assert.equal(exceeds(text, { depth, values }), undefined)
      if (depth > 0) assert.notEqual(exceeds(text, { depth: depth - 1 }), undefined)
      if (values > 0) assert.notEqual(exceeds(text, { values: values - 1 }), undefined)
    }),
  )
})

test('any bytes are within limits or encoding.invalid', () => {
  const tokens = fc.constantFrom('"', '\\', '[', ']', '{', '}', ',', 'x')
  fc.assert(
    fc.property(fc.array(tokens), (parts) => {
      exceeds(parts.join(''), { depth: MAX_JSON_DEPTH, values: 8 })
    }),
  )
})
