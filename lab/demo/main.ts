/** `npm run demo`. Ends with everything shut down, whatever happens. */
import { CodedError, codeOf, type ErrorCode, errorRow } from '#core/errors.ts'
import { runDemo } from './demo.ts'
import { HELP, readOptions } from './options.ts'
import { createTerminal } from './output.ts'
import { summaryJson } from './summary.ts'

const REMEDIES: Partial<Record<ErrorCode, string>> = {
  'usage.invalid': 'add --help to see what it takes',
  'output.exists': 'name another folder with --out, or move that one away',
  'input.unreadable': 'name a file that is there and that you may read',
  'output.unwritable': 'name a folder with more room with --out, or take a smaller file',
  'resource.malformed': 'give FHIR R4 resources in NDJSON, one a line',
  'process.interrupted': 'run it again, with another --out',
}

async function main(): Promise<number> {
  const options = await readOptions(process.argv.slice(2), new Date())
  if (options === undefined) {
    process.stdout.write(HELP)
    return 0
  }
  const terminal = createTerminal(options.json ? process.stderr : process.stdout)
  const interruption = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      if (interruption.signal.aborted) process.exit(75)
      interruption.abort(new CodedError('process.interrupted', `${name} came`))
    })
  const summary = await runDemo(options, terminal, interruption.signal)
  if (options.json) process.stdout.write(`${JSON.stringify(summaryJson(summary))}\n`)
  return 0
}

function report(error: unknown): number {
  const code = codeOf(error)
  const message = error instanceof CodedError ? error.message : String(error)
  const remedy =
    REMEDIES[code] ??
    'look at the logs in the output folder; run it again with another --out when it is mended'
  process.stderr.write(`error: ${message} (${code})\n  remedy: ${remedy}\n`)
  return errorRow(code).exit
}

process.exitCode = await main().catch(report)
