/**
 * The running programs: started one by one, watched, stopped in reverse order. If one dies, the deployment
 * ends, or it is started again.
 */
import { abandonable } from '#adapters/system/abandonable.ts'
import { CodedError } from '#core/errors.ts'
import type { LogLine } from './logLine.ts'
import { endedEarly, type ProgramOptions, type RunningProgram, spawnProgram } from './program.ts'

/** A freshness host that starts anew waits for the next minute, in which it may state. */
const READY_MILLISECONDS = 90_000

export type Supervisor = {
  /** Resolves when the program serves. A name can be started again after its program has ended. */
  readonly start: (options: Omit<ProgramOptions, 'logFolder' | 'onLine'>) => Promise<LogLine>
  /** From now on `again` starts a program that ends by itself. If that fails, the deployment ends. */
  readonly revive: (again: (name: string) => Promise<unknown>) => void
  readonly find: (name: string) => RunningProgram | undefined
  /** Aborted by `end`, or as soon as a program ends that was not stopped. Its reason is the error. */
  readonly signal: AbortSignal
  readonly end: (reason: unknown) => void
  /** The result of `work`. Rejects with the signal's reason as soon as it is aborted. */
  readonly guard: <T>(work: Promise<T>) => Promise<T>
  /** Safe to call twice. */
  readonly stopAll: () => Promise<void>
}

export function createSupervisor(
  options: Pick<ProgramOptions, 'logFolder' | 'onLine'> & {
    /** As of the deployment. */
    readonly endsWithProgram?: boolean | undefined
  },
): Supervisor {
  const controller = new AbortController()
  const { signal } = controller
  const guard = <T>(work: Promise<T>): Promise<T> => abandonable(work, signal)
  // In the order of their start.
  const programs = new Map<string, RunningProgram>()

  let again: ((name: string) => Promise<unknown>) | undefined
  const watch = (program: RunningProgram): void => {
    const gone = (error: CodedError): void => {
      if (programs.get(program.name) === program) programs.delete(program.name)
      if (program.stopping() || signal.aborted) return
      if (again !== undefined) again(program.name).catch((cause: unknown) => controller.abort(cause))
      else if (options.endsWithProgram !== false) controller.abort(error)
    }
    program.ended.then(
      (exit) => gone(endedEarly(program.name, exit, program.tail())),
      (cause: unknown) =>
        gone(new CodedError('internal.fault', `${program.name} could not be started`, { cause })),
    )
  }

  return {
    signal,
    guard,
    revive: (starts) => {
      again = starts
    },
    end: (reason) => controller.abort(reason),
    find: (name) => programs.get(name),
    start: async (program) => {
      signal.throwIfAborted()
      if (programs.has(program.name))
        throw new CodedError('internal.fault', `${program.name} is running already`)
      const started = spawnProgram({ ...program, ...options })
      programs.set(program.name, started)
      watch(started)
      return await guard(started.ready(READY_MILLISECONDS))
    },
    stopAll: async () => {
      if (!signal.aborted)
        controller.abort(new CodedError('internal.fault', 'the deployment is being stopped'))
      for (const program of [...programs.values()].reverse()) await program.stop()
    },
  }
}
