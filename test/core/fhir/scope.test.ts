import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { expandScopes, formatScope, parseScope } from '#core/fhir/scope.ts'
import { RESOURCE_TYPES } from '#core/fhir/types.ts'

const CATEGORY = 'http://terminology.hl7.org/CodeSystem/observation-category'
const refuses = (text: string) =>
  assert.throws(() => parseScope(text), { name: 'CodedError', code: 'scope.invalid' }, text)

const valid: readonly { text: string; canonical: string }[] = [
  { text: 'system/Patient.rs', canonical: 'system/Patient.rs' },
  { text: 'system/Patient.read', canonical: 'system/Patient.rs' },
  { text: 'system/Patient.write', canonical: 'system/Patient.cud' },
  { text: 'system/Patient.*', canonical: 'system/Patient.cruds' },
  { text: 'system/*.cruds', canonical: 'system/*.cruds' },
  {
    text: `system/Observation.rs?category=${CATEGORY}|laboratory`,
    canonical: `system/Observation.rs?category=${CATEGORY}|laboratory`,
  },
  {
    text: `system/Observation.rs?status=final&category=vital-signs,${encodeURIComponent(`${CATEGORY}|laboratory`)}`,
    canonical: `system/Observation.rs?category=${CATEGORY}|laboratory,vital-signs&status=final`,
  },
  { text: 'system/Condition.s?code=|local', canonical: 'system/Condition.s?code=|local' },
  { text: 'system/Condition.s?code=http://a|', canonical: 'system/Condition.s?code=http://a|' },
  {
    text: 'system/*.rs?_tag=http://a|b&_security=http://c|d',
    canonical: 'system/*.rs?_security=http://c|d&_tag=http://a|b',
  },
  { text: 'system/Condition.s?code=a,a&code=a', canonical: 'system/Condition.s?code=a' },
]
for (const { text, canonical } of valid)
  test(`reads ${text}`, () => {
    const scope = parseScope(text)
    assert.equal(formatScope(scope), canonical)
    assert.deepEqual(parseScope(canonical), scope)
  })

const invalid: readonly (readonly [why: string, text: string])[] = [
  // Accepted by Medplum's parser (its smart.ts at 07f998d)
  ['an empty permission', 'system/Patient.'],
  ['garbage', 'garbage'],
  ['no permission at all', 'system/Patient'],
  ['letters out of order', 'system/Patient.sr'],
  ['a letter outside cruds', 'system/Patient.rx'],
  // The rest of the grammar
  ['an empty text', ''],
  ['a repeated letter', 'system/Patient.rr'],
  ['upper case', 'system/Patient.RS'],
  ['the undefined dus', 'system/Patient.dus'],
  ['a prefix of read', 'system/Patient.rea'],
  ['patient context', 'patient/Observation.rs'],
  ['user context', 'user/Observation.rs'],
  ['the URI form', 'http://smarthealthit.org/fhir/scopes/system/Patient.rs'],
  ['an unknown type', 'system/Pacient.rs'],
  ['a prototype member as a type', 'system/constructor.rs'],
  ['a prototype member as a permission', 'system/Patient.constructor'],
  ['two permissions', 'system/Patient.r.s'],
  ['white space', 'system/Patient.rs '],
  ['two scopes', 'system/Patient.rs system/Observation.rs'],
  ['an empty query', 'system/Observation.rs?'],
  ['two queries', 'system/Observation.rs?status=final?status=final'],
  ['an unknown parameter', 'system/Observation.rs?colour=red'],
  ['a parameter of another type', 'system/Patient.rs?category=a'],
  ['a parameter of one type with *', 'system/*.rs?status=final'],
  ['a prototype member as a parameter', 'system/Observation.rs?toString=a'],
  ['a modifier', 'system/Observation.rs?code:in=http://a'],
  ['a chain', 'system/Observation.rs?patient.birthdate=2000'],
  ['_filter', 'system/Observation.rs?_filter=status%20eq%20final'],
  ['an empty value', 'system/Observation.rs?status='],
  ['no value', 'system/Observation.rs?status'],
  ['an empty alternative', 'system/Observation.rs?status=final,'],
  ['two equals signs', 'system/Observation.rs?status=final=amended'],
  ['a bare bar', 'system/Observation.rs?category=|'],
  ['three parts', 'system/Observation.rs?category=a|b|c'],
  ['a system for a code', 'system/Observation.rs?status=http://hl7.org/fhir/observation-status|final'],
  ['a plus sign', 'system/Observation.rs?category=vital+signs'],
  ['an escaped space', 'system/Observation.rs?category=vital%20signs'],
  ['a broken escape', 'system/Observation.rs?category=%zz'],
  ['bytes that are not UTF-8', 'system/Observation.rs?category=%ff'],
  ['an escaped backslash', 'system/Observation.rs?category=a%5C,b'],
  ['a last ampersand', 'system/Observation.rs?status=final&'],
  ['513 characters', `system/Observation.rs?category=${'a'.repeat(483)}`],
]
for (const [why, text] of invalid) test(`refuses ${why}`, () => refuses(text))

