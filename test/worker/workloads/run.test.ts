import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CountTable } from '#core/egress/table.ts'
import { CODE_TABLE_DIGEST } from '#core/fhir/codeTable.ts'
import { expandScopes } from '#core/fhir/scope.ts'
import { generatePopulation, POPULATION_CANARIES } from '#lab/demo/population.ts'
import { runWorkload } from '../../../src/worker/workloads/run.ts'
import type { Workload } from '../../../src/worker/workloads/workload.ts'
import { contractOf, fhirSummary } from './summary.ts'

const KEY = Buffer.alloc(32, 9)
const grantOf = (scopes: readonly string[], k = 11) => ({
  scopes: [...expandScopes(scopes)],
  projection: { view: 'minimal' as const },
  codeTable: CODE_TABLE_DIGEST,
  sensitive: [],
  iat: 1_795_219_200,
  output: contractOf(k),
})
const population = () => generatePopulation({ seed: 'run', patients: 300 })

test('a made-up population becomes one table without a word of it', async () => {
  const { output, counts } = await runWorkload(
    [population()],
    grantOf(['system/*.rs']),
    KEY,
    await fhirSummary(),
    null,
  )
  const { table }: CountTable = JSON.parse(Buffer.from(output).toString())
  assert.ok(table.length > 50)
  assert.ok(table.every(({ count }) => count >= 11))
  assert.ok(Number(counts.withheld['sensitive']) > 0 && Number(counts.withheld['modifier']) > 0)
  const kept = Object.values(counts.kept).reduce((sum, count) => sum + count, 0)
  const withheld = Object.values(counts.withheld).reduce((sum, count) => sum + count, 0)
  assert.equal(kept + withheld, counts.read)
})

test('no canary reaches a workload or its result, in any spelling', async () => {
  const seen: Buffer[] = []
  const spy: Workload = {
    ...(await fhirSummary()),
    open: () => ({
      add: (line) => {
        seen.push(Buffer.from(line))
      },
      finish: () => Buffer.concat(seen),
    }),
  }
  const contract = { ...contractOf(1), maxBytes: 1e9 }
  const { output } = await runWorkload(
    [population()],
    { ...grantOf(['system/*.rs']), output: contract },
    KEY,
    spy,
    null,
  )
  assert.ok(output.byteLength > 100_000)
  const text = Buffer.from(output).toString()
  for (const canary of Object.values(POPULATION_CANARIES).flat())
    for (const spelling of [canary, Buffer.from(canary).toString('hex'), ...base64Of(canary)])
      assert.ok(!text.includes(spelling), `${canary} as ${spelling}`)
})

/** What base64 shows of a text at each of the three offsets at which it may stand. */
function base64Of(text: string): string[] {
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.from(`${'x'.repeat(offset)}${text}`)
      .toString('base64')
      .replaceAll('=', '')
    return encoded.slice(offset === 0 ? 0 : offset + 1, -1)
  })
}

test('narrower scopes, fewer types', async () => {
  const { counts } = await runWorkload(
    [population()],
    grantOf(['system/Condition.rs']),
    KEY,
    await fhirSummary(),
    null,
  )
  assert.deepEqual(Object.keys(counts.kept), ['Condition'])
})

test('the same table however the stream is cut', async () => {
  const whole = await Array.fromAsync(population())
  const bytes = Buffer.concat(whole)
  const cut = async function* () {
    for (let at = 0; at < bytes.length; at += 4093) yield bytes.subarray(at, at + 4093)
  }
  const [one, other] = await Promise.all(
    [population(), cut()].map(async (chunks) =>
      runWorkload([chunks], grantOf(['system/*.rs']), KEY, await fhirSummary(), null),
    ),
  )
  assert.deepEqual(one, other)
})

for (const [why, line] of [
  ['of more than 4 MiB', `{"resourceType":"Patient","id":"p"${' '.repeat(4 * 1024 * 1024)}}`],
  ['of 7.5 M numbers', `{"resourceType":"Patient","x":[${'0,'.repeat(7_500_000)}0]}`],
  ['of 65,537 values', `{"resourceType":"Patient","x":[${'0,'.repeat(65_535)}0]}`],
] as const)
  test(`a line ${why} costs that line only`, async () => {
    const patient = Buffer.from('{"resourceType":"Patient","id":"p"}\n')
    const { counts } = await runWorkload(
      [contentOf(patient, Buffer.from(`${line}\n`), patient)],
      grantOf(['system/*.rs']),
      KEY,
      await fhirSummary(),
      null,
    )
    assert.deepEqual(counts, { read: 3, kept: { Patient: 2 }, withheld: { malformed: 1 } })
  })

async function* contentOf(...chunks: readonly Buffer[]) {
  yield* chunks
}

test('several objects give the result of their concatenation, the last line of each without a line feed', async () => {
  const lines = Buffer.concat(await Array.fromAsync(population()))
    .toString()
    .trimEnd()
    .split('\n')
  const parts = [lines.slice(0, 3), [], lines.slice(3, 4), lines.slice(4)]
  const run = async (contents: readonly string[]) =>
    runWorkload(
      contents.map((content) => contentOf(Buffer.from(content))),
      grantOf(['system/*.rs']),
      KEY,
      await fhirSummary(),
      null,
    )
  assert.deepEqual(await run(parts.map((part) => part.join('\n'))), await run([`${lines.join('\n')}\n`]))
})

const failing = (open: Workload['open']): Workload => ({
  name: 'failing',
  digest: '',
  contentType: 'application/json',
  open,
})
const nothing = { add: () => {}, finish: () => Buffer.from('{}') }

const faults: readonly (readonly [why: string, workload: Workload, code: string])[] = [
  [
    'a workload that throws at a line',
    failing(() => ({ ...nothing, add: (line) => assert.fail(Buffer.from(line).toString()) })),
    'workload.failed',
  ],
  [
    'a workload that throws at the end',
    failing(() => ({ ...nothing, finish: () => assert.fail('Jane Doe') })),
    'workload.failed',
  ],
  ['an output without a table', failing(() => nothing), 'output.violated'],
  ['an output of another type', { ...failing(() => nothing), contentType: 'text/csv' }, 'output.violated'],
]
for (const [why, workload, code] of faults)
  test(`${why} ends as ${code}`, async () => {
    const error = await runWorkload([population()], grantOf(['system/*.rs']), KEY, workload, null).catch(
      (fault: unknown) => fault,
    )
    assert.equal(Reflect.get(Object(error), 'code'), code)
    assert.equal(Reflect.get(Object(error), 'cause'), undefined)
    assert.doesNotMatch(String(error), /Jane|resourceType/)
  })

test('an object whose end does not verify gives no result', async () => {
  const cut = async function* () {
    yield* population()
    throw new Error('the last segment does not open')
  }
  await assert.rejects(
    runWorkload([cut()], grantOf(['system/*.rs']), KEY, await fhirSummary(), null),
    /does not open/,
  )
})
