/**
 * SMART scopes for backend services (SMART App Launch STU 2.2, "Scopes for requesting FHIR resources"):
 *
 *     system/(ResourceType | *).(c?r?u?d?s? not empty | read | write | *)[?param=value[&param=value]…]
 *
 * Any text outside this grammar is refused with `scope.invalid`, and always the whole scope: an unknown query
 * is never dropped. `patient/` and `user/` are refused, since a backend service has no such context.
 */
import { sha256, toBase64url } from '../bytes.ts'
import { canonicalBytes } from '../canonical.ts'
import { CodedError } from '../errors.ts'
import { searchParameter } from './searchParameters.ts'
import { isResourceType, RESOURCE_TYPES } from './types.ts'

/** The most scopes of one permission or request: as written, and with `*` replaced by the types of R4. */
export const MAX_WRITTEN_SCOPES = 64
export const MAX_SCOPES = 256

/**
 * `code` matches in any system, `system|code` in one, `|code` without a system (`system` is ''), `system|`
 * any code.
 */
export type TokenValue = { readonly system?: string; readonly code?: string }

/** One `param=value,value`. The values are alternatives; all criteria of a scope must hold. */
type Criterion = { readonly parameter: string; readonly values: readonly TokenValue[] }

export type Scope = {
  /** A resource type of R4, or `*`. */
  readonly type: string
  /** A subset of `cruds`, in this order, not empty. */
  readonly letters: string
  /** Sorted by parameter and value. */
  readonly criteria: readonly Criterion[]
}

const MAX_SCOPE_LENGTH = 512
const PREFIX = 'system/'
/** SMART v1 permissions in the letters of v2. */
const V1_LETTERS: Readonly<Record<string, string>> = { read: 'rs', write: 'cud', '*': 'cruds' }
const LETTERS = 'cruds'
const ORDERED_LETTERS = /^(?=.)c?r?u?d?s?$/
/**
 * Unreserved characters and those that FHIR tokens and canonical URLs need. `+` is ambiguous, so it is
 * refused.
 */
const RAW_VALUE = /^[A-Za-z0-9._~:/|,%()-]+$/
const DECODED_TOKEN_PART = /^[!-~]{1,200}$/

/** Throws `scope.invalid`. */
export function parseScope(text: string): Scope {
  if (text.length > MAX_SCOPE_LENGTH) throw invalid(`has more than ${MAX_SCOPE_LENGTH} characters`)
  if (!text.startsWith(PREFIX)) throw invalid('does not begin with system/')
  const [head = '', query, ...rest] = text.slice(PREFIX.length).split('?')
  if (rest.length > 0) throw invalid('has more than one query')
  const [type = '', permission = '', ...more] = head.split('.')
  if (more.length > 0 || (type !== '*' && !isResourceType(type)))
    throw invalid('does not name a resource type of FHIR R4')
  return {
    type,
    letters: parseLetters(permission),
    criteria: query === undefined ? [] : parseCriteria(type, query),
  }
}

/** The canonical spelling of a scope: v2 letters, sorted criteria, no more percent-encoding than needed. */
export function formatScope({ type, letters, criteria }: Scope): string {
  return `${PREFIX}${type}.${letters}${formatQuery(criteria)}`
}

function formatQuery(criteria: readonly Criterion[]): string {
  return criteria.length === 0 ? '' : `?${criteria.map(formatCriterion).join('&')}`
}

/**
 * The scopes as a grant carries them, sorted: `*` is replaced by the pinned R4 types, and scopes with equal
 * type and criteria become one with the letters of all. Throws `scope.invalid` if any of the texts is
 * invalid, or if they become more than `MAX_SCOPES`.
 */
export function expandScopes(texts: readonly string[]): readonly string[] {
  const expanded = new Map<string, { readonly target: string; readonly query: string; letters: string }>()
  // Merged before `*` is replaced: the cost of many scopes with `*` and equal criteria is that of one.
  for (const { type, letters, query } of merge(texts.map(parseScope)))
    for (const target of type === '*' ? RESOURCE_TYPES : [type]) {
      const key = `${target}.${query}`
      expanded.set(key, { target, query, letters: union(expanded.get(key)?.letters, letters) })
      if (expanded.size > MAX_SCOPES) throw invalid(`and the others are more than ${MAX_SCOPES} without "*"`)
    }
  return [...expanded]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { target, letters, query }]) => `${PREFIX}${target}.${letters}${query}`)
}

