/**
 * npm run fuzz -- [TARGET] [--inputs N] [--seed S] [--seconds T] [--json], or --replay FILE for an input that was kept. Exit
 * code 1 where there is a finding, 2 where the command line is wrong.
 */
import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { decodeInput, fuzz, type Report, USUAL_LIMITS } from './campaign.ts'
import { answerTo, type Target } from './target.ts'
import { TARGETS } from './targets.ts'

const DEFAULT_INPUTS = 10_000_000
const MODULE = new URL('./targets.ts', import.meta.url).href
const PROGRESS_MILLISECONDS = 5000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    inputs: { type: 'string', default: String(DEFAULT_INPUTS) },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    from: { type: 'string', default: '0' },
    seconds: { type: 'string' },
    replay: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
process.exitCode = await main(positionals)

async function main([name, ...rest]: readonly string[]): Promise<number> {
  const targets = name === undefined ? TARGETS : TARGETS.filter((target) => target.name === name)
  const [inputs, seed, from] = [values.inputs, values.seed, values.from].map(Number)
  const seconds = values.seconds === undefined ? Number.POSITIVE_INFINITY : Number(values.seconds)
  if (targets.length === 0 || rest.length > 0) {
    console.error(`no target is called "${positionals.join(' ')}"; there are:`)
    for (const target of TARGETS) console.error(`  ${target.name.padEnd(14)}${target.what}`)
    return 2
  }
  if (!isCount(inputs) || !isCount(seed) || !isCount(from) || !(seconds > 0)) {
    console.error('--inputs, --seed and --from are whole numbers up to 2147483647, --seconds is more than 0')
    return 2
  }
  if (values.replay !== undefined) return replay(values.replay)
  console.error(`seed ${seed}`)
  const weights = targets.reduce((sum, { weight }) => sum + weight, 0)
  const reports: Report[] = []
  for (const target of targets) {
    const share = Math.ceil((inputs * target.weight) / weights)
    const plan = { seed, from, inputs: share, seconds: seconds / targets.length }
    reports.push(await run(target, plan, share))
  }
  if (values.json) console.log(JSON.stringify({ seed, reports }, undefined, 2))
  else for (const line of summaryOf(reports)) console.log(line)
  return reports.some(({ findings }) => findings.length > 0) ? 1 : 0
}

async function run(
  target: Target,
  plan: Readonly<Record<'seed' | 'from' | 'inputs' | 'seconds', number>>,
  share: number,
): Promise<Report> {
  let told = 0
  const report = await fuzz(target, {
    ...plan,
    ...USUAL_LIMITS,
    module: MODULE,
    folder: join(tmpdir(), 'confidential-worker-fuzz'),
    onProgress: (index) => {
      if (performance.now() - told < PROGRESS_MILLISECONDS) return
      told = performance.now()
      console.error(`${target.name}: ${index - plan.from} of ${share}`)
    },
  })
  console.error(`${target.name}: ${report.inputs} inputs, ${report.findings.length} findings`)
  return report
}

async function replay(file: string): Promise<number> {
  const { target: name, input } = decodeInput(await readFile(file, 'utf8'))
  const target = TARGETS.find((candidate) => candidate.name === name)
  if (target === undefined) throw new RangeError(`no target is called ${name}`)
  const answer = answerTo(input, await target.open(), target)
  console.log(answer.kind === 'refused' ? `${answer.code}: ${answer.message}` : answer.kind)
  if (answer.kind !== 'finding') return 0
  console.log(answer.error)
  return 1
}

function* summaryOf(reports: readonly Report[]): Generator<string> {
  for (const { target, inputs, seconds, accepted, refused, ...rest } of reports) {
    yield `${target}: ${inputs} inputs, ${Math.round(inputs / seconds)} a second, slowest ${rest.slowestMilliseconds.toFixed(0)} ms, RSS ${rest.rss.start} MiB at the start, ${rest.rss.peak} at most`
    yield `  accepted ${accepted}; refused for ${rest.reasons} reasons`
    for (const [code, count] of Object.entries(refused)) yield `  ${code.padEnd(24)}${count}`
    for (const code of rest.unmet) yield `  ${code.padEnd(24)}never`
    for (const { index, kind, detail, file } of rest.findings) {
      yield `  FINDING at ${index}: ${kind}, kept in ${file}`
      yield `    ${detail.replaceAll('\n', '\n    ')}`
    }
  }
  const total = reports.reduce((sum, { inputs }) => sum + inputs, 0)
  const findings = reports.reduce((sum, report) => sum + report.findings.length, 0)
  yield `${total} inputs, ${findings} findings`
}

function isCount(value: number | undefined): value is number {
  return Number.isInteger(value) && value !== undefined && value >= 0 && value < 2 ** 31
}
