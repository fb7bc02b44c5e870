/** The JSON lines that programs log. */

export type LogLine = Readonly<Record<string, unknown>>

/** The line as an object, or undefined if it is not one JSON object. */
export function parseLine(text: string): LogLine | undefined {
  if (!text.startsWith('{')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    // A text that begins with a brace and parses is an object.
    return value as LogLine
  } catch {
    return undefined
  }
}

/** The message of a log line. A program that prints its readiness on stdout names this field `event`. */
export function messageOf(line: LogLine): unknown {
  return line['event'] ?? line['msg']
}
