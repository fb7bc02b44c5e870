/** `npm run fuzz`: feeds changed inputs to every parser of untrusted bytes, or replays one kept input. */
import { randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endWithUsage, readCommand, readNumber } from '../toolCommand.ts'
import { decodeInput, type FuzzReport, fuzz, USUAL_LIMITS } from './campaign.ts'
import { answerTo, type Target } from './target.ts'
import { TARGETS } from './targets.ts'

const DEFAULT_INPUTS = 10_000_000
const MODULE = new URL('./targets.ts', import.meta.url).href
const PROGRESS_MILLISECONDS = 5000
const FOLDER = join(tmpdir(), 'confidential-worker-fuzz')

const COUNT = {
  expected: 'a whole number from 0 to 2147483647',
  accept: (value: number) => Number.isInteger(value) && value >= 0 && value < 2 ** 31,
}
const DURATION = { expected: 'a number above 0', accept: (value: number) => value > 0 }

const HELP = `usage: npm run fuzz -- [TARGET] [--inputs N] [--seed S] [--from I] [--seconds T] [--json]
       npm run fuzz -- --replay FILE

Feeds changed inputs to TARGET, or to all targets in proportion to their weight. A finding is an undocumented
code, an accepted input that breaks a rule, a hang or growing memory; its input is kept in
${FOLDER}. The same seed gives the same inputs.

targets:
${TARGETS.map(({ name, what }) => `  ${name.padEnd(14)}${what}`).join('\n')}

options:
  --inputs N     inputs over all targets, by default ${DEFAULT_INPUTS}
  --seed S       seed of the inputs, by default random; it is printed
  --from I       index of the first input, by default 0
  --seconds T    stop after T seconds, shared by all targets
  --replay FILE  run one kept input again
  --json         print the reports as JSON
  --help         print this text

exit codes:
  0  no finding
  1  a finding
  2  the command line is wrong`

const { values, positionals } = readCommand(HELP, {
  allowPositionals: true,
  options: {
    inputs: { type: 'string', default: String(DEFAULT_INPUTS) },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    from: { type: 'string', default: '0' },
    seconds: { type: 'string', default: 'Infinity' },
    replay: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
process.exitCode =
  values.replay === undefined ? await main(positionals) : await replay(values.replay, positionals)

async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (rest.length > 0) endWithUsage(`one target per run, or none for all, not ${[name, ...rest].join(', ')}`)
  const targets = name === undefined ? TARGETS : [targetNamed(name)]
  const inputs = readNumber('inputs', values.inputs, COUNT)
  const seed = readNumber('seed', values.seed, COUNT)
  const from = readNumber('from', values.from, COUNT)
  const seconds = readNumber('seconds', values.seconds, DURATION)
  console.error(`seed ${seed}`)
  const weights = targets.reduce((sum, { weight }) => sum + weight, 0)
  const reports: FuzzReport[] = []
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
): Promise<FuzzReport> {
  let told = 0
  const report = await fuzz(target, {
    ...plan,
    ...USUAL_LIMITS,
    module: MODULE,
    folder: FOLDER,
    onProgress: (index) => {
      if (performance.now() - told < PROGRESS_MILLISECONDS) return
      told = performance.now()
      console.error(`${target.name}: ${index - plan.from} of ${share}`)
    },
  })
  console.error(`${target.name}: ${report.inputs} inputs, ${report.findings.length} findings`)
  return report
}

async function replay(file: string, names: readonly string[]): Promise<number> {
  if (names.length > 0) endWithUsage(`--replay takes its target from the file, not from "${names.join(' ')}"`)
  const { target: name, input } = await readKept(file)
  const target = targetNamed(name)
  const answer = await answerTo(input, await target.open(), target)
  console.log(answer.kind === 'refused' ? `${answer.code}: ${answer.message}` : answer.kind)
  if (answer.kind !== 'finding') return 0
  console.log(answer.error)
  return 1
}

async function readKept(file: string): Promise<ReturnType<typeof decodeInput>> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    return endWithUsage(`--replay: ${error instanceof Error ? error.message : String(error)}`)
  }
  try {
    return decodeInput(text)
  } catch {
    return endWithUsage(`--replay: ${file} is not an input that a finding kept`)
  }
}

function targetNamed(name: string): Target {
  const names = TARGETS.map((target) => target.name).join(', ')
  return (
    TARGETS.find((target) => target.name === name) ??
    endWithUsage(`no target is named "${name}", expected one of ${names}`)
  )
}

function* summaryOf(reports: readonly FuzzReport[]): Generator<string> {
  for (const { target, inputs, seconds, accepted, refused, ...rest } of reports) {
    yield `${target}: ${inputs} inputs, ${Math.round(inputs / seconds)} per second, slowest ${rest.slowestMilliseconds.toFixed(0)} ms, RSS ${rest.rss.start} MiB at the start, at most ${rest.rss.peak}`
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
