/** Collects the log lines of all programs, and lets a step wait for one of them. */
import { type LogLine, messageOf } from './logLine.ts'

export type ProgramLine = { readonly program: string; readonly line: LogLine }

export type LogWatch = {
  readonly onLine: (program: string, line: LogLine) => void
  /** The first line with this message and these fields, among those logged already and those to come. */
  readonly waitFor: (message: string, fields: LogLine) => Promise<ProgramLine>
}

type Waiting = { readonly matches: (line: LogLine) => boolean; readonly found: (match: ProgramLine) => void }

export function createLogWatch(): LogWatch {
  // A demo logs some hundred lines. All are kept, because a step may begin to wait after its line was logged.
  const lines: ProgramLine[] = []
  const waiting = new Set<Waiting>()
  return {
    onLine: (program, line) => {
      lines.push({ program, line })
      for (const each of waiting)
        if (each.matches(line)) {
          waiting.delete(each)
          each.found({ program, line })
        }
    },
    waitFor: (message, fields) => {
      const matches = (line: LogLine) =>
        messageOf(line) === message && Object.entries(fields).every(([field, value]) => line[field] === value)
      const known = lines.find(({ line }) => matches(line))
      if (known !== undefined) return Promise.resolve(known)
      return new Promise((found) => waiting.add({ matches, found }))
    },
  }
}
