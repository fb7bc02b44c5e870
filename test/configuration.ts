/** What every configuration must hold: no unknown field, no field that may be left out unseen, exact limits. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import type { z } from 'zod'
import { configExample } from '#adapters/system/configExample.ts'
import { parseConfig } from '#adapters/system/configFile.ts'
import { exportJwk } from '#core/jwk.ts'

/** Values of one field, `a.b.0` for the first member of a list. */
export type Limits = {
  readonly field: string
  readonly good: readonly unknown[]
  readonly bad: readonly unknown[]
}

type Path = readonly string[]

/** What may be absent in the section `oci` of every program. */
const OCI_OPTIONAL: readonly string[] = [
  'oci.region',
  ...['objectStorage', 'streaming', 'vaultCrypto', 'vaultManagement', 'secrets'].map(
    (name) => `oci.endpoints.${name}`,
  ),
]

/** The printed example, with keys in the place of its placeholders. */
export function exampleOf(schema: z.ZodType): unknown {
  const text = configExample(schema).replaceAll(/^ *\/\/.*\n/gm, '')
  return JSON.parse(text, (name, value: unknown) =>
    name === 'jwk' ? exportJwk(generateKeyPairSync('ed25519').publicKey) : value,
  )
}

/** One more field anywhere, or one less that is neither `optional` nor so in every `oci`, is refused. */
export function assertClosed(schema: z.ZodType, example: unknown, optional: readonly string[] = []): void {
  accepted(schema, example)
  for (const path of objectsIn(example)) refused(schema, changed(example, [...path, 'more'], 1), 'more')
  const fields = fieldsIn(example).map((path) => path.join('.'))
  const unmissed = fields.filter((field) => isTaken(schema, changed(example, field.split('.'), undefined)))
  const allowed = new Set([...OCI_OPTIONAL, ...optional])
  assert.deepEqual(
    unmissed,
    fields.filter((field) => allowed.has(field)),
  )
}

export function assertLimits(schema: z.ZodType, example: unknown, rows: readonly Limits[]): void {
  for (const { field, good, bad } of rows) {
    const path = field.split('.')
    for (const value of good) accepted(schema, changed(example, path, value))
    for (const value of bad) refused(schema, changed(example, path, value), field)
  }
}

function parse(schema: z.ZodType, value: unknown): unknown {
  return parseConfig(Buffer.from(JSON.stringify(value)), '/program.json', schema, 'program')
}

function accepted(schema: z.ZodType, value: unknown): void {
  assert.deepEqual(parse(schema, value), value)
}

function refused(schema: z.ZodType, value: unknown, field: string): void {
  assert.throws(
    () => parse(schema, value),
    (error: { code?: string; message?: string }) =>
      error.code === 'config.invalid' && error.message?.includes(field) === true,
    `${field} of ${JSON.stringify(value)}`,
  )
}

function isTaken(schema: z.ZodType, value: unknown): boolean {
  try {
    parse(schema, value)
    return true
  } catch {
    return false
  }
}

/** A copy in which the field has this value; undefined leaves it out. */
function changed(value: unknown, [first = '', ...rest]: Path, to: unknown): unknown {
  const copy = structuredClone(value) as Record<string, unknown>
  copy[first] = rest.length === 0 ? to : changed(copy[first], rest, to)
  return copy
}

function isParent(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function objectsIn(value: unknown, path: Path = []): readonly Path[] {
  if (!isParent(value)) return []
  const inside = Object.entries(value).flatMap(([key, child]) => objectsIn(child, [...path, key]))
  return Array.isArray(value) ? inside : [path, ...inside]
}

/** Fields of objects; a member of a list is none. */
function fieldsIn(value: unknown, path: Path = []): readonly Path[] {
  if (!isParent(value)) return []
  return Object.entries(value).flatMap(([key, child]) => {
    const at = [...path, key]
    return Array.isArray(value) ? fieldsIn(child, at) : [at, ...fieldsIn(child, at)]
  })
}
