/** The campaign itself: each kind of fault is found, named and kept for a replay. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { decodeInput, type FuzzReport, fuzz, type Plan } from './campaign.ts'
import { TARGETS } from './faultyTargets.ts'
import { Random } from './random.ts'
import { answerTo } from './target.ts'

const MODULE = new URL('./faultyTargets.ts', import.meta.url).href
const folder = await mkdtemp(join(tmpdir(), 'cw-fuzz-'))
after(() => rm(folder, { recursive: true }))

function run(name: string, plan: Partial<Plan> = {}): Promise<FuzzReport> {
  return fuzz(targetOf(name), {
    module: MODULE,
    seed: 7,
    from: 0,
    inputs: 1000,
    seconds: Number.POSITIVE_INFINITY,
    folder,
    hangSeconds: 20,
    maxGrowthMib: 4000,
    ...plan,
  })
}

function targetOf(name: string) {
  const target = TARGETS.find((candidate) => candidate.name === name)
  assert.ok(target)
  return target
}

test('a target without a fault has no finding', async () => {
  const { findings, inputs, accepted, refused, reasons, unmet } = await run('none')
  assert.deepEqual(findings, [])
  assert.equal(accepted + (refused['report.malformed'] ?? 0), inputs)
  assert.equal(inputs, 1000)
  // Numbers in the message do not count.
  assert.equal(reasons, 1)
  assert.deepEqual(unmet, ['report.invalid'])
})

for (const [name, kind] of [
  [
    'crash',
    'RangeError ERR_OUT_OF_RANGE: The value of "offset" is out of range. It must be >= # and <= #. Received #',
  ],
  ['undocumented', 'CodedError config.invalid: a code that is not documented here'],
  ['violation', 'Violation: the output is not the input'],
  ['later', 'Violation: the output comes too late'],
  ['text', 'a thrown object'],
  ['recursion', 'RangeError: Maximum call stack size exceeded'],
] as const)
  test(`${name}: found once, with an input that reproduces it`, async () => {
    const { findings, inputs } = await run(name)
    assert.deepEqual(
      findings.map((finding) => finding.kind),
      [kind],
    )
    assert.equal(inputs, 1000)
    const { target, input } = decodeInput(await readFile(findings[0]?.file ?? '', 'utf8'))
    assert.equal(target, name)
    const answer = await answerTo(input, await targetOf(name).open(), targetOf(name))
    assert.equal(answer.kind, 'finding')
  })

for (const [name, kind, plan] of [
  ['hang', 'hang', { hangSeconds: 0.5 }],
  ['heap', 'memory', { maxGrowthMib: 100 }],
  ['leak', 'memory', { maxGrowthMib: 100, inputs: 100_000 }],
] as const)
  test(`${name}: the thread is ended, and its input is kept`, async () => {
    const { findings } = await run(name, plan)
    assert.deepEqual(
      findings.map((finding) => finding.kind),
      [kind],
    )
    const { input } = decodeInput(await readFile(findings[0]?.file ?? '', 'utf8'))
    assert.equal(input[0]?.byteLength, 4)
  })

test('the input of an index does not depend on the inputs before it', async () => {
  const [whole, part] = [await run('crash'), await run('crash', { from: 100, inputs: 900 })]
  const first = whole.findings[0]?.index ?? -1
  const later = part.findings[0]?.index ?? -1
  assert.ok(first >= 0 && later >= first)
  const numbers = (seed: number, name: string, index: number) => {
    const random = new Random(seed, name, index)
    return [random.u32(), random.u32(), random.u32()]
  }
  assert.deepEqual(numbers(7, 'crash', later), numbers(7, 'crash', later))
  assert.notDeepEqual(numbers(7, 'crash', later), numbers(7, 'crash', later + 1))
  assert.notDeepEqual(numbers(7, 'crash', later), numbers(8, 'crash', later))
  assert.notDeepEqual(numbers(7, 'crash', later), numbers(7, 'leak', later))
})
