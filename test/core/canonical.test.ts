import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { utf8 } from '#core/bytes.ts'
import {
  canonicalBytes,
  canonicalText,
  checkShape,
  defineFormat,
  parseCanonical,
  parseJson,
} from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'

const double = (hex: string) => Buffer.from(hex, 'hex').readDoubleBE()

// RFC 8785 appendix B: the IEEE 754 double and its one text.
for (const [hex, text] of [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['ffefffffffffffff', '-1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['c340000000000000', '-9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['44b52d02c7e14af7', '1.0000000000000001e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef4f', '999999999999999900000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555554', '333333333.33333325'],
  ['41b3de4355555555', '333333333.3333333'],
  ['41b3de4355555556', '333333333.3333334'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
] as const)
  test(`the double ${hex} is ${text}`, () => assert.equal(canonicalText(double(hex)), text))

test('the sample of RFC 8785 §3.2.2 and its bytes of §3.2.4', () => {
  const sample = String.raw`{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  }`
  assert.equal(
    canonicalBytes(JSON.parse(sample)).toString('hex'),
    '7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b3333333333333333332e333333333333332c31652b33302c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c5c5c222f227d',
  )
})

test('members are sorted by UTF-16 code units (RFC 8785 §3.2.3)', () => {
  const members = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    '1': 'One',
    '\ud83d\ude00': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    '\u00f6': 'Latin Small Letter O With Diaeresis',
  }
  assert.deepEqual(Object.values(JSON.parse(canonicalText(members)) as object).slice(1), [
    'Carriage Return',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ])
  // JSON.parse puts keys that are array indices first, so the test compares their positions in the text.
  assert.match(canonicalText(members), /^\{"\\r":"Carriage Return","1":"One",/)
})

for (const [what, value] of [
  ['undefined', undefined],
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
  ['a big integer', 1n],
  ['a function', () => 1],
  ['a lone surrogate', '\ud800'],
  ['a lone surrogate in a name', { '\udc00': 1 }],
  ['a hole in an array', [undefined]],
  ['an object of a class', new Map()],
  ['bytes', Buffer.from('a')],
] as const)
  test(`${what} has no JSON form`, () => {
    assert.throws(() => canonicalText(value), {
      code: 'encoding.invalid',
      message: 'a value has no JSON form',
    })
  })

test('an object without a prototype is a plain object', () => {
  assert.equal(canonicalText(Object.assign(Object.create(null), { b: 1, a: 2 })), '{"a":2,"b":1}')
})

test('an undefined member is left out', () => {
  assert.equal(canonicalText({ a: undefined, b: 1 }), '{"b":1}')
})

test('any JSON value round-trips through its canonical text', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const bytes = canonicalBytes(value)
      const parsed = parseCanonical(bytes)
      assert.deepEqual(parsed, JSON.parse(JSON.stringify(value)))
      assert.deepEqual(canonicalBytes(parsed), bytes)
    }),
  )
})

for (const [what, text] of [
  ['white space', '{"a": 1}'],
  ['a line end after it', '{"a":1}\n'],
  ['members out of order', '{"b":1,"a":2}'],
  ['a member twice', '{"a":1,"a":1}'],
  ['another spelling of a number', '[1.0]'],
  ['minus zero', '[-0]'],
  ['a number that no double represents', '[12345678901234567890]'],
  ['a needless escape', '["\\u0061"]'],
  ['an escaped solidus', '["\\/"]'],
  ['an escape in upper case', '["\\u001F"]'],
  ['an escaped lone surrogate', '["\\ud800"]'],
] as const)
  test(`a document with ${what} is not canonical`, () => {
    assert.throws(() => parseCanonical(utf8(text), 'grant'), { code: 'encoding.invalid' })
  })

for (const [what, bytes] of [
  ['no text at all', utf8('')],
  ['a BOM', utf8('\ufeff{}')],
  ['bytes after the value', utf8('{}{}')],
  ['bytes that are not UTF-8', Buffer.from('22ff22', 'hex')],
] as const)
  test(`${what} is not JSON`, () => {
    assert.throws(() => parseJson(bytes, 'event'), {
      code: 'encoding.invalid',
      message: 'event is not JSON in UTF-8',
    })
  })

const Format = defineFormat({
  name: 'sample',
  maxBytes: 16,
  code: 'job.malformed',
  schema: z.strictObject({ n: z.int().max(9_999_999_999_999), o: z.literal(1).optional() }),
})

test('a format decodes its own encoding, up to its size limit', () => {
  assert.deepEqual(Format.decode(Format.encode({ n: 1 })), { n: 1 })
  assert.equal(Format.encode({ n: 1_234_567_890 }).byteLength, 16)
  assert.deepEqual(Format.decode(utf8('{"n":1234567890}')), { n: 1_234_567_890 })
})

