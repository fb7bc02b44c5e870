/** What changes from one policy to the next, and in which direction: a pure function of the two. */
import { canonicalText } from '#core/canonical.ts'
import type { Dataset, Permission, Policy } from '#core/policy/policy.ts'
import { type Aspect, DATASET_ASPECTS, PERMISSION_ASPECTS, POLICY_ASPECTS, type Value } from './aspects.ts'
import { referenceAspects } from './referenceAspects.ts'
import { listText, purposeText } from './words.ts'

/**
 * `again`: a raised edition, so that a question is answered a second time. `wider`: lets more out. `changed`:
 * the direction cannot be told from the field; a person must look. `narrower`: lets less out.
 */
export type Direction = 'again' | 'wider' | 'changed' | 'narrower'
export type Change = { readonly direction: Direction; readonly where: string; readonly what: string }

const ORDER: readonly Direction[] = ['again', 'wider', 'changed', 'narrower']

/** Empty only if the two say the same, apart from their numbers. The most serious first. */
export function diffPolicies(before: Policy, after: Policy): readonly Change[] {
  const changes = [
    ...diffFields('policy', before, after, POLICY_ASPECTS, ['v', 'seq', 'referenceValues', 'datasets']),
    ...diffMembers('reference values', before.referenceValues, after.referenceValues, {
      added: ({ id }) =>
        change('wider', `reference values ${id}`, 'new: machines that have them are admitted'),
      removed: ({ id }) =>
        change('narrower', `reference values ${id}`, 'gone: machines that have only them are refused'),
      both: (one, other) =>
        diffFields(`reference values ${one.id}`, one, other, referenceAspects(one, other), ['id']),
    }),
    ...diffMembers('datasets', before.datasets, after.datasets, {
      added: (dataset) =>
        [
          change('changed', `dataset ${dataset.id}`, `new, ${dataset.synthetic ? 'synthetic' : 'REAL'}`),
          ...dataset.permissions.map((permission) => newPermission(dataset, permission)),
        ].flat(),
      removed: ({ id }) => change('narrower', `dataset ${id}`, 'gone, with all its permissions'),
      both: diffDatasets,
    }),
  ]
  return changes.toSorted((a, b) => ORDER.indexOf(a.direction) - ORDER.indexOf(b.direction))
}

function diffDatasets(before: Dataset, after: Dataset): readonly Change[] {
  const { id } = before
  return [
    ...diffFields(`dataset ${id}`, before, after, DATASET_ASPECTS, ['id', 'permissions']),
    ...diffMembers(`permissions of ${id}`, before.permissions, after.permissions, {
      added: (permission) => newPermission(after, permission),
      removed: (permission) => change('narrower', `permission ${permission.id}`, 'gone'),
      both: (one, other) => [
        ...diffEdition(one, other),
        ...diffFields(`permission ${one.id}`, one, other, PERMISSION_ASPECTS, ['id', 'edition']),
      ],
    }),
  ]
}

function newPermission(dataset: Dataset, { id, client, purpose }: Permission): readonly Change[] {
  return change(
    'wider',
    `permission ${id}`,
    `new: ${client} may use ${dataset.id} for ${purposeText(purpose)}`,
  )
}

function diffEdition({ id, edition: before }: Permission, { edition: after }: Permission): readonly Change[] {
  if (before === after) return []
  const numbers = `edition: ${before} → ${after}`
  return after > before
    ? change(
        'again',
        `permission ${id}`,
        `${numbers}: every question is answered a second time; the difference of two answers can tell about single persons`,
      )
    : change('changed', `permission ${id}`, `${numbers}: answers of the old edition count again`)
}

type Members<T> = {
  readonly added: (member: T) => readonly Change[]
  readonly removed: (member: T) => readonly Change[]
  readonly both: (before: T, after: T) => readonly Change[]
}

/** Members that have ids. Their order counts too: a request that fits several gets the first. */
function diffMembers<T extends { readonly id: string }>(
  what: string,
  before: readonly T[],
  after: readonly T[],
  { added, removed, both }: Members<T>,
): readonly Change[] {
  const find = (members: readonly T[], id: string) => members.find((member) => member.id === id)
  const kept = (members: readonly T[], others: readonly T[]) =>
    members.map(({ id }) => id).filter((id) => find(others, id) !== undefined)
  const [oldOrder, newOrder] = [kept(before, after), kept(after, before)]
  return [
    ...after.flatMap((member) => {
      const old = find(before, member.id)
      return old === undefined ? added(member) : both(old, member)
    }),
    ...before.filter(({ id }) => find(after, id) === undefined).flatMap(removed),
    ...(canonicalText(oldOrder) === canonicalText(newOrder)
      ? []
      : change('changed', what, `the order is ${listText(newOrder)}, which counts if several fit`)),
  ]
}

function diffFields<T extends object>(
  where: string,
  before: T,
  after: T,
  aspects: readonly Aspect<T>[],
  elsewhere: readonly (keyof T)[],
): readonly Change[] {
  const said = aspects.flatMap((aspect) => diffAspect(where, aspect, before, after))
  // Whatever the table does not say, or says alike for two values, is still a change.
  const fields = (Object.keys(after) as (keyof T)[]).filter((field) => !elsewhere.includes(field))
  const unsaid = fields.filter((field) => {
    if (canonicalText(before[field]) === canonicalText(after[field])) return false
    const rows = aspects.filter((aspect) => aspect.fields.includes(field))
    return !rows.some((aspect) => diffAspect(where, aspect, before, after).length > 0)
  })
  return [...said, ...unsaid.flatMap((field) => change('changed', where, `${String(field)}: order or form`))]
}

function diffAspect<T>(where: string, aspect: Aspect<T>, before: T, after: T): readonly Change[] {
  const { label, wider, show = String } = aspect
  const [from, to]: readonly [Value, Value] = [aspect.of(before), aspect.of(after)]
  const directionOf = (isMore: boolean): Direction => {
    if (wider === 'unclear') return 'changed'
    return isMore === (wider === 'more') ? 'wider' : 'narrower'
  }
  if (typeof from === 'number' && typeof to === 'number')
    return from === to ? [] : change(directionOf(to > from), where, `${label}: ${show(from)} → ${show(to)}`)
  if (typeof from === 'object' && typeof to === 'object') return diffSets(from, to)
  const [a, b] = [asText(from), asText(to)]
  return a === b ? [] : change(directionOf(isAny(to)), where, `${label}: ${a} → ${b}`)

  function diffSets(old: readonly string[], now: readonly string[]): readonly Change[] {
    const added = now.filter((value) => !old.includes(value))
    const removed = old.filter((value) => !now.includes(value))
    return [
      ...(added.length === 0
        ? []
        : change(directionOf(true), where, `${label}: now also ${listText(added)}`)),
      ...(removed.length === 0
        ? []
        : change(directionOf(false), where, `${label}: no longer ${listText(removed)}`)),
    ]
  }
}

/** `any` accepts every value, so it is more than each list. */
function isAny(value: Value): boolean {
  return value === 'any'
}

function asText(value: Value): string {
  return typeof value === 'object' ? listText(value) : String(value)
}

function change(direction: Direction, where: string, what: string): readonly Change[] {
  return [{ direction, where, what }]
}
