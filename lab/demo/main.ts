/** `npm run demo`. Every program that it started has ended when it ends. */
import { CodedError, codeOf, type ErrorCode, errorRow } from '#core/errors.ts'
import { runDemo } from './demo.ts'
import { HELP, readOptions } from './options.ts'
import { createOutput } from './output.ts'
import { summaryJson } from './summary.ts'

const REMEDIES: Partial<Record<ErrorCode, string>> = {
  'usage.invalid': 'add --help to see the options',
  'output.exists': 'choose another folder with --out, or move this one away',
  'input.unreadable': 'choose a file that exists and that you may read',
  'output.unwritable': 'choose a folder with more space with --out, or a smaller file',
  'resource.malformed': 'use FHIR R4 resources in NDJSON, one per line',
  'process.interrupted': 'run it again with another --out',
}

async function main(): Promise<number> {
  const options = await readOptions(process.argv.slice(2), new Date())
  if (options === undefined) {
    process.stdout.write(HELP)
    return 0
  }
  const output = createOutput(options.json ? process.stderr : process.stdout)
  const interruption = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      if (interruption.signal.aborted) process.exit(75)
      interruption.abort(new CodedError('process.interrupted', `interrupted by ${name}`))
    })
  const summary = await runDemo(options, output, interruption.signal)
  if (options.json) process.stdout.write(`${JSON.stringify(summaryJson(summary))}\n`)
  return 0
}

function report(error: unknown): number {
  const code = codeOf(error)
  const message = error instanceof CodedError ? error.message : String(error)
  const remedy =
    REMEDIES[code] ?? 'read the logs in the output folder, fix the cause, run it again with another --out'
  process.stderr.write(`error: ${message} (${code})\n  remedy: ${remedy}\n`)
  return errorRow(code).exit
}

process.exitCode = await main().catch(report)
