/** A change of the source that takes a check away, or moves its limit. */
export type Change = {
  readonly operator: string
  /** Characters of the file, from and to. */
  readonly start: number
  readonly end: number
  readonly replacement: string
}

export type Mutant = Change & {
  /** From the root of the repository. */
  readonly file: string
  /** From 1, and what stands there. */
  readonly line: number
  readonly text: string
  /** What is replaced, in one line. */
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
