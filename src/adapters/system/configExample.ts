/**
 * An example of a configuration file with a comment per field, printed from the schema's own metadata:
 * `schema.meta({ description, example })`. An object without `example` shows its fields, and a choice between
 * objects the first of them.
 */
import { z } from 'zod'
import { fill } from './prose.ts'

const WIDTH = 100
const INDENT = '  '
/** A value that is longer takes a line per member. */
const VALUE_WIDTH = 72

/** JSON with `//` lines. Throws for a field without example, which is a mistake in the schema. */
export function configExample(schema: z.core.$ZodType): string {
  return `${render(schema, '')}\n`
}

function render(schema: z.core.$ZodType, indent: string): string {
  const example = z.globalRegistry.get(schema)?.['example']
  if (example !== undefined) return literal(example, indent)
  if (schema instanceof z.ZodOptional) return render(schema.unwrap(), indent)
  const [preferred] = schema instanceof z.ZodDiscriminatedUnion ? schema.options : []
  if (preferred !== undefined) return render(preferred, indent)
  if (!(schema instanceof z.ZodObject)) throw new Error('a field of the configuration has no example')
  const inside = indent + INDENT
  const fields = Object.entries<z.core.$ZodType>(schema.shape).map(
    ([name, field]) => `${comment(field, inside)}${inside}${JSON.stringify(name)}: ${render(field, inside)}`,
  )
  return `{\n${fields.join(',\n')}\n${indent}}`
}

function comment(schema: z.core.$ZodType, indent: string): string {
  const isOptional = schema instanceof z.ZodOptional
  const { description = '' } =
    z.globalRegistry.get(schema) ?? ((isOptional && z.globalRegistry.get(schema.unwrap())) || {})
  const words = isOptional ? `Optional. ${description}` : description
  return words === '' ? '' : `${fill(words, WIDTH, `${indent}// `)}\n`
}

/** On one line if it fits; otherwise a line per member. */
function literal(value: unknown, indent: string): string {
  const line = JSON.stringify(value, undefined, 1).replaceAll(/\n */g, ' ')
  if (line.length <= VALUE_WIDTH || typeof value !== 'object' || value === null) return line
  const inside = indent + INDENT
  if (Array.isArray(value))
    return `[\n${value.map((member) => inside + literal(member, inside)).join(',\n')}\n${indent}]`
  const members = Object.entries(value).map(
    ([name, member]) => `${inside}${JSON.stringify(name)}: ${literal(member, inside)}`,
  )
  return `{\n${members.join(',\n')}\n${indent}}`
}
