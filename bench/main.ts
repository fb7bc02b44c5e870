/**
 * npm run bench -- NAME [--json]. Without a name it lists the benchmarks. Exit code 1 where a bar was missed, 2 where the
 * command line is wrong.
 */
import { parseArgs } from 'node:util'
import { type Benchmark, formatTable, judge } from './benchmark.ts'
import { sealed } from './sealed.ts'
import { snp } from './snp.ts'
import { snpPeers } from './snpPeers.ts'

const BENCHMARKS: readonly Benchmark[] = [sealed, snp, snpPeers]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
})
process.exitCode = await main(positionals, values.json)

async function main([name, ...rest]: readonly string[], asJson: boolean): Promise<number> {
  if (name === undefined) {
    for (const { name, what } of BENCHMARKS) console.log(`${name.padEnd(12)}${what}`)
    return 0
  }
  const benchmark = BENCHMARKS.find((candidate) => candidate.name === name)
  if (benchmark === undefined || rest.length > 0) {
    console.error(`no benchmark is called "${[name, ...rest].join(' ')}"; without a name, all are listed`)
    return 2
  }
  const rows = (await benchmark.run()).map(judge)
  console.log(asJson ? JSON.stringify({ name, rows }, undefined, 2) : formatTable(rows))
  return rows.some((row) => 'ok' in row && row.ok === false) ? 1 : 0
}
