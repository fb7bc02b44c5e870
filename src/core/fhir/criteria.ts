/**
 * Scopes compiled to predicates over the slices of one resource. A bulk file is a search over a whole type
 * that returns its content. A resource therefore passes only if it is granted both `s` (it may be found) and
 * `r` (it may be read), by one scope or by two that both match it.
 */
import { parseScope, type TokenValue } from './scope.ts'
import { type SearchParameter, searchParameter } from './searchParameters.ts'
import type { SliceScanner } from './slice.ts'
import { ARRAY } from './tokens.ts'
import type { WordTable } from './words.ts'

export type ScopeFilter = {
  /** False if no resource of the type can pass, whatever its content. */
  readonly grantsType: (type: string) => boolean
  /** True if the scanned resource is granted. */
  readonly admits: (type: string, resource: SliceScanner) => boolean
}

type Predicate = (resource: SliceScanner) => boolean
type Alternative = {
  readonly reads: boolean
  readonly searches: boolean
  readonly criteria: readonly Predicate[]
}

/** Compiles `scopes` as a grant carries them (`expandScopes`). Throws `scope.invalid`. */
export function compileFilter(scopes: readonly string[], names: WordTable): ScopeFilter {
  const byType = new Map<string, Alternative[]>()
  for (const text of scopes) {
    const { type, letters, criteria } = parseScope(text)
    const alternatives = byType.get(type) ?? []
    byType.set(type, alternatives)
    alternatives.push({
      reads: letters.includes('r'),
      searches: letters.includes('s'),
      criteria: criteria.map(({ parameter, values }) =>
        compileCriterion(searchParameter(type, parameter), values, names),
      ),
    })
  }
  const passes = (alternatives: readonly Alternative[]) =>
    alternatives.some(({ reads }) => reads) && alternatives.some(({ searches }) => searches)
  return {
    grantsType: (type) => passes(byType.get(type) ?? []),
    admits: (type, resource) =>
      passes((byType.get(type) ?? []).filter(({ criteria }) => criteria.every((holds) => holds(resource)))),
  }
}

function compileCriterion(
  parameter: SearchParameter | undefined,
  values: readonly TokenValue[],
  names: WordTable,
): Predicate {
  // Cannot happen: `parseScope` accepts only parameters of the table.
  if (parameter === undefined) return () => false
  const path = parameter.path.map((element) => names.idOf(element))
  const codingName = names.idOf('coding')
  const systemName = names.idOf('system')
  const codeName = names.idOf('code')

  const textAt = (resource: SliceScanner, parent: number, name: number): string | undefined => {
    const value = resource.member(parent, name)
    return value >= 0 && resource.isText(value) ? resource.text(value) : undefined
  }
  const matches = (system: string | undefined, code: string | undefined): boolean =>
    values.some(
      (wanted) =>
        (wanted.code === undefined ? code !== undefined : wanted.code === code) &&
        (wanted.system === undefined || wanted.system === (system ?? '')),
    )
  const matchesValue = (resource: SliceScanner, value: number): boolean => {
    if (parameter.type === 'code') return resource.isText(value) && matches(undefined, resource.text(value))
    if (parameter.type === 'coding')
      return matches(textAt(resource, value, systemName), textAt(resource, value, codeName))
    return someElement(resource, resource.member(value, codingName), (coding) =>
      matches(textAt(resource, coding, systemName), textAt(resource, coding, codeName)),
    )
  }
  const follow = (resource: SliceScanner, parent: number, step: number): boolean => {
    const name = path[step]
    if (name === undefined) return matchesValue(resource, parent)
    return someElement(resource, resource.member(parent, name), (value) => follow(resource, value, step + 1))
  }
  return (resource) => follow(resource, 0, 0)
}

/** True if `holds` is true of the value, or of one of its elements if it is an array. */
export function someElement(
  resource: SliceScanner,
  value: number,
  holds: (element: number) => boolean,
): boolean {
  if (value < 0) return false
  if (resource.kind[value] !== ARRAY) return holds(value)
  const last = resource.next[value] ?? 0
  for (let at = value + 1; at < last; at = resource.next[at] ?? last)
    if (resource.kind[at] !== ARRAY && holds(at)) return true
  return false
}
