/**
 * A table of counts: the only kind of result whose small cells can be checked without trusting the workload.
 * It is closed: every field has a grammar, so free text has no room. It has no margins: each resource is
 * counted in at most one cell, so no cell can be computed from the others.
 */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { count, name, version1 } from '../fields.ts'
import { Disclosure } from './contract.ts'

const Cell = z.strictObject({
  resourceType: z.string().regex(/^[A-Z][A-Za-z]{0,63}$/),
  /** Code system and code; both null for resources that have none. */
  system: z
    .string()
    .regex(/^[a-z][a-z0-9+.-]*:[!-~]{1,200}$/)
    .nullable(),
  code: z
    .string()
    .regex(/^[!-~]{1,64}$/)
    .nullable(),
  /** Null for resources without a date. */
  year: z
    .string()
    .regex(/^\d{4}$/)
    .nullable(),
  /** Number of resources. */
  count,
})
export type Cell = z.output<typeof Cell>

const Schema = z.strictObject({
  v: version1,
  workload: name,
  unit: z.strictObject({ count: z.literal('resources') }),
  /**
   * Of the contract. Cells of fewer than `k` persons are left out of the table, and it does not say whether
   * there were any: with a narrow question, that would be a yes or no about one person.
   */
  disclosure: Disclosure,
  /** Sorted by resource type, system, code and year, null first. No two cells have the same four values. */
  table: z.array(Cell).max(1_000_000),
})
export type CountTable = z.output<typeof Schema>

export const COUNT_TABLE_CONTENT_TYPE = 'application/json'

export const CountTableFormat = defineFormat({
  name: 'count table',
  maxBytes: 512 * 1024 * 1024,
  code: 'output.violated',
  schema: Schema,
})

/**
 * The order of a table's cells: negative if `a` comes before `b`, zero if both are about the same subject.
 */
export function compareCells(a: Cell, b: Cell): number {
  for (const field of ['resourceType', 'system', 'code', 'year'] as const) {
    const [one, other] = [a[field] ?? '', b[field] ?? '']
    if (one !== other) return one < other ? -1 : 1
  }
  return 0
}
