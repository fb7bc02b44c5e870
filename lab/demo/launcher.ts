/** How each program is started: its file, its parameters, its environment. */
import { z } from 'zod'
import { checkShape } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { FUNCTION, REGION } from './names.ts'
import type { LogLine, ProgramOptions } from './program.ts'
import type { Supervisor } from './supervisor.ts'

export const EmulatorReady = z.looseObject({
  endpoint: z.string(),
  /** By the OCID of the instance, of the function. */
  imds: z.record(z.string(), z.string()),
  functions: z.record(z.string(), z.object({ rpst: z.string(), privatePem: z.string() })),
  amdFolder: z.string(),
  kds: z.string(),
})
export type EmulatorReady = z.output<typeof EmulatorReady>

const MonitorReady = z.looseObject({ monitor: z.string().startsWith('http://') })
const HTTP_MILLISECONDS = 10_000

export type Launch = {
  readonly emulator: () => Promise<EmulatorReady>
  /** `emulator`, `verifier`, `function`, `worker-<n>`; returns the ready line. */
  readonly start: (name: string) => Promise<LogLine>
  readonly metricsOf: (name: string) => Promise<string>
}

export function createLaunch(
  supervisor: Supervisor,
  site: {
    readonly configOf: (name: string) => string
    readonly emulatorFolder: string
    readonly functionSocket: string
  },
): Launch {
  const readyLines = new Map<string, LogLine>()
  let emulatorReady: EmulatorReady | undefined

  const start = async (name: string): Promise<LogLine> => {
    const line = await supervisor.start({ name, ...programOf(name) })
    readyLines.set(name, line)
    return line
  }

  const programOf = (name: string): Omit<ProgramOptions, 'name' | 'logFolder' | 'onLine'> => {
    const parameters = ['--config', site.configOf(name)]
    if (name === 'emulator')
      return { file: 'lab/emulator/main.ts', parameters: [...parameters, '--data', site.emulatorFolder] }
    if (name === 'function')
      return { file: 'src/function/main.ts', parameters: [], environment: functionEnvironment() }
    return { file: name === 'verifier' ? 'src/verifier/main.ts' : 'src/worker/main.ts', parameters }
  }

  /** All that a function on OCI would find, and nothing of ours. */
  const functionEnvironment = () => {
    const principal = emulatorReady?.functions[FUNCTION]
    if (principal === undefined) throw new CodedError('internal.fault', 'the emulator has no ingest function')
    return {
      FN_FORMAT: 'http-stream',
      FN_LISTENER: `unix:${site.functionSocket}`,
      OCI_RESOURCE_PRINCIPAL_VERSION: '2.2',
      OCI_RESOURCE_PRINCIPAL_RPST: principal.rpst,
      OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM: principal.privatePem,
      OCI_RESOURCE_PRINCIPAL_REGION: REGION,
      CW_CONFIG: site.configOf('function'),
    }
  }

  return {
    start,
    emulator: async () => {
      emulatorReady = checkShape(EmulatorReady, await start('emulator'), 'ready line', 'internal.fault')
      return emulatorReady
    },
    metricsOf: async (name) => {
      const ready = MonitorReady.safeParse(readyLines.get(name))
      if (!ready.success) throw new CodedError('internal.fault', `${name} has said nothing of its metrics`)
      const response = await fetch(`${ready.data.monitor}/metrics`, {
        signal: AbortSignal.timeout(HTTP_MILLISECONDS),
      })
      return await response.text()
    },
  }
}

/** Arms and disarms the emulator's faults. */
export function createFaultControl(endpoint: string): {
  readonly arm: (fault: object) => Promise<void>
  readonly clearFaults: () => Promise<void>
} {
  const call = async (method: string, fault?: object): Promise<void> => {
    const { ok, status } = await fetch(`${endpoint}/emulator/faults`, {
      method,
      ...(fault !== undefined && { body: JSON.stringify(fault) }),
      signal: AbortSignal.timeout(HTTP_MILLISECONDS),
    })
    if (!ok) throw new CodedError('internal.fault', `the emulator answered ${status} to a fault`)
  }
  return { arm: (fault) => call('POST', fault), clearFaults: () => call('DELETE') }
}
