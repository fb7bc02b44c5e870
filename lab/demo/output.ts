/**
 * What the demo prints: one line per finished step (duration, actor, action, outcome) and plain lines in
 * between.
 */

/** Runs one step and prints its line. `progress` reports how far a long step has come. */
export type RunStep = <T>(
  actor: string,
  action: string,
  work: (progress: (text: string) => void) => Promise<T>,
  outcome?: (done: T) => string,
) => Promise<T>

export const stepSilently: RunStep = (_actor, _action, work) => work(() => {})

export type DemoOutput = {
  readonly step: RunStep
  readonly print: (...lines: readonly string[]) => void
}

type Stream = {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly write: (text: string) => unknown
}

const ACTOR_WIDTH = 11
const CLEAR = '\r\u001b[K'

export function createOutput(stream: Stream): DemoOutput {
  const print = (...lines: readonly string[]) => {
    for (const line of lines) stream.write(`${line}\n`)
  }
  const printPassing = (text: string): void => {
    // A line longer than the window would wrap, and could not be cleared again.
    if (stream.isTTY === true) stream.write(`${CLEAR}${text.slice(0, (stream.columns ?? 80) - 1)}`)
  }
  const clear = (): void => {
    if (stream.isTTY === true) stream.write(CLEAR)
  }
  const step: RunStep = async (actor, action, work, outcome) => {
    const start = performance.now()
    const sentence = `${actor.padEnd(ACTOR_WIDTH)}${action}`
    const line = (text: string) => `${secondsText(performance.now() - start)}  ${text}`
    printPassing(line(`${sentence} …`))
    const progress = (text: string) => {
      if (stream.isTTY === true) printPassing(line(`${sentence}: ${text}`))
      else print(line(`${' '.repeat(ACTOR_WIDTH)}${text}`))
    }
    try {
      const done = await work(progress)
      const ending = outcome?.(done) ?? ''
      clear()
      print(line(ending === '' ? sentence : `${sentence}: ${ending}`))
      return done
    } catch (error) {
      clear()
      print(line(`${sentence}: failed`))
      throw error
    }
  }
  return { step, print }
}

function secondsText(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`.padStart(8)
}
