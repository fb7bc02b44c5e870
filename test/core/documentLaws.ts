/** What holds for every document: no field more at any depth, and each limit of a field exact. */
import assert from 'node:assert/strict'
import type { z } from 'zod'
import { canonicalBytes, type Json } from '#core/canonical.ts'

/** A document is accepted as it is, and refused with an unknown field in any of its objects. */
export function expectClosed(schema: z.ZodType, good: unknown): void {
  const json = JSON.parse(canonicalBytes(good).toString()) as Json
  assert.deepEqual(schema.safeParse(json).error, undefined)
  for (const path of objectsOf(json))
    assert.ok(
      !schema.safeParse(changed(json, path, (found) => ({ ...(found as object), more: 1 }))).success,
      `an unknown field is accepted in ${path.join('.') || 'the document'}`,
    )
}

export type Limit = {
  /** Names and indexes, with dots between. */
  readonly field: string
  /** Without one, there is no value below. */
  readonly least?: number
  readonly most: number
  /** A valid value but for its size: a number, a length, or how many. */
  readonly of: (size: number) => unknown
}

/** Each field takes its least and its most, and nothing beyond. */
export function expectLimits(schema: z.ZodType, good: unknown, limits: readonly Limit[]): void {
  const json = JSON.parse(canonicalBytes(good).toString()) as Json
  const accepts = (field: string, value: unknown) =>
    schema.safeParse(changed(json, field.split('.'), () => value)).success
  for (const { field, least, most, of } of limits) {
    for (const size of [least ?? most, most]) assert.ok(accepts(field, of(size)), `${field}: ${size}`)
    for (const size of [...(least === undefined ? [] : [least - 1]), most + 1])
      assert.ok(!accepts(field, of(size)), `${field}: ${size} is accepted`)
  }
}

/** A list with so many elements, which must be `least` to `most`. */
export function listOf(field: string, least: number, most: number, element: (at: number) => unknown): Limit {
  const of = (length: number) => Array.from({ length }, (_, at) => element(at))
  return { field, ...(least > 0 && { least }), most, of }
}

/** A whole number. */
export function numberOf(field: string, least: number, most: number): Limit {
  return { field, least, most, of: (value) => value }
}

type Path = readonly string[]

function objectsOf(value: Json, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return []
  const inside = Object.entries(value).flatMap(([key, member]) => objectsOf(member as Json, [...path, key]))
  return Array.isArray(value) ? inside : [path, ...inside]
}

function changed(value: Json, path: Path, change: (found: unknown) => unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return change(value)
  const container = value as { readonly [key: string]: Json }
  const member = changed(container[key] ?? null, rest, change)
  return Array.isArray(value)
    ? value.map((element, at) => (at === Number(key) ? member : element))
    : { ...container, [key]: member }
}
