/**
 * Conditions of policy statements (`where …`) and matching rules of dynamic groups: `variable = 'value'`, a
 * pattern for the beginning of the value, and `all {…}` or `any {…}` over conditions. Other operators and
 * unknown variables do not load. Otherwise a misspelt restriction could silently hold always or never.
 */
import { type Tokens, tokensOf } from './tokens.ts'

export type Condition =
  | { readonly kind: 'equals'; readonly variable: string; readonly value: string }
  | { readonly kind: 'begins'; readonly variable: string; readonly value: string }
  | { readonly kind: 'all' | 'any'; readonly of: readonly Condition[] }

const STATEMENT_VARIABLES: ReadonlySet<string> = new Set([
  'request.permission',
  'target.bucket.name',
  'target.object.name',
  'target.function.id',
  'target.key.id',
  'target.vault.id',
  'target.secret.id',
  'target.secret.name',
  'target.stream.id',
])

const RULE_VARIABLES: ReadonlySet<string> = new Set([
  'instance.id',
  'instance.compartment.id',
  'resource.id',
  'resource.type',
  'resource.compartment.id',
])

export function parseWhere(tokens: Tokens): Condition {
  return parseCondition(tokens, STATEMENT_VARIABLES)
}

export function parseMatchingRule(text: string): Condition {
  const tokens = tokensOf(text)
  const condition = parseCondition(tokens, RULE_VARIABLES)
  tokens.end()
  return condition
}

/** A condition on a variable that the request lacks is not met. */
export function isMet(condition: Condition, variables: Readonly<Record<string, string>>): boolean {
  // OCI ignores case when it compares values.
  if (condition.kind === 'begins')
    return variables[condition.variable]?.toLowerCase().startsWith(condition.value.toLowerCase()) === true
  if (condition.kind === 'equals')
    return variables[condition.variable]?.toLowerCase() === condition.value.toLowerCase()
  const met = (part: Condition): boolean => isMet(part, variables)
  return condition.kind === 'all' ? condition.of.every(met) : condition.of.some(met)
}

function parseCondition(tokens: Tokens, variables: ReadonlySet<string>): Condition {
  const word = tokens.name()
  const kind = word.toLowerCase()
  if (kind === 'all' || kind === 'any') {
    tokens.expect('{')
    const of = [parseCondition(tokens, variables)]
    while (tokens.take(',')) of.push(parseCondition(tokens, variables))
    tokens.expect('}')
    return { kind, of }
  }
  if (!variables.has(kind)) tokens.fail(`a known variable instead of "${word}"`)
  tokens.expect('=')
  const beginning = tokens.pattern()
  if (beginning !== undefined) return { kind: 'begins', variable: kind, value: beginning }
  return { kind: 'equals', variable: kind, value: tokens.quoted() }
}
