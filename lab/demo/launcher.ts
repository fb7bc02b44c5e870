/** Starts each program of a deployment by name, with its main file, its parameters and its environment. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { checkShape } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import type { LogLine } from './logLine.ts'
import { FUNCTION, REGION } from './names.ts'
import type { ProgramOptions } from './program.ts'
import type { Supervisor } from './supervisor.ts'

export const EmulatorReady = z.looseObject({
  endpoint: z.string(),
  /** By the OCID of the instance. */
  imds: z.record(z.string(), z.string()),
  /** By the OCID of the function. */
  functions: z.record(z.string(), z.object({ rpst: z.string(), privatePem: z.string() })),
  amdFolder: z.string(),
  kds: z.string(),
})
export type EmulatorReady = z.output<typeof EmulatorReady>

const MonitorReady = z.looseObject({ monitor: z.string().startsWith('http://') })
const HTTP_MILLISECONDS = 10_000

export type Launcher = {
  readonly startEmulator: () => Promise<EmulatorReady>
  /**
   * `emulator`, `freshness`, `verifier`, `verifier-<n>`, `function` or a guest; returns the ready line, which
   * of `freshness` is its first statement.
   */
  readonly start: (name: string) => Promise<LogLine>
  readonly metricsOf: (name: string) => Promise<string>
}

export function createLauncher(
  supervisor: Supervisor,
  files: {
    readonly configOf: (name: string) => string
    readonly emulatorFolder: string
    /** Gets `<name>.pid` of each program that serves, as `/run` does from systemd. */
    readonly runFolder: string
    readonly functionSocket: string
  },
): Launcher {
  const readyLines = new Map<string, LogLine>()
  let emulatorReady: EmulatorReady | undefined

  const start = async (name: string): Promise<LogLine> => {
    const line = await supervisor.start({ name, ...programOf(name) })
    readyLines.set(name, line)
    const running = supervisor.find(name)
    const pidFile = join(files.runFolder, `${name}.pid`)
    await writeFile(pidFile, `${running?.pid}\n`)
    const gone = () => rm(pidFile, { force: true })
    running?.ended.then(gone, gone)
    return line
  }

  const programOf = (name: string): Omit<ProgramOptions, 'name' | 'logFolder' | 'onLine'> => {
    const parameters = ['--config', files.configOf(name)]
    if (name === 'emulator')
      return { file: 'lab/emulator/main.ts', parameters: [...parameters, '--data', files.emulatorFolder] }
    if (name === 'freshness')
      return {
        file: 'src/cli/main.ts',
        parameters: ['freshness', ...parameters, '--every', '60', '--json'],
        isReady: (line) => 'statement' in line,
      }
    if (name === 'function')
      return { file: 'src/function/main.ts', parameters: [], environment: functionEnvironment() }
    return { file: name.startsWith('verifier') ? 'src/verifier/main.ts' : 'src/worker/main.ts', parameters }
  }

  /** The whole environment: what OCI gives to a function, and nothing inherited. */
  const functionEnvironment = () => {
    const principal = emulatorReady?.functions[FUNCTION]
    if (principal === undefined) throw new CodedError('internal.fault', 'the emulator has no ingest function')
    return {
      HOME: '/nonexistent',
      FN_FORMAT: 'http-stream',
      FN_LISTENER: `unix:${files.functionSocket}`,
      OCI_RESOURCE_PRINCIPAL_VERSION: '2.2',
      OCI_RESOURCE_PRINCIPAL_RPST: principal.rpst,
      OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM: principal.privatePem,
      OCI_RESOURCE_PRINCIPAL_REGION: REGION,
      CW_CONFIG: files.configOf('function'),
    }
  }

  return {
    start,
    startEmulator: async () => {
      emulatorReady = checkShape(EmulatorReady, await start('emulator'), 'ready line', 'internal.fault')
      return emulatorReady
    },
    metricsOf: async (name) => {
      const ready = MonitorReady.safeParse(readyLines.get(name))
      if (!ready.success)
        throw new CodedError('internal.fault', `the ready line of ${name} names no monitor for its metrics`)
      const response = await fetch(`${ready.data.monitor}/metrics`, {
        signal: AbortSignal.timeout(HTTP_MILLISECONDS),
      })
      return await response.text()
    },
  }
}
