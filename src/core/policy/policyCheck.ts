/**
 * The rules that a schema cannot express: between the fields of a policy, and between it and its Verifier.
 */
import { CodedError } from '../errors.ts'
import { CODE_TABLE_DIGEST } from '../fhir/codeTable.ts'
import { importJwk } from '../jwk.ts'
import type { Policy } from './policy.ts'
import { realDataProblems } from './realData.ts'
import { grantedTerms } from './terms.ts'

const DAY = 86_400
/** A policy that storage keeps showing ends by itself. */
const LONGEST_LIFE_SECONDS = 90 * DAY

/** The part of a Verifier's configuration that a policy must agree with. */
export type LoadingVerifier = {
  readonly simulation: boolean
  /** True if every Vault endpoint of this Verifier is on loopback. */
  readonly vaultOnLoopback: boolean
}

/** Throws `policy.invalid` with all problems at once. */
export function checkPolicy(policy: Policy, verifier: LoadingVerifier): void {
  const problems = policyProblems(policy, verifier)
  if (problems.length > 0)
    throw new CodedError('policy.invalid', `policy ${policy.seq} does not load: ${problems.join('; ')}`)
}

/** A sentence for each rule that the policy breaks. */
export function policyProblems(policy: Policy, verifier: LoadingVerifier): readonly string[] {
  return [
    ...simulationProblems(policy, verifier),
    ...uniquenessProblems(policy),
    ...chipProblems(policy),
    ...realDataProblems(policy),
    ...windowProblems(policy),
    ...keyProblems(policy),
    ...scopeProblems(policy),
    ...codeTableProblems(policy),
    ...populationProblems(policy),
  ]
}

/** A simulated root can sign any report, so it may only release synthetic data. */
function simulationProblems(policy: Policy, { simulation, vaultOnLoopback }: LoadingVerifier): string[] {
  const problems: string[] = []
  if (policy.simulation !== simulation)
    problems.push(`simulation is ${policy.simulation}, this Verifier's is ${simulation}`)
  if (!policy.simulation && policy.roots.some((root) => root.simulated))
    problems.push('roots contains a simulated root outside simulation')
  if (!policy.simulation) return problems
  if (!vaultOnLoopback) problems.push('simulation is true, but a Vault endpoint is not on loopback')
  for (const { id, synthetic } of policy.datasets)
    if (!synthetic) problems.push(`dataset ${id} is not synthetic, which simulation requires`)
  return problems
}

function uniquenessProblems({ roots, referenceValues, clients, populations, datasets }: Policy): string[] {
  const arks = roots.map(({ ark }) => ark)
  const clientKeys = clients.flatMap(({ keys }) => keys.map(({ x }) => x))
  return [
    ...repeated('root', arks),
    ...repeated('reference', idsOf(referenceValues)),
    ...referenceValues.flatMap(processorProblems),
    ...repeated('client', idsOf(clients)),
    ...repeated('client key', clientKeys),
    ...repeated('population', idsOf(populations)),
    ...repeated('dataset', idsOf(datasets)),
    // Across datasets too: the revocation list names permissions only by their id.
    ...repeated('permission', idsOf(datasets.flatMap(({ permissions }) => permissions))),
  ]
}

/** With two floors for one stepping, the lower would decide. */
function processorProblems({ id, processors }: Policy['referenceValues'][number]): string[] {
  const steppings = processors.map(({ product, family, model, stepping }) =>
    [product, family, model, stepping].join('/'),
  )
  return repeated(`reference ${id}: processor`, steppings)
}

function idsOf(rows: readonly { readonly id: string }[]): readonly string[] {
  return rows.map(({ id }) => id)
}

function repeated(what: string, values: readonly string[]): string[] {
  const twice = new Set(values.filter((value, index) => values.indexOf(value) !== index))
  return [...twice].map((value) => `${what} ${value} appears twice`)
}

function windowProblems({ issuedAt, expiresAt, referenceValues, clients, datasets }: Policy): string[] {
  const problems: string[] = []
  const expectWindow = (what: string, from: number, until: number) => {
    if (from >= until) problems.push(`${what} ends before it begins`)
  }
  expectWindow('the policy', issuedAt, expiresAt)
  if (expiresAt - issuedAt > LONGEST_LIFE_SECONDS)
    problems.push(`the policy lives ${Math.ceil((expiresAt - issuedAt) / DAY)} days, at most 90 are allowed`)
  for (const reference of referenceValues)
    expectWindow(`reference ${reference.id}`, reference.notBefore, reference.notAfter)
  const known = new Set(clients.map(({ id }) => id))
  for (const { permissions } of datasets)
    for (const permission of permissions) {
      expectWindow(`permission ${permission.id}`, permission.notBefore, permission.notAfter)
      if (!known.has(permission.client))
        problems.push(`permission ${permission.id}: client ${permission.client} is not in clients`)
    }
  return problems
}

/**
 * Software can read the seed of a Milan chip's key (AMD-SB-3045). Only chips whose history the provider knows
 * can therefore be trusted.
 */
function chipProblems({ referenceValues }: Policy): string[] {
  return referenceValues
    .filter(
      ({ processors, chips }) => chips === 'any' && processors.some(({ product }) => product === 'Milan'),
    )
    .map(({ id }) => `reference ${id} approves Milan, which requires a list of chips`)
}

/** Otherwise only the first request that needs it would find a key that is not on its curve. */
function keyProblems({ clients, datasets, auditKey }: Policy): string[] {
  const keys = [
    { what: 'auditKey', jwk: auditKey },
    ...clients.flatMap(({ id, keys: own }) => own.map((jwk) => ({ what: `client ${id}`, jwk }))),
    ...datasets.flatMap(({ id, sealingKeys, consent, permissions }) => [
      ...[...sealingKeys, ...(consent?.keys ?? [])].map((jwk) => ({ what: `dataset ${id}`, jwk })),
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
      return [`${what} contains an invalid key`]
    }
  })
}

function scopeProblems({ datasets }: Policy): string[] {
  return datasets.flatMap(({ permissions }) =>
    permissions.flatMap((permission) => {
      try {
        grantedTerms(permission)
        return []
      } catch (error) {
        if (!(error instanceof CodedError)) throw error
        return [`permission ${permission.id}: ${error.message}`]
      }
    }),
  )
}

/** No worker has another table, so a grant that names one would be refused by all. */
function codeTableProblems({ datasets }: Policy): string[] {
  return datasets.flatMap(({ permissions }) =>
    permissions
      .filter(({ codeTable }) => codeTable !== CODE_TABLE_DIGEST)
      .map(({ id }) => `permission ${id}: codeTable is not the built-in one, ${CODE_TABLE_DIGEST}`),
  )
}

function populationProblems({ populations, datasets }: Policy): string[] {
  const known = new Set(idsOf(populations))
  return datasets
    .filter(({ population }) => !known.has(population))
    .map(({ id, population }) => `dataset ${id}: population ${population} is not in populations`)
}
