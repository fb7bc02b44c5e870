/**
 * A closed grammar of JSON as data, and its reader. A schema for zod is derived from the same data in
 * core/policy; the reader is for the report library, which has no dependency.
 */
import { fromBase64url } from '../bytes.ts'
import { CodedError, type ReportErrorCode } from '../errors/report.ts'
import type { Pattern } from '../patterns.ts'

export type Grammar =
  | { readonly kind: 'whole'; readonly min: number; readonly max: number }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'text'; readonly patterns: readonly Pattern[] }
  | { readonly kind: 'bytes'; readonly min: number; readonly max: number }
  | { readonly kind: 'list'; readonly of: Grammar; readonly min: number; readonly max: number }
  | { readonly kind: 'record'; readonly fields: Readonly<Record<string, Grammar>> }
  | { readonly kind: 'either'; readonly of: readonly Grammar[] }
  | { readonly kind: 'optional'; readonly of: Grammar }

/** The values of a grammar; unknown for one that is only known at run time. */
export type ValueOf<G> = Grammar extends G ? unknown : ValueOfKind<G>

type ValueOfKind<G> = G extends { readonly kind: 'whole' }
  ? number
  : G extends { readonly kind: 'words'; readonly words: readonly (infer Word)[] }
    ? Word
    : G extends { readonly kind: 'text' | 'bytes' }
      ? string
      : G extends { readonly kind: 'list'; readonly of: infer Item }
        ? readonly ValueOf<Item>[]
        : G extends { readonly kind: 'record'; readonly fields: infer Fields }
          ? { readonly [Name in keyof Fields]: ValueOf<Fields[Name]> }
          : G extends { readonly kind: 'either'; readonly of: readonly (infer Choice)[] }
            ? ValueOf<Choice>
            : G extends { readonly kind: 'optional'; readonly of: infer Value }
              ? ValueOf<Value> | undefined
              : never

/** Bounds are inclusive. */
export const whole = (min: number, max: number) => ({ kind: 'whole', min, max }) as const
export const words = <const Words extends readonly string[]>(...of: Words) =>
  ({ kind: 'words', words: of }) as const
export const matching = (...patterns: readonly Pattern[]) => ({ kind: 'text', patterns }) as const
/** Unpadded base64url (RFC 4648 §5) of so many bytes, without stray bits. */
export const base64url = (min: number, max = min) => ({ kind: 'bytes', min, max }) as const
export const list = <const G extends Grammar>(of: G, min: number, max: number) =>
  ({ kind: 'list', of, min, max }) as const
/** Every field must be there, but those that are `optional`; no other may. */
export const record = <const Fields extends Readonly<Record<string, Grammar>>>(fields: Fields) =>
  ({ kind: 'record', fields }) as const
export const either = <const Choices extends readonly Grammar[]>(...of: Choices) =>
  ({ kind: 'either', of }) as const
export const optional = <const G extends Grammar>(of: G) => ({ kind: 'optional', of }) as const

/**
 * The value in its type. Throws `code` with all that is wrong, as `path: what`: it names fields, never their
 * values.
 */
export function readAs<const G extends Grammar>(
  grammar: G,
  value: unknown,
  name: string,
  code: ReportErrorCode,
): ValueOf<G> {
  const problems = problemsOf(grammar, value, [])
  if (problems.length > 0) throw new CodedError(code, `${name} is malformed: ${problems.join('; ')}`)
  // It has the form of its grammar, which is what ValueOf says.
  return value as ValueOf<G>
}

function problemsOf(grammar: Grammar, value: unknown, path: readonly string[]): readonly string[] {
  const wrong = (what: string) => [at(path, what)]
  const unless = (holds: boolean, what: string) => (holds ? [] : wrong(what))
  switch (grammar.kind) {
    case 'whole': {
      const { min, max } = grammar
      const isWhole = Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max
      return unless(isWhole, `must be a whole number from ${min} to ${max}`)
    }
    case 'words':
      return unless(
        grammar.words.some((word) => word === value),
        `must be ${oneOfWords(grammar.words)}`,
      )
    case 'text':
      if (typeof value !== 'string') return wrong('must be a text')
      return grammar.patterns.flatMap(({ pattern, must }) => unless(pattern.test(value), must))
    case 'bytes': {
      const { min, max } = grammar
      const size = min === max ? min : `${min} to ${max}`
      return unless(isBase64url(value, min, max), `must be ${size} bytes in unpadded base64url`)
    }
    case 'list': {
      const { of, min, max } = grammar
      if (!Array.isArray(value) || value.length < min || value.length > max)
        return wrong(`must be a list of ${min} to ${max} entries`)
      return value.flatMap((item, index) => problemsOf(of, item, [...path, String(index)]))
    }
    case 'record': {
      if (!isRecord(value)) return wrong('must be an object')
      const unknown = Object.keys(value).filter((key) => !Object.hasOwn(grammar.fields, key))
      const fields = Object.entries(grammar.fields).flatMap(([name, field]) =>
        problemsOf(field, Object.hasOwn(value, name) ? value[name] : undefined, [...path, name]),
      )
      return unknown.length === 0
        ? fields
        : [...fields, ...wrong(`unknown field ${unknown.map(printable).join(', ')}`)]
    }
    case 'either':
      return problemsOfEither(grammar.of, value, path)
    case 'optional':
      return value === undefined ? [] : problemsOf(grammar.of, value, path)
  }
}

/** For a list or an object, the problems inside it; else what each choice demands. */
function problemsOfEither(
  choices: readonly Grammar[],
  value: unknown,
  path: readonly string[],
): readonly string[] {
  const tried = choices.map((choice) => problemsOf(choice, value, path))
  if (tried.some((problems) => problems.length === 0)) return []
  const inside = choices.findIndex(({ kind }) =>
    Array.isArray(value) ? kind === 'list' : kind === 'record' && isRecord(value),
  )
  const demands = choices.flatMap((choice) => problemsOf(choice, value, []).slice(0, 1))
  const [first = '', ...others] = demands
  return tried[inside] ?? [at(path, [first, ...others.map((what) => what.replace('must ', ''))].join(' or '))]
}

function at(path: readonly string[], what: string): string {
  return path.length === 0 ? what : `${path.map(printable).join('.')}: ${what}`
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isBase64url(value: unknown, min: number, max: number): boolean {
  if (typeof value !== 'string') return false
  try {
    const { byteLength } = fromBase64url(value)
    return byteLength >= min && byteLength <= max
  } catch {
    return false
  }
}

function oneOfWords(all: readonly string[]): string {
  return all.map((word) => `"${word}"`).join(' or ')
}

/** The author of the document chose the key, so it is cut to what a log may hold. */
function printable(key: string): string {
  return key.replace(/[^\w$.-]/g, '?').slice(0, 40)
}
