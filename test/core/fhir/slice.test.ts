import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_DEPTH, MAX_MEMBERS, MAX_VALUES, SliceScanner } from '#core/fhir/slice.ts'
import { ARRAY, FALSE, NULL, OBJECT, TRUE } from '#core/fhir/tokens.ts'
import { WordTable } from '#core/fhir/words.ts'

const names = new WordTable(['resourceType', 'code', 'value'])
const scanner = new SliceScanner(names, 'code')
const scan = (text: string | Uint8Array) => scanner.scan(typeof text === 'string' ? Buffer.from(text) : text)

const accepted = [
  '{}',
  ' {\t"a" :\r\n1 } ',
  '{"a":[],"b":{},"c":[[],[1,2]],"d":[{"e":null}]}',
  '{"a":-0.0,"b":1e5,"c":1E+05,"d":0.10e-2,"e":105.00}',
  '{"a":true,"b":false,"c":null}',
  '{"a":"\\u00e9\\n\\"\\\\\\/","b":"é\u2028"}',
  '{"__proto__":{"x":1},"constructor":2}',
  '{"a":{"a":{"a":1}},"b":{"a":1}}',
  `{"a":${'['.repeat(MAX_DEPTH - 1)}${']'.repeat(MAX_DEPTH - 1)}}`,
  `{${Array.from({ length: MAX_MEMBERS }, (_, i) => `"m${i}":0`).join()}}`,
  // The object and the array are values too.
  `{"a":[${'0,'.repeat(MAX_VALUES - 3)}0]}`,
]
for (const text of accepted)
  test(`accepts ${text.slice(0, 60)}`, () => {
    assert.equal(scan(text), true)
    assert.deepEqual(rebuild(0), JSON.parse(text))
  })

const refused: readonly (readonly [why: string, text: string | Uint8Array])[] = [
  ['nothing', ''],
  ['an array', '[]'],
  ['a string', '"a"'],
  ['two objects', '{}{}'],
  ['text after it', '{} x'],
  ['a comma before the end', '{"a":1,}'],
  ['a comma before the end of an array', '{"a":[1,]}'],
  ['only a comma', '{,}'],
  ['a missing comma', '{"a":1 "b":2}'],
  ['a missing value', '{"a":}'],
  ['a missing colon', '{"a" 1}'],
  ['an open object', '{"a":1'],
  ['an open array', '{"a":[1'],
  ['an open string', '{"a":"b'],
  ['an open name', '{"a'],
  ['the wrong bracket', '{"a":[1}}'],
  ['a member in an array', '{"a":["b":1]}'],
  ['an element in an object', '{1}'],
  ['a name without quotes', '{a:1}'],
  ['single quotes', "{'a':1}"],
  ['a repeated name', '{"a":1,"a":2}'],
  ['a repeated name with objects between', '{"a":{"a":1},"b":[{"a":1}],"a":2}'],
  ['an escaped name', '{"\\u0061":1}'],
  ['a name with a space', '{"a b":1}'],
  ['an empty name', '{"":1}'],
  ['a name in other letters', '{"é":1}'],
  ['a leading zero', '{"a":01}'],
  ['a leading plus', '{"a":+1}'],
  ['a bare minus', '{"a":-}'],
  ['a bare point', '{"a":1.}'],
  ['a point in front', '{"a":.5}'],
  ['a bare exponent', '{"a":1e}'],
  ['a signed bare exponent', '{"a":1e+}'],
  ['NaN', '{"a":NaN}'],
  ['a cut literal', '{"a":tru}'],
  ['a literal with more after it', '{"a":nullx}'],
  ['a control character in a string', '{"a":"\n"}'],
  ['a zero byte in a string', '{"a":"\0"}'],
  ['a zero byte after it', '{}\0'],
  ['an unknown escape', '{"a":"\\x"}'],
  ['a short escape', '{"a":"\\u12"}'],
  ['an escape without digits', '{"a":"\\uzzzz"}'],
  ['a comment', '{"a":1/**/}'],
  ['a byte order mark', '\ufeff{}'],
  ['bytes that are not UTF-8', Buffer.from('{"a":"\xff"}', 'latin1')],
  ['an overlong form', Buffer.from('{"a":"\xc0\xaf"}', 'latin1')],
  ['a depth bomb', `{"a":${'['.repeat(100_000)}`],
  ['one level too many', `{"a":${'['.repeat(MAX_DEPTH)}${']'.repeat(MAX_DEPTH)}}`],
  ['one value too many', `{"a":[${'0,'.repeat(MAX_VALUES - 2)}0]}`],
  ['one array too many', `{"a":[${'[],'.repeat(MAX_VALUES - 2)}[]]}`],
  ['one member too many', `{${Array.from({ length: MAX_MEMBERS + 1 }, (_, i) => `"m${i}":0`).join()}}`],
]
for (const [why, text] of refused)
  test(`refuses ${why}`, () => {
    // The rest of an earlier line must not complete this one.
    scan('{"a":"true null 0123456789 }}}}]]]]""""","b":"\\u0000 1234"}')
    assert.equal(scan(text), false)
  })

