import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { LIFE, mayMake, type Row, type State, type WorkerEntry } from '#core/job/life.ts'
import { JobWalk } from '#core/job/walk.ts'

const rows: readonly Row[] = Object.values(LIFE)

/** One letter per entry. */
const LETTERS: Readonly<Record<string, WorkerEntry>> = {
  D: 'release.denied',
  K: 'key.received',
  I: 'result.intent',
  V: 'result.visible',
  S: 'result.superseded',
  X: 'result.foreign',
  F: 'job.failed',
  G: 'job.failed, no key',
  R: 'job.returned',
  L: 'job.dead-lettered',
}
const OF_RELEASE = 'KIVSXF'

/**
 * The entries of one job in one log, written down a second time: tries without a result, the result, tries
 * that find it again, and what a death may cut off.
 */
const LEGAL = /^(D|DR|DL|R|G|GL|KI?X?F[RL]?)*((KI?S|KIV)(D|G|KI?X?F|KI?S|KIV)*)?(KI?X?)?$/

/** The position of the first illegal entry; undefined if there is none. Each key is of a new release. */
function firstIllegal(word: string): number | undefined {
  const walk = new JobWalk()
  let release = 0
  for (const [index, letter] of [...word].entries()) {
    if (letter === 'K') release += 1
    const named = OF_RELEASE.includes(letter) ? String(release) : null
    const entry = LETTERS[letter]
    assert.ok(entry !== undefined)
    if (!walk.step(entry, named)) return index
  }
  return undefined
}

function expected(word: string): number | undefined {
  for (let length = 1; length <= word.length; length++)
    if (!LEGAL.test(word.slice(0, length))) return length - 1
  return undefined
}

describe('the table allows exactly the written histories', () => {
  test('all histories of up to five entries', () => {
    let words = ['']
    for (let length = 1; length <= 5; length++) {
      words = words.flatMap((word) => Object.keys(LETTERS).map((letter) => word + letter))
      for (const word of words) assert.equal(firstIllegal(word), expected(word), word)
    }
  })

  const tries = fc.constantFrom('D', 'DR', 'DL', 'R', 'G', 'GL', 'KF', 'KIF', 'KXF', 'KFR', 'KIXFL')
  const found = fc.constantFrom('D', 'G', 'KF', 'KIF', 'KXF', 'KS', 'KIS', 'KIV')
  const history = fc
    .tuple(fc.array(tries), fc.constantFrom('', 'KS', 'KIS', 'KIV'), fc.array(found))
    .map(([before, result, after]) => before.join('') + (result === '' ? '' : result + after.join('')))

  test('long legal histories', () => {
    fc.assert(fc.property(history, (word) => firstIllegal(word) === undefined))
  })

  test('each change of one entry that makes a history illegal is found where it is', () => {
    const letter = fc.constantFrom(...Object.keys(LETTERS))
    fc.assert(
      fc.property(history, fc.nat(), fc.nat(2), letter, (word, at, kind, other) => {
        const index = at % (word.length + 1)
        // Leaves one out, replaces it, or adds one.
        const changed =
          word.slice(0, index) + (kind === 0 ? '' : other) + word.slice(index + (kind < 2 ? 1 : 0))
        return firstIllegal(changed) === expected(changed)
      }),
      { numRuns: 2000 },
    )
  })
})

test('an entry that names another release than the last key is illegal', () => {
  const walk = new JobWalk()
  assert.equal(walk.step('key.received', 'first'), true)
  assert.equal(walk.step('job.failed', 'first'), true)
  assert.equal(walk.step('key.received', 'second'), true)
  assert.equal(walk.step('result.superseded', 'first'), false)
})

test('an entry of another release does not replace the key', () => {
  const walk = new JobWalk()
  assert.equal(walk.step('key.received', 'first'), true)
  assert.equal(walk.step('result.intent', 'second'), false)
  assert.equal(walk.step('result.visible', 'first'), true)
})

test('the walk goes on behind an illegal entry', () => {
  const walk = new JobWalk()
  assert.equal(walk.step('result.visible', null), false)
  assert.equal(walk.step('job.dead-lettered', null), false)
  assert.equal(walk.step('release.denied', null), true)
})

test('every state is reached from the upload and left again, until there is a result', () => {
  const reached = new Set<State>(['uploaded'])
  for (const state of reached) for (const row of rows) if (row.from.includes(state)) reached.add(row.to)
  const states = new Set(rows.flatMap(({ from, to }) => [...from, to]))
  assert.deepEqual(reached, states)
  for (const state of states)
    assert.ok(
      rows.some(({ from }) => from.includes(state)),
      state,
    )
})

test('only an operator retries, and only what is set aside without a result', () => {
  assert.deepEqual(LIFE.retry, {
    by: 'operator',
    from: ['set-aside'],
    to: 'published',
    writes: ['retry', 'message'],
    unlessResult: true,
  })
  assert.equal(mayMake('retry', 'overtaken'), false)
})