type Merged = { readonly type: string; readonly query: string; readonly letters: string }

function merge(scopes: readonly Scope[]): Iterable<Merged> {
  const merged = new Map<string, Merged>()
  for (const { type, letters, criteria } of scopes) {
    const query = formatQuery(criteria)
    const key = `${type}.${query}`
    merged.set(key, { type, query, letters: union(merged.get(key)?.letters, letters) })
  }
  return merged.values()
}

function union(one = '', other: string): string {
  return [...LETTERS].filter((letter) => one.includes(letter) || other.includes(letter)).join('')
}

/** SHA-256 over the canonical JSON of expanded scopes, base64url. */
export function scopesDigest(expanded: readonly string[]): string {
  return toBase64url(sha256(canonicalBytes(expanded)))
}

function parseLetters(permission: string): string {
  if (Object.hasOwn(V1_LETTERS, permission)) return V1_LETTERS[permission] ?? ''
  // SMART does not define "dus", "sr" or "". A lenient reader would turn `.rd` into `.read`.
  if (!ORDERED_LETTERS.test(permission))
    throw invalid('does not have permissions that are read, write, * or an ordered subset of cruds')
  return permission
}

function parseCriteria(type: string, query: string): readonly Criterion[] {
  const criteria = query.split('&').map((pair) => {
    const [parameter = '', value, ...rest] = pair.split('=')
    const definition = searchParameter(type, parameter)
    if (definition === undefined || value === undefined || rest.length > 0)
      throw invalid('narrows by an unsupported search parameter')
    const values = parseTokens(value)
    if (definition.type === 'code' && values.some(({ system }) => system !== undefined))
      throw invalid(`gives a system for ${parameter}, which takes none`)
    return { parameter, values }
  })
  const unique = new Map(criteria.map((criterion) => [formatCriterion(criterion), criterion]))
  return [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, criterion]) => criterion)
}

function parseTokens(raw: string): readonly TokenValue[] {
  if (!RAW_VALUE.test(raw)) throw invalid('has a search value outside the accepted characters')
  const values = new Map(
    decodeOnce(raw)
      .split(',')
      .map(parseToken)
      .map((token) => [formatToken(token), token]),
  )
  return [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, token]) => token)
}

function decodeOnce(raw: string): string {
  try {
    return decodeURIComponent(raw)
  } catch (cause) {
    throw invalid('has a search value that is not percent-encoded', cause)
  }
}

/** FHIR R4 search, token type: `code`, `system|code`, `|code`, `system|`. */
function parseToken(text: string): TokenValue {
  const parts = text.split('|')
  const [first = '', second = ''] = parts
  const isToken = parts.length <= 2 && (first !== '' || second !== '')
  // A backslash escapes a separator (FHIR R4 search §3.1.1.4.0.1). No supported parameter needs one, so it is
  // refused.
  const isPlain = parts.every(
    (part) => part === '' || (DECODED_TOKEN_PART.test(part) && !part.includes('\\')),
  )
  if (!isToken || !isPlain) throw invalid('has a search value that is not a token')
  if (parts.length === 1) return { code: first }
  return second === '' ? { system: first } : { system: first, code: second }
}

function formatCriterion({ parameter, values }: Criterion): string {
  return `${parameter}=${values.map(formatToken).join(',')}`
}

function formatToken({ system, code }: TokenValue): string {
  const encode = (part: string) =>
    encodeURIComponent(part)
      .replaceAll(/%3A|%2F/g, decodeURIComponent)
      .replaceAll(/[!'*]/g, percent)
  if (system === undefined) return encode(code ?? '')
  return `${encode(system)}|${encode(code ?? '')}`
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
}

function invalid(what: string, cause?: unknown): CodedError {
  return new CodedError('scope.invalid', `scope ${what}`, { cause })
}
