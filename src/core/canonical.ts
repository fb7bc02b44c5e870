/**
 * Canonical JSON (RFC 8785). A hashed or signed document travels as its exact bytes. It is accepted only if
 * the canonical encoding of the parsed value equals those bytes: duplicate keys, other spellings of a number,
 * lone surrogates and white space all fail that one comparison.
 */
import type { z } from 'zod'
import { fromUtf8, sameBytes, utf8 } from './bytes.ts'
import { CodedError, type ErrorCode, under } from './errors.ts'
import { checkJsonLimits, MAX_JSON_DEPTH } from './jsonLimits.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Throws `encoding.invalid` if a value has no JSON form (undefined, NaN, a lone surrogate). */
export function canonicalText(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  if (typeof value === 'string' && value.isWellFormed()) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`
  if (typeof value === 'object' && isPlain(value)) {
    // RFC 8785 §3.2.3 sorts by UTF-16 code units, as sort() does.
    let members = ''
    for (const key of Object.keys(value).sort())
      if (value[key] !== undefined)
        members += `${members === '' ? '' : ','}${canonicalText(key)}:${canonicalText(value[key])}`
    return `{${members}}`
  }
  throw new CodedError('encoding.invalid', 'a value has no JSON form')
}

export function canonicalBytes(value: unknown): Buffer {
  return utf8(canonicalText(value))
}

/** Throws `encoding.invalid` unless the bytes are the canonical encoding of one JSON value. */
export function parseCanonical(bytes: Uint8Array, field = 'document', maxValues?: number): unknown {
  const value = parseJson(bytes, field, maxValues)
  if (!sameBytes(canonicalBytes(value), bytes))
    throw new CodedError('encoding.invalid', `${field} is not canonical JSON (RFC 8785)`)
  return value
}

/**
 * Parses any JSON text in UTF-8: for configuration files and for formats of other services. Throws
 * `encoding.invalid`, before parsing if it nests too deep or has more than `maxValues` values.
 */
export function parseJson(
  bytes: Uint8Array,
  field = 'document',
  maxValues = Number.POSITIVE_INFINITY,
): unknown {
  checkJsonLimits(bytes, { depth: MAX_JSON_DEPTH, values: maxValues }, field)
  try {
    return JSON.parse(fromUtf8(bytes, field))
  } catch (cause) {
    throw new CodedError('encoding.invalid', `${field} is not JSON in UTF-8`, { cause })
  }
}

export type Format<T> = {
  readonly name: string
  readonly maxBytes: number
  /** For documentation; `decode` and `encode` check more. */
  readonly schema: z.ZodType<T>
  /** Checks the length before the content, then the canonical form, then the closed schema. Throws `code`. */
  readonly decode: (bytes: Uint8Array) => T
  readonly encode: (value: T) => Buffer
}

/**
 * Defines one of our own documents by a closed zod schema, a size limit, and the code of a malformed
 * document.
 */
export function defineFormat<T>(definition: {
  readonly name: string
  readonly maxBytes: number
  /** A limit before parsing, for a large document of a sender who is not authorised yet. */
  readonly maxValues?: number
  readonly code: ErrorCode
  readonly schema: z.ZodType<T>
}): Format<T> {
  const { name, maxBytes, maxValues, code, schema } = definition
  const limit = (bytes: Uint8Array): void => {
    if (bytes.byteLength > maxBytes)
      throw new CodedError(code, `${name} has ${bytes.byteLength} bytes, the limit is ${maxBytes}`)
  }
  return {
    name,
    maxBytes,
    schema,
    decode: (bytes) => {
      limit(bytes)
      return checkShape(
        schema,
        under(code, () => parseCanonical(bytes, name, maxValues)),
        name,
        code,
      )
    },
    encode: (value) => {
      const bytes = canonicalBytes(checkShape(schema, value, name, code))
      limit(bytes)
      return bytes
    },
  }
}

/** Who wrote a document decides how much of its own words a message repeats. */
export type Sender = 'stranger' | 'operator'

const MAX_PROBLEMS: Readonly<Record<Sender, number>> = { stranger: 8, operator: 64 }
const MAX_PROBLEM_CHARACTERS = 200

/**
 * Parses an unknown value by a schema. The message names fields, never their values. Of a stranger's document
 * it names eight problems and only counts unknown fields, so that no sender chooses its length or its words.
 */
export function checkShape<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  name: string,
  code: ErrorCode,
  sender: Sender = 'stranger',
): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new CodedError(code, `${name} is malformed: ${problemsOf(parsed.error, sender).join('; ')}`)
}

/** The problems that `checkShape` would name, one by one. None: the value has the shape. */
export function shapeProblems(schema: z.ZodType, value: unknown, sender: Sender): readonly string[] {
  const { error } = schema.safeParse(value)
  return error === undefined ? [] : problemsOf(error, sender)
}

function problemsOf({ issues }: z.ZodError, sender: Sender): readonly string[] {
  const named = issues.slice(0, MAX_PROBLEMS[sender]).map((issue) => problemOf(issue, sender))
  const rest = issues.length - named.length
  return rest === 0 ? named : [...named, `${rest} more`]
}

function problemOf(issue: z.core.$ZodIssue, sender: Sender): string {
  const path = issue.path.map(printable).join('.')
  const what = issue.code === 'unrecognized_keys' ? unknownFields(issue.keys, sender) : issue.message
  return (path === '' ? what : `${path}: ${what}`).slice(0, MAX_PROBLEM_CHARACTERS)
}

function unknownFields(keys: readonly string[], sender: Sender): string {
  if (sender === 'operator') return `unknown field ${keys.map(printable).join(', ')}`
  return keys.length === 1 ? 'an unknown field' : `${keys.length} unknown fields`
}

/** A key chosen by the sender of the document, reduced to text that is safe in a log. */
function printable(key: PropertyKey): string {
  return String(key)
    .replace(/[^\w$.-]/g, '?')
    .slice(0, 40)
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