test('every prefix of a resource is refused', () => {
  const text = '{"resourceType":"Observation","value":[1.50,{"code":"\\u00e9x"},true,null,-2e-3]}'
  for (let length = 0; length < text.length; length++) assert.equal(scan(text.slice(0, length)), false)
  assert.equal(scan(text), true)
})

test('keeps the bytes of a decimal', () => {
  assert.equal(scan('{"value":105.00}'), true)
  const value = scanner.member(0, names.idOf('value'))
  assert.equal(scanner.bytes.toString('latin1', scanner.start[value], scanner.end[value]), '105.00')
})

test('marks the objects with a code', () => {
  assert.equal(scan('{"a":{"code":"x"},"code":{"code":"y"},"value":[{"code":1},{"code":["z"]}]}'), true)
  assert.equal(scanner.marked.length, 2)
})

test('grows for a long line and then scans the next one', () => {
  const text = `{"value":[${'"0123456789",'.repeat(50_000)}0]}`
  assert.equal(scan(text), true)
  assert.equal(scanner.count, 50_003)
  assert.equal(scan('{"value":1}'), true)
})

const name = fc.stringMatching(/^[A-Za-z0-9_]{1,4}$/)
const { json } = fc.letrec<{ json: unknown; object: object }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ unit: 'grapheme' }),
    fc.array(tie('json'), { maxLength: 4 }),
    tie('object'),
  ),
  object: fc.dictionary(name, tie('json'), { noNullPrototype: true, maxKeys: 5 }),
}))
const document = fc.dictionary(name, json, { noNullPrototype: true, maxKeys: 6 })

test('accepts the output of JSON.stringify and describes the same value', () => {
  fc.assert(
    fc.property(document, fc.constantFrom(undefined, 2, '\t'), (value, space) => {
      const text = JSON.stringify(value, null, space)
      assert.equal(scan(text), true)
      assert.deepEqual(rebuild(0), JSON.parse(text))
    }),
    { numRuns: 500 },
  )
})

test('an accepted mutation describes the value that JSON.parse reads', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 3,
  })
  fc.assert(
    fc.property(document, changes, (value, changed) => {
      const bytes = Buffer.from(JSON.stringify(value))
      for (const [at, byte] of changed) bytes[at % bytes.length] = byte
      if (scan(bytes)) assert.deepEqual(rebuild(0), JSON.parse(bytes.toString()))
    }),
    { numRuns: 3000 },
  )
})

/** The value that the slices describe. */
function rebuild(value: number): unknown {
  const kind = scanner.kind[value]
  const last = scanner.next[value] ?? 0
  if (kind === ARRAY || kind === OBJECT) {
    const inside: number[] = []
    for (let at = value + 1; at < last; at = scanner.next[at] ?? last) inside.push(at)
    if (kind === ARRAY) return inside.map(rebuild)
    return Object.fromEntries(inside.map((member) => [nameBefore(member), rebuild(member)]))
  }
  if (scanner.isText(value)) return scanner.text(value)
  if (kind === TRUE || kind === FALSE) return kind === TRUE
  if (kind === NULL) return null
  return Number(scanner.bytes.toString('latin1', scanner.start[value], scanner.end[value]))
}

/** The member name before a value in the line. */
function nameBefore(value: number): string {
  const before = scanner.bytes.toString(
    'utf8',
    0,
    (scanner.start[value] ?? 0) - (scanner.isText(value) ? 1 : 0),
  )
  return /"([A-Za-z0-9_]+)"\s*:\s*$/.exec(before)?.[1] ?? ''
}
