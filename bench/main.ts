/** `npm run bench`: runs one benchmark and compares it with its bars. */
import { endWithUsage, readCommand } from '../test/toolCommand.ts'
import { type Benchmark, formatTable, judge } from './benchmark.ts'
import { floods } from './floods.ts'
import { memory } from './memory.ts'
import { release } from './release.ts'
import { scopes } from './scopes.ts'
import { sealed } from './sealed.ts'
import { snp } from './snp.ts'
import { snpPeers } from './snpPeers.ts'

const BENCHMARKS: readonly Benchmark[] = [release, floods, scopes, sealed, memory, snp, snpPeers]
const LIST = BENCHMARKS.map(({ name, what }) => `  ${name.padEnd(12)}${what}`).join('\n')

const HELP = `usage: npm run bench -- [NAME] [--json]

Measures NAME beside a limit or a peer in the same run, and prints the ratio.
Without NAME it lists the benchmarks:

${LIST}

options:
  --json   print the rows as JSON
  --help   print this text

exit codes:
  0  every bar is reached
  1  a bar is missed
  2  the command line is wrong`

const { values, positionals } = readCommand(HELP, {
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
})
process.exitCode = await main(positionals, values.json)

async function main([name, ...rest]: readonly string[], asJson: boolean): Promise<number> {
  if (name === undefined) {
    console.log(LIST)
    return 0
  }
  if (rest.length > 0) endWithUsage(`one benchmark per run, not ${[name, ...rest].join(', ')}`)
  const benchmark = BENCHMARKS.find((candidate) => candidate.name === name)
  if (benchmark === undefined) {
    const names = BENCHMARKS.map((candidate) => candidate.name).join(', ')
    return endWithUsage(`no benchmark is named "${name}", expected one of ${names}`)
  }
  const rows = (await benchmark.run()).map(judge)
  console.log(asJson ? JSON.stringify({ name, rows }, undefined, 2) : formatTable(rows))
  return rows.some((row) => 'ok' in row && row.ok === false) ? 1 : 0
}
