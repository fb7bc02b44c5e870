/** The emulator as a program: prints one JSON line when it serves, ends on SIGTERM. */
import { readFile } from 'node:fs/promises'
import { parseJson } from '#core/canonical.ts'
import { CodedError, codeOf, errorRow } from '#core/errors.ts'
import { parseEmulatorConfig } from './config.ts'
import { startEmulator } from './emulator.ts'
import { type EmulatorArguments, HELP, readArguments } from './options.ts'

function log(fields: Readonly<Record<string, unknown>>): void {
  process.stderr.write(
    `${JSON.stringify({ time: new Date().toISOString(), program: 'emulator', ...fields })}\n`,
  )
}

function logFault(event: string, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  log({ level: 'error', event, code: codeOf(error), message })
}

async function readConfig(file: string): Promise<unknown> {
  try {
    return parseJson(await readFile(file), 'emulator configuration')
  } catch (cause) {
    throw new CodedError('config.invalid', `emulator configuration ${file} cannot be read`, { cause })
  }
}

async function serve({ config, data }: EmulatorArguments): Promise<void> {
  const emulator = await startEmulator({
    config: parseEmulatorConfig(await readConfig(config)),
    folder: data,
    now: () => Date.now(),
    onFault: (error) => logFault('call.failed', error),
  })
  const { endpoint, imds, functions, kds, amdFolder } = emulator
  const ready = { event: 'ready', pid: process.pid, endpoint, imds, functions, kds, amdFolder }
  process.stdout.write(`${JSON.stringify(ready)}\n`)

  let ending = false
  const end = (signal: NodeJS.Signals): void => {
    // The second signal ends at once.
    if (ending) process.exit(1)
    ending = true
    log({ level: 'info', event: 'shutdown', signal })
    emulator.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logFault('shutdown.failed', error)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}

/** A mistake on the command line is answered with a sentence; every later failure is a line of the log. */
function fail(error: unknown): never {
  const code = codeOf(error)
  const { exit, remedy } = errorRow(code)
  if (error instanceof CodedError && code === 'usage.invalid')
    process.stderr.write(`error: ${error.message} (${code})\n  remedy: ${remedy}\n`)
  else logFault('start.failed', error)
  process.exit(exit)
}

try {
  const options = readArguments(process.argv.slice(2))
  if (options === undefined) process.stdout.write(HELP)
  else await serve(options)
} catch (error) {
  fail(error)
}
