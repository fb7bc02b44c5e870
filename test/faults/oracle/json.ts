/** Reads JSON that others wrote, without their schemas: a field that is not there is undefined. */

export type Json = Readonly<Record<string, unknown>>

/** An object, or undefined for any other text. */
export function parseObject(text: string): Json | undefined {
  try {
    return objectOf(JSON.parse(text))
  } catch {
    return undefined
  }
}

export function objectOf(value: unknown): Json | undefined {
  // Every field of it is read as unknown.
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : Number.NaN
}

export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

/** The lines of an emulator's journal. A last line without its newline was never acknowledged. */
export function linesOf(journal: string): readonly string[] {
  return journal.split('\n').slice(0, -1)
}