for (const [what, text, message] of [
  ['an extra byte', '{"n":12345678901}', 'sample has 17 bytes, the limit is 16'],
  ['a text that is not canonical', '{"n": 1}', 'sample is not canonical JSON (RFC 8785)'],
  ['an absent field', '{}', /^sample is malformed: n: /],
  ['an extra field', '{"n":1,"x":2}', 'sample is malformed: an unknown field'],
] as const)
  test(`a format refuses ${what}`, () => {
    assert.throws(() => Format.decode(utf8(text)), { code: 'job.malformed', message })
  })

test('a member named __proto__ is an ordinary member', () => {
  const document = '{"__proto__":{"n":1},"n":1}'
  assert.equal(canonicalText(JSON.parse(document)), document)
  const roomy = defineFormat({
    name: 'sample',
    maxBytes: 99,
    code: 'job.malformed',
    schema: z.strictObject({ n: z.literal(1) }),
  })
  assert.throws(() => roomy.decode(utf8(document)), { code: 'job.malformed' })
})

test('a format refuses to encode a value that it would not decode', () => {
  assert.throws(() => Format.encode({ n: 0.5 }), { code: 'job.malformed' })
  assert.throws(() => Format.encode({ n: 12_345_678_901 }), {
    code: 'job.malformed',
    message: 'sample has 17 bytes, the limit is 16',
  })
})

test('a format checks the length of a document before its content', () => {
  assert.throws(() => Format.decode(Buffer.alloc(17, 0xff)), {
    code: 'job.malformed',
    message: 'sample has 17 bytes, the limit is 16',
  })
})

/** The message with which `checkShape` refuses the value. */
function messageOf(schema: z.ZodType, value: unknown, sender?: 'stranger' | 'operator'): string {
  try {
    checkShape(schema, value, 'sample', 'request.malformed', sender)
  } catch (error) {
    assert.ok(error instanceof CodedError)
    assert.equal(error.code, 'request.malformed')
    return error.message
  }
  throw new Error('the value fits')
}

const Shape = z.strictObject({ a: z.strictObject({ b: z.string().max(3) }), c: z.literal('x') })

test('a message about a shape names fields, never values', () => {
  const value = { a: { b: 'secret' }, c: 'secret', d: 'secret', [`e\n${'f'.repeat(90)}`]: 'secret' }
  const message = messageOf(Shape, value)
  assert.doesNotMatch(message, /secret|\n|e\?f/)
  assert.match(message, /a\.b: /)
  assert.match(message, /c: /)
  assert.match(message, /2 unknown fields$/)
  assert.match(messageOf(Shape, value, 'operator'), /unknown field d, e\?f{38}$/)
})

test('no sender chooses the length of a message', () => {
  const keys = Object.fromEntries(Array.from({ length: 150_000 }, (_, index) => [`my word ${index}`, 1]))
  assert.ok(messageOf(Shape, keys).endsWith('; 150000 unknown fields'))
  assert.equal(messageOf(z.array(z.null()), Array(1000).fill(1)).match(/expected null/g)?.length, 8)
  assert.ok(messageOf(z.array(z.null()), Array(1000).fill(1)).endsWith('; 992 more'))
  const Nested = z.record(z.string(), z.record(z.string(), z.record(z.string(), z.null())))
  const long = (value: unknown) => ({ ['x'.repeat(500)]: value })
  assert.ok(messageOf(Nested, long(long(long(1)))).length < 250)
  assert.ok(messageOf(Shape, keys, 'operator').length < 500)
})

test('a text that nests too deep, or has too many values, is refused before it is parsed', () => {
  const nested = (levels: number) => utf8(`${'['.repeat(levels)}${']'.repeat(levels)}`)
  assert.ok(parseJson(nested(32)))
  assert.throws(() => parseJson(nested(33), 'sample'), {
    code: 'encoding.invalid',
    message: 'sample nests deeper than 32 levels',
  })
  assert.throws(() => parseJson(utf8('['.repeat(1_600_000))), { code: 'encoding.invalid' })
  assert.throws(() => parseJson(utf8('[1,2,3]'), 'sample', 2), {
    code: 'encoding.invalid',
    message: 'sample has more than 2 values',
  })
  const Few = defineFormat({
    name: 'sample',
    maxBytes: 99,
    maxValues: 2,
    code: 'job.malformed',
    schema: z.array(z.int()),
  })
  assert.deepEqual(Few.decode(utf8('[1,2]')), [1, 2])
  assert.throws(() => Few.decode(utf8('[1,2,3]')), { code: 'job.malformed' })
})
