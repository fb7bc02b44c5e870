/**
 * The programs of a deployment, kept running as systemd keeps its units: what ends by itself or by a signal
 * is started again, unless its exit code says that this is in vain. Records every end that no unit should
 * see.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { CodedError } from '#core/errors.ts'
import type { Deployment } from '#lab/demo/deployment.ts'
import type { ProgramExit, RunningProgram } from '#lab/demo/program.ts'
import type { Violation } from './oracle/world.ts'

/** The unit's RestartSec, shortened. */
const RESTART_MS = 400
const READY_MS = 60_000
const POLL_MS = 50
/** The unit's RestartPreventExitStatus. */
const CONFIGURATION = 78
/** What a program may end with by itself: the unit starts it again, and that may help. */
const TRY_AGAIN = 75
/** The simulated processor lives in the emulator. A real one does not vanish with OCI. */
const SIMULATED_DEVICE = /"code":"sev\.(unavailable|busy)"/

type Kept = {
  wanted: boolean
  /** The signals that this pool sent to the running program. */
  readonly signals: NodeJS.Signals[]
  serves: boolean
}

export class Pool {
  readonly #deployment: Deployment
  readonly #kept = new Map<string, Kept>()
  readonly #mayBeKilled = new Set<string>()
  #violations: Violation[] = []

  /** Takes over the running programs. */
  constructor(deployment: Deployment, running: readonly string[]) {
    this.#deployment = deployment
    for (const name of running) {
      this.#kept.set(name, { wanted: true, signals: [], serves: true })
      this.#watch(name)
    }
  }

  get wanted(): readonly string[] {
    return [...this.#kept].filter(([, { wanted }]) => wanted).map(([name]) => name)
  }

  /** Ends that a unit should not see, since the last call. */
  takeViolations(): readonly Violation[] {
    const found = this.#violations
    this.#violations = []
    return found
  }

  /** From now on the kernel may end the program by SIGKILL. */
  allowKills(name: string): void {
    this.#mayBeKilled.add(name)
  }

  start(name: string): void {
    if (this.#kept.get(name)?.wanted) return
    this.#launch(name)
  }

  signal(name: string, signal: NodeJS.Signals): void {
    const program = this.#deployment.program(name)
    if (program === undefined) return
    this.#kept.get(name)?.signals.push(signal)
    program.kill(signal)
  }

  async freeze(name: string, milliseconds: number): Promise<void> {
    const frozen = this.#deployment.program(name)
    frozen?.kill('SIGSTOP')
    await sleep(milliseconds)
    frozen?.kill('SIGCONT')
  }

  /** Ends a program for good, with its drain. */
  async stop(name: string): Promise<void> {
    const kept = this.#kept.get(name)
    if (kept === undefined) return
    kept.wanted = false
    kept.signals.push('SIGTERM')
    await this.#deployment.program(name)?.stop()
  }

  /** From now on nothing is started again. */
  close(): void {
    for (const kept of this.#kept.values()) kept.wanted = false
  }

  /** Resolves when every wanted program serves. */
  async settle(): Promise<void> {
    const deadline = performance.now() + READY_MS
    for (;;) {
      const absent = this.absent()
      if (absent.length === 0) return
      if (performance.now() > deadline)
        throw new CodedError('internal.fault', `${absent.join(', ')} not ready after ${READY_MS / 1000} s`)
      await sleep(POLL_MS)
    }
  }

  /** The wanted programs that do not serve. */
  absent(): readonly string[] {
    const serves = (name: string) =>
      this.#deployment.program(name) !== undefined && this.#kept.get(name)?.serves === true
    return this.wanted.filter((name) => !serves(name))
  }

  #launch(name: string): void {
    const ready = this.#deployment.start(name)
    const kept: Kept = { wanted: true, signals: [], serves: false }
    this.#kept.set(name, kept)
    ready.then(
      () => {
        kept.serves = true
      },
      // A start that fails is told by the end of the program.
      () => {},
    )
    this.#watch(name)
  }

  #watch(name: string): void {
    const program = this.#deployment.program(name)
    const kept = this.#kept.get(name)
    if (program === undefined || kept === undefined) return
    program.ended.then(
      (exit) => this.#ended(program, kept, exit),
      () => this.#ended(program, kept, { code: null, signal: null }),
    )
  }

  async #ended(program: RunningProgram, kept: Kept, exit: ProgramExit): Promise<void> {
    const { name } = program
    const verdict = judgeEnd(exit, kept, program.tail())
    const isAllowed = exit.signal === 'SIGKILL' && this.#mayBeKilled.has(name)
    if (verdict !== undefined && !isAllowed)
      this.#violations.push({ invariant: verdict, subject: name, text: `${endOf(exit)}\n${program.tail()}` })
    await sleep(RESTART_MS)
    // Another start may have come first, or a stop.
    if (kept.wanted && this.#kept.get(name) === kept && !this.#deployment.signal.aborted) this.#launch(name)
  }
}

/** The invariant that this end violates; undefined for an end that its unit mends. */
export function judgeEnd(
  { code, signal }: ProgramExit,
  { signals, serves }: Pick<Kept, 'signals' | 'serves'>,
  tail: string,
): string | undefined {
  if (signals.includes('SIGKILL')) return undefined
  // Until Node has loaded the first module, SIGTERM ends it as any process.
  if (signal === 'SIGTERM' && signals.includes(signal) && !serves) return undefined
  if (signal !== null) return 'program.killed'
  if (signals.includes('SIGTERM')) return code === 0 || code === TRY_AGAIN ? undefined : 'program.stop'
  if (code === CONFIGURATION) return SIMULATED_DEVICE.test(tail) ? undefined : 'program.given-up'
  return code === TRY_AGAIN ? undefined : 'program.ended'
}

function endOf({ code, signal }: ProgramExit): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`
}
