/** A program's configuration: one JSON file, one closed schema, every problem at once; and `--check-config`. */
import { readFile } from 'node:fs/promises'
import type { z } from 'zod'
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'

const MAX_BYTES = 1024 * 1024

/** Throws `config.invalid`, naming the file and each field that is absent, unknown or out of its range. */
export async function readConfig<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  program: string,
): Promise<z.output<Schema>> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new CodedError('config.invalid', `${program}: the configuration file ${path} cannot be read`, {
      cause,
    })
  })
  if (bytes.byteLength > MAX_BYTES)
    throw new CodedError(
      'config.invalid',
      `${program}: the configuration file is larger than ${MAX_BYTES} bytes`,
    )
  let value: unknown
  try {
    value = parseJson(bytes, `${program} configuration`)
  } catch (cause) {
    throw new CodedError('config.invalid', `${program}: ${path} is not JSON in UTF-8`, { cause })
  }
  return checkShape(schema, value, `${program} configuration`, 'config.invalid')
}
