/** What a policy's schema cannot say: rules across its fields, and between it and the Verifier that loads it. */

import { CodedError } from '../errors.ts'
import { expandScopes } from '../fhir/scope.ts'
import { importJwk } from '../jwk.ts'
import type { Policy } from './policy.ts'

/** What of the Verifier's own configuration a policy must agree with. */
export type LoadingVerifier = {
  readonly audience: string
  readonly tenant: string
  readonly simulation: boolean
  /** Every endpoint of Vault that this Verifier uses is on loopback. */
  readonly vaultOnLoopback: boolean
}

/** All problems at once, as `policy.invalid`. */
export function checkPolicy(policy: Policy, verifier: LoadingVerifier): void {
  const problems = [
    ...identityProblems(policy, verifier),
    ...simulationProblems(policy, verifier),
    ...uniquenessProblems(policy),
    ...chipProblems(policy),
    ...windowProblems(policy),
    ...keyProblems(policy),
    ...scopeProblems(policy),
  ]
  if (problems.length > 0)
    throw new CodedError('policy.invalid', `policy ${policy.seq} does not load: ${problems.join('; ')}`)
}

function identityProblems(policy: Policy, { audience, tenant }: LoadingVerifier): string[] {
  return [
    ...(policy.audience === audience ? [] : ['audience is not this Verifier']),
    ...(policy.tenant === tenant ? [] : ['tenant is not the tenant of this Verifier']),
  ]
}

/** A simulated root can sign any report: it may decide on data that nobody's privacy hangs on, and nothing else. */
function simulationProblems(policy: Policy, { simulation, vaultOnLoopback }: LoadingVerifier): string[] {
  const problems: string[] = []
  if (policy.simulation !== simulation)
    problems.push(`simulation is ${policy.simulation}, the Verifier's is not`)
  if (!policy.simulation && policy.roots.some((root) => root.simulated))
    problems.push('roots: a simulated root without simulation')
  if (!policy.simulation) return problems
  if (!vaultOnLoopback) problems.push('simulation beside a Vault endpoint outside loopback')
  for (const { id, synthetic } of policy.datasets)
    if (!synthetic) problems.push(`dataset ${id} is not synthetic in a simulation`)
  return problems
}

function uniquenessProblems({ roots, referenceValues, clients, datasets }: Policy): string[] {
  return [
    ...repeated(
      'root',
      roots.map(({ ark }) => ark),
    ),
    ...repeated(
      'reference',
      referenceValues.map(({ id }) => id),
    ),
    // Of two floors for one stepping the lower would be as good as none.
    ...referenceValues.flatMap(({ id, processors }) =>
      repeated(
        `in reference ${id} processor`,
        processors.map(({ product, family, model, stepping }) =>
          [product, family, model, stepping].join('/'),
        ),
      ),
    ),
    ...repeated(
      'client',
      clients.map(({ id }) => id),
    ),
    ...repeated(
      'client key',
      clients.flatMap(({ keys }) => keys.map(({ x }) => x)),
    ),
    ...repeated(
      'dataset',
      datasets.map(({ id }) => id),
    ),
    // Across datasets too: the revocation list names permissions by their id alone.
    ...repeated(
      'permission',
      datasets.flatMap(({ permissions }) => permissions.map(({ id }) => id)),
    ),
  ]
}

function repeated(what: string, values: readonly string[]): string[] {
  const twice = new Set(values.filter((value, index) => values.indexOf(value) !== index))
  return [...twice].map((value) => `${what} ${value} stands twice`)
}

function windowProblems({ issuedAt, expiresAt, referenceValues, clients, datasets }: Policy): string[] {
  const problems: string[] = []
  const expectWindow = (what: string, from: number, until: number) => {
    if (from >= until) problems.push(`${what} ends before it begins`)
  }
  expectWindow('the policy', issuedAt, expiresAt)
  for (const reference of referenceValues)
    expectWindow(`reference ${reference.id}`, reference.notBefore, reference.notAfter)
  const known = new Set(clients.map(({ id }) => id))
  for (const { permissions } of datasets)
    for (const permission of permissions) {
      expectWindow(`permission ${permission.id}`, permission.notBefore, permission.notAfter)
      if (!known.has(permission.client))
        problems.push(`permission ${permission.id} names no client of the policy`)
    }
  return problems
}

/** The seed of a Milan chip's key can be read out by software (AMD-SB-3045): its reports count for chips whose history is known. */
function chipProblems({ referenceValues }: Policy): string[] {
  return referenceValues
    .filter(
      ({ processors, chips }) => chips === 'any' && processors.some(({ product }) => product === 'Milan'),
    )
    .map(({ id }) => `reference ${id} approves Milan without a list of chips`)
}

/** A key off its curve would otherwise be found at the first request that needs it. */
function keyProblems({ clients, datasets, auditKey }: Policy): string[] {
  const keys = [
    { what: 'auditKey', jwk: auditKey },
    ...clients.flatMap(({ id, keys: own }) => own.map((jwk) => ({ what: `client ${id}`, jwk }))),
    ...datasets.flatMap(({ id, sealingKeys, permissions }) => [
      ...sealingKeys.map((jwk) => ({ what: `dataset ${id}`, jwk })),
      ...permissions.map(({ id: permission, recipient }) => ({
        what: `permission ${permission}`,
        jwk: recipient.jwk,
      })),
    ]),
  ]
  return keys.flatMap(({ what, jwk }) => {
    try {
      importJwk(jwk)
      return []
    } catch {
      return [`${what} has a key that is none`]
    }
  })
}

function scopeProblems({ datasets }: Policy): string[] {
  return datasets.flatMap(({ permissions }) =>
    permissions.flatMap(({ id, scopes }) => {
      try {
        expandScopes(scopes)
        return []
      } catch {
        return [`permission ${id} has a scope that is none`]
      }
    }),
  )
}
