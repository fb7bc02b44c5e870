/**
 * A program's configuration: one JSON file under one closed schema. A refusal names every problem at once.
 */
import { z } from 'zod'
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { readFileUpTo } from './files.ts'

const MAX_BYTES = 1024 * 1024

export const AbsolutePath = z
  .string()
  .max(4000)
  .regex(/^\/[^\0]*$/, 'must be an absolute path')

/** Throws `config.invalid`, naming the file and each field that is absent, unknown or out of range. */
export async function readConfig<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  program: string,
): Promise<z.output<Schema>> {
  const name = `${program}: the configuration file ${path}`
  return parseConfig(await readFileUpTo(path, MAX_BYTES, 'config.invalid', name), path, schema, program)
}

/** The same for the bytes of the file. */
export function parseConfig<Schema extends z.ZodType>(
  bytes: Uint8Array,
  path: string,
  schema: Schema,
  program: string,
): z.output<Schema> {
  let value: unknown
  try {
    value = parseJson(bytes, `${program} configuration`)
  } catch (cause) {
    throw new CodedError('config.invalid', `${program}: ${path} is not JSON in UTF-8`, { cause })
  }
  return checkShape(schema, value, `${program} configuration`, 'config.invalid', 'operator')
}
