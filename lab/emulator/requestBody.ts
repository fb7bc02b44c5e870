/** Reads a JSON body by its schema; every mistake in it is OCI's 400 `InvalidParameter`. */
import type { z } from 'zod'
import { checkShape, parseJson } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { invalidParameter } from './service.ts'

export function decodeBody<Schema extends z.ZodType>(schema: Schema, body: Buffer): z.output<Schema> {
  try {
    return checkShape(schema, parseBody(body), 'request', 'request.malformed')
  } catch (error) {
    if (error instanceof CodedError) throw invalidParameter(error.message)
    throw error
  }
}

function parseBody(body: Buffer): unknown {
  try {
    return parseJson(body, 'request')
  } catch {
    throw invalidParameter('Unable to parse JSON body')
  }
}
