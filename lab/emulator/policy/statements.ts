/**
 * Parses OCI policy statements, as far as infra/policies uses their language: Define, Allow, Endorse and
 * Admit; groups and dynamic groups; `{PERMISSION, …}` or a verb with a resource type; tenancy and
 * compartment; where.
 */

import { type Condition, parseWhere } from './conditions.ts'
import { PERMISSIONS, type Permission, VERBS } from './permissions.ts'
import { type Tokens, tokensOf } from './tokens.ts'

type Subject = { readonly kind: 'group' | 'dynamic-group'; readonly name: string }
type Location = { readonly kind: 'tenancy' } | { readonly kind: 'compartment'; readonly name: string }
type Terms = { readonly permissions: ReadonlySet<Permission>; readonly where: Condition | undefined }

export type Statement =
  | {
      readonly kind: 'define'
      readonly what: 'tenancy' | Subject['kind']
      readonly name: string
      readonly id: string
    }
  | ({ readonly kind: 'allow'; readonly subject: Subject; readonly location: Location } & Terms)
  | ({ readonly kind: 'endorse'; readonly subject: Subject; readonly tenancy: string } & Terms)
  | ({
      readonly kind: 'admit'
      readonly subject: Subject
      readonly tenancy: string
      readonly location: Location
    } & Terms)

/**
 * One statement per line. `#` begins a comment line; a line that begins with a blank continues the previous
 * one.
 */
export function parseStatements(text: string): readonly Statement[] {
  const lines: string[] = []
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    if (/^\s/.test(line) && lines.length > 0) lines.push(`${lines.pop()} ${line.trim()}`)
    else lines.push(line)
  }
  return lines.map((line) => {
    const tokens = tokensOf(line)
    const statement = parseStatement(tokens)
    tokens.end()
    return statement
  })
}

function parseStatement(tokens: Tokens): Statement {
  const kind = tokens.expect('define', 'allow', 'endorse', 'admit')
  if (kind === 'define') {
    const what = tokens.expect('tenancy', 'group', 'dynamic-group')
    const name = tokens.name()
    tokens.expect('as')
    return { kind, what: what === 'tenancy' ? what : subjectKind(what), name, id: tokens.name() }
  }
  const subject: Subject = { kind: subjectKind(tokens.expect('group', 'dynamic-group')), name: tokens.name() }
  if (kind === 'allow') {
    const permissions = parsePermissions(tokens)
    const location = parseLocation(tokens)
    return { kind, subject, permissions, location, where: parseOptionalWhere(tokens) }
  }
  if (kind === 'endorse') {
    const permissions = parsePermissions(tokens)
    tokens.expect('in')
    tokens.expect('tenancy')
    return { kind, subject, permissions, tenancy: tokens.name(), where: parseOptionalWhere(tokens) }
  }
  tokens.expect('of')
  tokens.expect('tenancy')
  const tenancy = tokens.name()
  const permissions = parsePermissions(tokens)
  const location = parseLocation(tokens)
  return { kind: 'admit', subject, tenancy, permissions, location, where: parseOptionalWhere(tokens) }
}

function subjectKind(word: string): Subject['kind'] {
  return word === 'group' ? 'group' : 'dynamic-group'
}

function parsePermissions(tokens: Tokens): ReadonlySet<Permission> {
  tokens.expect('to')
  if (!tokens.take('{')) {
    const verb = tokens.name().toLowerCase()
    const phrase = `${verb} ${tokens.name().toLowerCase()}`
    return new Set(VERBS[phrase] ?? tokens.fail(`a known verb and resource type instead of "${phrase}"`))
  }
  const permissions = new Set<Permission>()
  do {
    const word = tokens.name()
    permissions.add(
      PERMISSIONS.find((known) => known === word) ?? tokens.fail(`a known permission instead of ${word}`),
    )
  } while (tokens.take(','))
  tokens.expect('}')
  return permissions
}

function parseLocation(tokens: Tokens): Location {
  tokens.expect('in')
  if (tokens.take('tenancy')) return { kind: 'tenancy' }
  tokens.expect('compartment')
  return { kind: 'compartment', name: tokens.name() }
}

function parseOptionalWhere(tokens: Tokens): Condition | undefined {
  return tokens.take('where') ? parseWhere(tokens) : undefined
}
