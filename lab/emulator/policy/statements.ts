/**
 * OCI policy statements, as much of their language as infra/policies uses: Define, Allow, Endorse and Admit; groups
 * and dynamic groups; `{PERMISSION, …}` or a verb with a resource type; tenancy and compartment; where.
 */

import type { Permission } from '#lab/emulator/service.ts'
import { type Condition, parseWhere } from './conditions.ts'
import { type Tokens, tokensOf } from './tokens.ts'

type Subject = { readonly kind: 'group' | 'dynamic-group'; readonly name: string }
type Place = { readonly kind: 'tenancy' } | { readonly kind: 'compartment'; readonly name: string }
type Grant = { readonly permissions: ReadonlySet<Permission>; readonly where: Condition | undefined }

export type Statement =
  | {
      readonly kind: 'define'
      readonly what: 'tenancy' | Subject['kind']
      readonly name: string
      readonly id: string
    }
  | ({ readonly kind: 'allow'; readonly subject: Subject; readonly place: Place } & Grant)
  | ({ readonly kind: 'endorse'; readonly subject: Subject; readonly tenancy: string } & Grant)
  | ({
      readonly kind: 'admit'
      readonly subject: Subject
      readonly tenancy: string
      readonly place: Place
    } & Grant)

const PERMISSIONS: readonly Permission[] = [
  'BUCKET_INSPECT',
  'BUCKET_READ',
  'BUCKET_UPDATE',
  'RETENTION_RULE_MANAGE',
  'RETENTION_RULE_LOCK',
  'OBJECT_INSPECT',
  'OBJECT_READ',
  'OBJECT_CREATE',
  'OBJECT_OVERWRITE',
  'OBJECT_DELETE',
  'KEY_READ',
  'KEY_ENCRYPT',
  'KEY_DECRYPT',
  'KEY_SIGN',
  'KEY_VERIFY',
  'KEY_EXPORT',
  'VAULT_READ',
  'SECRET_BUNDLE_READ',
  'STREAM_READ',
  'STREAM_CONSUME',
  'STREAM_PRODUCE',
  'FN_FUNCTION_READ',
  'FN_INVOCATION',
]

/** What a verb on a resource type stands for (OCI policy reference). */
const VERBS: Readonly<Record<string, readonly Permission[]>> = {
  'inspect buckets': ['BUCKET_INSPECT'],
  'read buckets': ['BUCKET_INSPECT', 'BUCKET_READ'],
  'inspect objects': ['OBJECT_INSPECT'],
  'read objects': ['OBJECT_INSPECT', 'OBJECT_READ'],
  'read vaults': ['VAULT_READ'],
  'read keys': ['KEY_READ'],
  'read secret-bundles': ['SECRET_BUNDLE_READ'],
  'use stream-pull': ['STREAM_READ', 'STREAM_CONSUME'],
  'use stream-push': ['STREAM_READ', 'STREAM_PRODUCE'],
  'use fn-invocation': ['FN_INVOCATION'],
}

/** One statement a line; `#` begins a comment line; a line that begins with a blank continues the one before. */
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
    const place = parsePlace(tokens)
    return { kind, subject, permissions, place, where: parseOptionalWhere(tokens) }
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
  const place = parsePlace(tokens)
  return { kind: 'admit', subject, tenancy, permissions, place, where: parseOptionalWhere(tokens) }
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

function parsePlace(tokens: Tokens): Place {
  tokens.expect('in')
  if (tokens.take('tenancy')) return { kind: 'tenancy' }
  tokens.expect('compartment')
  return { kind: 'compartment', name: tokens.name() }
}

function parseOptionalWhere(tokens: Tokens): Condition | undefined {
  return tokens.take('where') ? parseWhere(tokens) : undefined
}
