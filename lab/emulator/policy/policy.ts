/**
 * Decides what a principal may do. Within a tenancy one Allow suffices. Across tenancies the principal's
 * tenancy must Endorse and the resource's tenancy must Admit. Everything else is refused.
 */
import { CodedError } from '#core/errors.ts'
import { type EmulatorConfig, tenancyOf } from '#lab/emulator/config.ts'
import type { Access, Principal } from '#lab/emulator/service.ts'
import { type Condition, isMet } from './conditions.ts'
import type { Permission } from './permissions.ts'
import { parseStatements, type Statement } from './statements.ts'

export type Policy = { readonly permits: (principal: Principal, access: Access) => boolean }

/** A statement with its names resolved to OCIDs. */
type Rule = {
  readonly kind: 'allow' | 'endorse' | 'admit'
  /** The tenancy that made the statement. */
  readonly tenancyId: string
  readonly groupId: string
  /** Endorse: the tenancy of the resource. Admit: the tenancy of the principal. */
  readonly otherTenancyId: string | undefined
  /** Undefined: the whole tenancy. */
  readonly compartmentId: string | undefined
  readonly permissions: ReadonlySet<Permission>
  readonly where: Condition | undefined
}

/**
 * Throws `config.invalid` if it does not understand a statement, or if a statement names something unknown.
 */
export function createPolicy(config: EmulatorConfig): Policy {
  const rules = config.policies.flatMap(({ tenancyId, statements, variables }) =>
    resolve(config, tenancyId, parseStatements(fillIn(statements, variables))),
  )

  const grants = (rule: Rule, principal: Principal, permission: Permission, access: Access): boolean =>
    principal.groups.includes(rule.groupId) &&
    rule.permissions.has(permission) &&
    (rule.where === undefined || isMet(rule.where, { ...access.variables, 'request.permission': permission }))

  const permitsOne = (principal: Principal, permission: Permission, access: Access): boolean => {
    const home = principal.tenancyId
    const there = tenancyOf(config, access.compartmentId)
    const some = (kind: Rule['kind'], fits: (rule: Rule) => boolean): boolean =>
      rules.some((rule) => rule.kind === kind && fits(rule) && grants(rule, principal, permission, access))
    const covers = (rule: Rule): boolean =>
      rule.tenancyId === there && (rule.compartmentId ?? access.compartmentId) === access.compartmentId
    if (home === there) return some('allow', covers)
    return (
      some('endorse', (rule) => rule.tenancyId === home && rule.otherTenancyId === there) &&
      some('admit', (rule) => covers(rule) && rule.otherTenancyId === home)
    )
  }

  return {
    permits: (principal, access) =>
      [access.permissions, ...(access.or === undefined ? [] : [access.or])].some((permissions) =>
        permissions.every((permission) => permitsOne(principal, permission, access)),
      ),
  }
}

function resolve(
  config: EmulatorConfig,
  tenancyId: string,
  statements: readonly Statement[],
): readonly Rule[] {
  const defined = new Map<string, string>()
  const find = (
    what: string,
    name: string,
    things: readonly { name: string; tenancyId: string; id: string }[],
  ): string => {
    const id = things.find((thing) => thing.name === name && thing.tenancyId === tenancyId)?.id
    if (id === undefined)
      throw new CodedError('config.invalid', `policy names ${what} ${name}, which is not defined`)
    return id
  }
  const alias = (what: string, name: string): string => {
    const id = defined.get(`${what} ${name}`)
    if (id === undefined)
      throw new CodedError('config.invalid', `policy has no "Define ${what} ${name}" before its use`)
    return id
  }
  const rules: Rule[] = []
  for (const statement of statements) {
    if (statement.kind === 'define') {
      defined.set(`${statement.what} ${statement.name}`, statement.id)
      continue
    }
    const { kind, subject, permissions, where } = statement
    const location = statement.kind === 'endorse' ? undefined : statement.location
    rules.push({
      kind,
      tenancyId,
      permissions,
      where,
      // An Admit names a group of the other tenancy by its OCID. The other kinds name their own groups.
      groupId:
        kind === 'admit'
          ? alias(subject.kind, subject.name)
          : find(subject.kind, subject.name, subject.kind === 'group' ? config.groups : config.dynamicGroups),
      otherTenancyId: statement.kind === 'allow' ? undefined : alias('tenancy', statement.tenancy),
      compartmentId:
        location?.kind === 'compartment'
          ? find('compartment', location.name, config.compartments)
          : undefined,
    })
  }
  return rules
}

function fillIn(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/^[^#\n]*$/gm, (line) =>
    line.replace(/\$\{(\w+)\}/g, (_, name: string) => {
      const value = variables[name]
      if (value === undefined) throw new CodedError('config.invalid', `policy variable ${name} has no value`)
      return value
    }),
  )
}
