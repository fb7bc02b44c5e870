/** The story as it is told: one line for each step, when it is done; who, what, ids, how long. */

/** Tells who does what while it is done. `progress` says how far a long step has come. */
export type Narrator = <T>(
  who: string,
  what: string,
  work: (progress: (text: string) => void) => Promise<T>,
  detail?: (done: T) => string,
) => Promise<T>

export const silently: Narrator = (_who, _what, work) => work(() => {})

type Stream = {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly write: (text: string) => unknown
}

const WHO_WIDTH = 11
const CLEAR = '\r\u001b[K'

export type Terminal = {
  readonly narrate: Narrator
  /** Lines as they are, between steps. */
  readonly say: (...lines: readonly string[]) => void
}

export function createTerminal(stream: Stream): Terminal {
  const say = (...lines: readonly string[]) => {
    for (const line of lines) stream.write(`${line}\n`)
  }
  const passing = (text: string): void => {
    // A line that is longer than the window could not be cleared again.
    if (stream.isTTY === true) stream.write(`${CLEAR}${text.slice(0, (stream.columns ?? 80) - 1)}`)
  }
  const narrate: Narrator = async (who, what, work, detail) => {
    const start = performance.now()
    const sentence = `${who.padEnd(WHO_WIDTH)}${what}`
    const line = (text: string) => `${secondsText(performance.now() - start)}  ${text}`
    passing(line(`${sentence} …`))
    const progress = (text: string) => {
      if (stream.isTTY === true) passing(line(`${sentence}: ${text}`))
      else say(line(`${' '.repeat(WHO_WIDTH)}${text}`))
    }
    try {
      const done = await work(progress)
      const ending = detail?.(done) ?? ''
      if (stream.isTTY === true) stream.write(CLEAR)
      say(line(ending === '' ? sentence : `${sentence}: ${ending}`))
      return done
    } catch (error) {
      if (stream.isTTY === true) stream.write(CLEAR)
      say(line(`${sentence}: failed`))
      throw error
    }
  }
  return { narrate, say }
}

function secondsText(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`.padStart(8)
}

export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB'] as const
  const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return power === 0 ? `${bytes} bytes` : `${(bytes / 1024 ** power).toFixed(1)} ${units[power]}`
}
