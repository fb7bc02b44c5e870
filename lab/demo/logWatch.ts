/** What the programs log while they run, for whoever waits for one line of it. */
import { type LogLine, messageOf } from './program.ts'

/** A line, and which program said it. */
export type Said = { readonly program: string; readonly line: LogLine }

export type LogWatch = {
  readonly onLine: (program: string, line: LogLine) => void
  /** The first line with this message and these fields, from the beginning of the log on. */
  readonly saying: (message: string, fields: LogLine) => Promise<Said>
}

type Wanted = { readonly matches: (line: LogLine) => boolean; readonly found: (said: Said) => void }

export function createLogWatch(): LogWatch {
  // A demonstration logs some hundred lines; all of them are kept, since who waits may come late.
  const said: Said[] = []
  const waiting = new Set<Wanted>()
  return {
    onLine: (program, line) => {
      said.push({ program, line })
      for (const wanted of waiting)
        if (wanted.matches(line)) {
          waiting.delete(wanted)
          wanted.found({ program, line })
        }
    },
    saying: (message, fields) => {
      const matches = (line: LogLine) =>
        messageOf(line) === message && Object.entries(fields).every(([field, value]) => line[field] === value)
      const known = said.find(({ line }) => matches(line))
      if (known !== undefined) return Promise.resolve(known)
      return new Promise((found) => waiting.add({ matches, found }))
    },
  }
}
