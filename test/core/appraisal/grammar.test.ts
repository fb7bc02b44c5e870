import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  base64url,
  either,
  type Grammar,
  list,
  matching,
  optional,
  readAs,
  record,
  whole,
  words,
} from '#core/appraisal/grammar.ts'

const letter = matching({ pattern: /^[a-z]$/, must: 'must be a letter' })
const pair = record({ first: letter, second: optional(whole(0, 9)) })

/** Null: the value is read as it is. */
const cases: readonly (readonly [name: string, Grammar, value: unknown, problem: string | null])[] = [
  ['the least number', whole(1, 3), 1, null],
  ['the greatest number', whole(1, 3), 3, null],
  ['a number below', whole(1, 3), 0, 'must be a whole number from 1 to 3'],
  ['a number above', whole(1, 3), 4, 'must be a whole number from 1 to 3'],
  ['a fraction', whole(1, 3), 1.5, 'must be a whole number from 1 to 3'],
  ['a number as text', whole(1, 3), '2', 'must be a whole number from 1 to 3'],
  ['no number', whole(0, 3), null, 'must be a whole number from 0 to 3'],
  ['a known word', words('red', 'blue'), 'blue', null],
  ['an unknown word', words('red', 'blue'), 'green', 'must be "red" or "blue"'],
  ['a matching text', letter, 'a', null],
  ['another text', letter, 'A', 'must be a letter'],
  ['a number for a text', letter, 7, 'must be a text'],
  ['any text', matching(), '', null],
  [
    'a text that breaks two patterns',
    matching({ pattern: /a/, must: 'must hold a' }, { pattern: /b/, must: 'must hold b' }),
    'c',
    'must hold a; must hold b',
  ],
  ['the exact bytes', base64url(2), 'AAA', null],
  ['bytes too few', base64url(2), 'AA', 'must be 2 bytes in unpadded base64url'],
  ['bytes too many', base64url(0, 1), 'AAA', 'must be 0 to 1 bytes in unpadded base64url'],
  ['padded bytes', base64url(0, 9), 'AA==', 'must be 0 to 9 bytes in unpadded base64url'],
  ['bytes that are no text', base64url(0, 9), 7, 'must be 0 to 9 bytes in unpadded base64url'],
  ['the shortest list', list(letter, 1, 2), ['a'], null],
  ['the longest list', list(letter, 1, 2), ['a', 'b'], null],
  ['a list too short', list(letter, 1, 2), [], 'must be a list of 1 to 2 entries'],
  ['a list too long', list(letter, 1, 2), ['a', 'b', 'c'], 'must be a list of 1 to 2 entries'],
  ['an object for a list', list(letter, 0, 2), { length: 0 }, 'must be a list of 0 to 2 entries'],
  ['wrong entries', list(letter, 1, 3), ['A', 'b', 1], '0: must be a letter; 2: must be a text'],
  ['a whole record', pair, { first: 'a', second: 1 }, null],
  ['a record without its optional field', pair, { first: 'a' }, null],
  ['a record with an absent field', pair, { second: 1 }, 'first: must be a text'],
  [
    'a wrong optional field',
    pair,
    { first: 'a', second: null },
    'second: must be a whole number from 0 to 9',
  ],
  ['an unknown field', pair, { first: 'a', third: 1, fourth: 2 }, 'unknown field third, fourth'],
  ['a field of every object', pair, { first: 'a', toString: 1 }, 'unknown field toString'],
  ['an inherited field', pair, Object.create({ first: 'a' }), 'first: must be a text'],
  ['a list for a record', pair, [], 'must be an object'],
  ['null for a record', pair, null, 'must be an object'],
  ['a text for a record', pair, 'first', 'must be an object'],
  [
    'a name from a stranger',
    pair,
    { first: 'a', [`a\n${'x'.repeat(50)}`]: 1 },
    `unknown field a?${'x'.repeat(38)}`,
  ],
  ['a path', record({ rows: list(pair, 0, 2) }), { rows: [{ first: 1 }] }, 'rows.0.first: must be a text'],
  ['the first choice', either(words('any'), list(letter, 1, 2)), 'any', null],
  ['the second choice', either(words('any'), list(letter, 1, 2)), ['a'], null],
  [
    'neither choice',
    record({ ids: either(words('any'), list(letter, 1, 2)) }),
    { ids: 'none' },
    'ids: must be "any" or be a list of 1 to 2 entries',
  ],
  ['a text for a record of a choice', either(words('any'), pair), 'none', 'must be "any" or be an object'],
  [
    'a text that breaks a choice twice',
    either(
      words('any'),
      matching({ pattern: /a/, must: 'must hold a' }, { pattern: /b/, must: 'must hold b' }),
    ),
    'c',
    'must be "any" or hold a',
  ],
  ['a wrong list of a choice', either(words('any'), list(letter, 1, 2)), ['A'], '0: must be a letter'],
  ['a wrong record of a choice', either(words('any'), pair), { first: 'A' }, 'first: must be a letter'],
  [
    'a record where a list is a choice',
    either(words('any'), list(letter, 1, 2)),
    {},
    'must be "any" or be a list of 1 to 2 entries',
  ],
]
for (const [name, grammar, value, problem] of cases)
  test(`${problem === null ? 'reads' : 'refuses'} ${name}`, () => {
    const read = () => readAs(grammar, value, 'the value', 'case.malformed')
    if (problem === null) assert.equal(read(), value)
    else assert.throws(read, { code: 'case.malformed', message: `the value is malformed: ${problem}` })
  })
