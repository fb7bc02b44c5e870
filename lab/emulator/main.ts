/** `confidential-worker emulator --configFile FILE --data DIR`: prints one JSON line when it serves, ends on SIGTERM. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { parseJson } from '#core/canonical.ts'
import { CodedError, codeOf, errorRow } from '#core/errors.ts'
import { parseEmulatorConfig } from './config.ts'
import { startEmulator } from './emulator.ts'

function log(fields: Readonly<Record<string, unknown>>): void {
  process.stderr.write(
    `${JSON.stringify({ time: new Date().toISOString(), program: 'emulator', ...fields })}\n`,
  )
}

function logFault(event: string, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  log({ level: 'error', event, code: codeOf(error), message })
}

function readArguments(): { readonly configFile: string; readonly data: string } {
  try {
    const { values } = parseArgs({ options: { configFile: { type: 'string' }, data: { type: 'string' } } })
    const { configFile, data } = values
    if (configFile === undefined || data === undefined) throw new Error('--configFile and --data are needed')
    return { configFile, data }
  } catch (cause) {
    throw new CodedError('usage.invalid', 'usage: emulator --configFile FILE --data DIR', { cause })
  }
}

async function readConfig(file: string): Promise<unknown> {
  try {
    return parseJson(await readFile(file), 'emulator configuration')
  } catch (cause) {
    throw new CodedError('config.invalid', `emulator configuration ${file} cannot be read`, { cause })
  }
}

async function main(): Promise<void> {
  const { configFile, data } = readArguments()
  const config = parseEmulatorConfig(await readConfig(configFile))
  const emulator = await startEmulator({
    config,
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

main().catch((error: unknown) => {
  logFault('start.failed', error)
  process.exit(errorRow(codeOf(error)).exit)
})
