/** `npm run demo`. Every program that it started has ended when it ends. */
import { CodedError, codeOf, type ErrorCode, errorRow } from '#core/errors.ts'
import { runDemo } from './demo.ts'
import { HELP, readOptions } from './options.ts'
import { createOutput } from './output.ts'
import { summaryJson } from './summary.ts'

/** Codes whose remedy the table of codes knows; every other fault comes from a program, whose log says more. */
const OF_THE_COMMAND: readonly ErrorCode[] = [
  'usage.invalid',
  'output.exists',
  'input.unreadable',
  'output.unwritable',
]
const PARENT_MILLISECONDS = 500
const READ_THE_LOGS = 'read the logs in the output folder, fix the cause, run it again with another --out'
/** The folder of a demo that was interrupted exists, and the input of a demo is not sealed yet. */
const REMEDIES: Partial<Record<ErrorCode, string>> = {
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
  if (process.env['npm_lifecycle_event'] === 'demo') watchParent(interruption)
  const summary = await runDemo(options, output, interruption.signal)
  if (options.json) process.stdout.write(`${JSON.stringify(summaryJson(summary))}\n`)
  return 0
}

/** SIGKILL of npm reaches npm only. A demo that someone started otherwise may outlive its parent. */
function watchParent(interruption: AbortController): void {
  const parent = process.ppid
  const check = () => {
    if (process.ppid !== parent)
      interruption.abort(new CodedError('process.interrupted', 'interrupted by the end of npm'))
  }
  setInterval(check, PARENT_MILLISECONDS).unref()
}

function report(error: unknown): number {
  const code = codeOf(error)
  const message = error instanceof CodedError ? error.message : String(error)
  const row = errorRow(code)
  const remedy = OF_THE_COMMAND.includes(code) ? row.remedy : (REMEDIES[code] ?? READ_THE_LOGS)
  process.stderr.write(`error: ${message} (${code})\n  remedy: ${remedy}\n`)
  return row.exit
}

process.exitCode = await main().catch(report)
