/** Mutants that change nothing that anybody could notice, each with the reason. What is not here and survives is a missing test. */
import type { Mutant } from './mutant.ts'

type Row = {
  readonly file: string
  /** What stands in the line, without the blanks around it. */
  readonly line: string
  /** What is replaced → by what; all of the line where it is `*`. */
  readonly change: string
  readonly reason: string
}

export const EQUIVALENTS: readonly Row[] = []

export function reasonOf(mutant: Mutant, rows = EQUIVALENTS): string | undefined {
  const change = `${mutant.was} → ${mutant.replacement}`
  return rows.find(
    (row) =>
      row.file === mutant.file && row.line === mutant.text && (row.change === '*' || row.change === change),
  )?.reason
}