test('one invalid scope makes all of them refused', () => {
  assert.throws(() => expandScopes(['system/Patient.rs', 'system/Patient.']), { code: 'scope.invalid' })
})

test('* means the pinned types', () => {
  assert.deepEqual(
    expandScopes(['system/*.rs']),
    RESOURCE_TYPES.map((type) => `system/${type}.rs`),
  )
  assert.equal(expandScopes(['system/*.r', 'system/*.s', 'system/Patient.rs']).length, RESOURCE_TYPES.length)
})

test('scopes of one type merge, but not across different criteria', () => {
  assert.deepEqual(
    expandScopes(['system/Observation.s', 'system/Observation.r?status=final', 'system/Observation.r']),
    ['system/Observation.rs', 'system/Observation.r?status=final'],
  )
})

test('an expanded list expands to itself, whatever the order and spelling of what was written', () => {
  const written = ['system/Patient.read', 'system/Observation.rs?category=b,a', 'system/Observation.s']
  const expanded = expandScopes(written)
  assert.deepEqual(expandScopes(expanded), expanded)
  assert.deepEqual(expandScopes([...written].reverse()), expanded)
  assert.deepEqual(
    expandScopes(['system/Observation.s', 'system/Patient.rs', 'system/Observation.rs?category=a,b']),
    expanded,
  )
})

test('at most 256 scopes come out, however few are written', () => {
  const tagged = (tag: string) => `system/*.rs?_tag=${tag}`
  const more = (count: number) => Array.from({ length: count }, (_, at) => `system/Patient.rs?_tag=${at}`)
  const types = RESOURCE_TYPES.length
  assert.equal(expandScopes([tagged('a'), ...more(256 - types)]).length, 256)
  assert.throws(() => expandScopes([tagged('a'), ...more(257 - types)]), { code: 'scope.invalid' })
  assert.throws(() => expandScopes([tagged('a'), tagged('b')]), {
    code: 'scope.invalid',
    message: 'scope and the others are more than 256 without "*"',
  })
})

test('any text is refused, or has a canonical form that parses to itself', () => {
  const piece = fc.constantFrom(
    'system/',
    'Patient',
    'Observation',
    '*',
    '.',
    'rs',
    'read',
    '?',
    '=',
    '|',
    ',',
    '%',
    '&',
    'category',
    'status',
    'final',
    ' ',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 14 }), (pieces) => {
      let text = ''
      try {
        text = formatScope(parseScope(pieces.join('')))
      } catch (error) {
        assert.equal(Reflect.get(Object(error), 'code'), 'scope.invalid')
        return
      }
      assert.equal(formatScope(parseScope(text)), text)
    }),
    { numRuns: 2000 },
  )
})
