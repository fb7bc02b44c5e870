/** A change of the source that removes a check or moves its limit. */
export type Change = {
  readonly operator: string
  /** The function, method or constant that holds it; the nearest one with a name. */
  readonly within: string
  /** Offsets in the file, in characters. */
  readonly start: number
  readonly end: number
  readonly replacement: string
}

export type Mutant = Change & {
  /** Path from the root of the repository. */
  readonly file: string
  /** Number of the line, from 1; `text` is its content without blanks at the ends. */
  readonly line: number
  readonly text: string
  /** The replaced text, in one line. */
  readonly was: string
}

export type Outcome =
  | { readonly kind: 'killed'; readonly by: string }
  | { readonly kind: 'equivalent'; readonly reason: string }
  | { readonly kind: 'survived' }

export function applied(source: string, { start, end, replacement }: Change): string {
  return source.slice(0, start) + replacement + source.slice(end)
}

export function describe({ file, line, operator, was, replacement }: Mutant): string {
  return `${file}:${line}  ${operator}: ${was} → ${replacement || 'nothing'}`
}
