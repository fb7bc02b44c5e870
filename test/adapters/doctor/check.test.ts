/** The rows of a doctor: what an outcome is, and what the exit code says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Check,
  ends,
  exitOf,
  finding,
  good,
  left,
  type Outcome,
  runChecks,
} from '#adapters/doctor/check.ts'
import { once } from '#adapters/doctor/once.ts'
import { CodedError } from '#core/errors.ts'
import { toUnixSeconds } from '#core/time.ts'

const NOW = toUnixSeconds(1_800_000_000)
const DAY = 86_400

function row(run: Check<null>['run'], id = 'a.row'): Check<null> {
  return { id, tries: 'something', expects: 'something', remedy: 'mend it', run }
}

const OUTCOMES: readonly {
  readonly what: string
  readonly run: Check<null>['run']
  readonly expected: { readonly state: string; readonly found: RegExp; readonly remedy: RegExp | null }
}[] = [
  {
    what: 'an expected outcome has no remedy',
    run: async () => good('it is so'),
    expected: { state: 'good', found: /^it is so$/, remedy: null },
  },
  {
    what: 'a finding has the remedy of its row',
    run: async () => finding('it is not so'),
    expected: { state: 'finding', found: /^it is not so$/, remedy: /^mend it$/ },
  },
  {
    what: 'what was not tried has no remedy',
    run: async () => left('there is nothing'),
    expected: { state: 'left', found: /^there is nothing$/, remedy: null },
  },
  {
    what: 'a refusal is a finding with its code',
    run: async () => {
      throw new CodedError('service.missing', 'getKey answered 404')
    },
    expected: { state: 'finding', found: /^getKey answered 404 \(service\.missing\)$/, remedy: /^mend it$/ },
  },
  {
    what: 'an outage is no finding, and its remedy is not that of the row',
    run: async () => {
      throw new CodedError('service.unavailable', 'getKey got no answer')
    },
    expected: { state: 'away', found: /no answer \(service\.unavailable\)$/, remedy: /^(?!mend it)/ },
  },
  {
    what: 'an unexpected error is not quoted',
    run: async () => {
      throw new Error('patient 7')
    },
    expected: { state: 'finding', found: /^an unexpected error \(internal\.fault\)$/, remedy: /^mend it$/ },
  },
  {
    what: 'a call that hangs is not reached',
    run: () => new Promise<Outcome>(() => {}),
    expected: { state: 'away', found: /no answer within 0\.05 seconds/, remedy: /./ },
  },
]

for (const { what, run, expected } of OUTCOMES)
  test(what, async () => {
    // Without it nothing would keep the process alive for a call that hangs.
    const alive = setInterval(() => {}, 1000)
    const [line, ...more] = await runChecks([row(run)], null, 50).finally(() => clearInterval(alive))
    assert.deepEqual(more, [])
    assert.equal(line?.check, 'a.row')
    assert.equal(line?.state, expected.state)
    assert.match(line?.found ?? '', expected.found)
    if (expected.remedy === null) assert.equal(line?.remedy, null)
    else assert.match(line?.remedy ?? '', expected.remedy)
  })

test('lines are in the order of the table, and a row may give several', async () => {
  const slow = row(
    () => new Promise((resolve) => setImmediate(() => resolve([good('1'), good('2')]))),
    'slow',
  )
  const lines = await runChecks([slow, row(async () => good('3'), 'fast')], null)
  assert.deepEqual(
    lines.map(({ check, found }) => `${check} ${found}`),
    ['slow 1', 'slow 2', 'fast 3'],
  )
})

test('an end is a finding when it has come, and from the least days before it on', () => {
  const at = (seconds: number) => ends('it', NOW + seconds, NOW, 14)
  assert.deepEqual(at(0), {
    state: 'finding',
    found: 'it ended at 2027-01-15T08:00:00Z',
    until: '2027-01-15T08:00:00Z',
  })
  assert.equal(at(1).state, 'finding')
  assert.equal(at(14 * DAY - 1).state, 'finding')
  assert.equal(at(14 * DAY).state, 'good')
  assert.match(at(15 * DAY + 1).found, /in 15 days$/)
})

test('the exit code: configuration before finding before outage', () => {
  const line = (outcome: Outcome) => ({ check: 'a.row', remedy: null, ...outcome })
  const away: Outcome = { state: 'away', found: '' }
  const config: Outcome = { ...finding(''), code: 'config.invalid' }
  for (const [expected, outcomes] of [
    [0, []],
    [0, [good(''), left('')]],
    [75, [good(''), away]],
    [1, [away, finding('')]],
    [78, [away, finding(''), config]],
  ] as const)
    assert.equal(exitOf(outcomes.map(line)), expected)
})

test('what is asked once is asked once, also while it is asked', async () => {
  let asked = 0
  const ask = once(async () => {
    asked += 1
    return asked
  })
  assert.deepEqual(await Promise.all([ask(), ask()]), [1, 1])
  assert.equal(await ask(), 1)
})
