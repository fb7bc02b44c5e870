/**
 * A table of counts: the one shape of result whose small cells can be judged by something else than the workload that
 * made it. Closed: every field has a grammar, so there is no place for a text. No margins: each resource is counted in
 * one cell at most, so no cell can be had from the others.
 */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { count, name, version1 } from '../fields.ts'

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
  /** Resources. */
  count,
})
export type Cell = z.output<typeof Cell>

const Schema = z.strictObject({
  v: version1,
  workload: name,
  /** What `count` counts, and what the smallest cell is about. */
  unit: z.strictObject({ count: z.literal('resources'), minimumCell: z.literal('persons') }),
  /** Cells of fewer persons than this are not in the table. */
  minimumCell: count,
  /** That there were such cells; not how many, nor which. */
  cellsWithheld: z.boolean(),
  /** By resource type, system, code and year, null first; no two cells are about the same. */
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

/** The order of a table's cells: less than zero where `a` stands before `b`, zero where they are about the same. */
export function compareCells(a: Cell, b: Cell): number {
  for (const field of ['resourceType', 'system', 'code', 'year'] as const) {
    const [one, other] = [a[field] ?? '', b[field] ?? '']
    if (one !== other) return one < other ? -1 : 1
  }
  return 0
}
