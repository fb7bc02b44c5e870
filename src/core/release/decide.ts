/**
 * May this client have this object, for this purpose, on this machine? All rules are evaluated, and the reasons of a
 * refusal are made by the same evaluation that decides.
 */

import type { AcceptedVerdict, Verdict } from '../appraisal/appraise.ts'
import { meetsAssurance } from '../appraisal/reference.ts'
import { CodedError, codeOf, type ErrorCode, type Refusal } from '../errors.ts'
import { covers, expandScopes } from '../fhir/scope.ts'
import { peekCompact, verifyCompact } from '../jws.ts'
import type { Dataset, Permission, Policy } from '../policy/policy.ts'
import type { Revocation } from '../policy/revocation.ts'
import { headerDigest, type SealHeader, SealHeaderFormat } from '../sealed/header.ts'
import { toRfc3339, type UnixSeconds } from '../time.ts'
import type { Asker } from './assertion.ts'
import type { ObjectReference, ReleaseJob } from './request.ts'

/** Who asks, from where, on what machine: all of it verified. */
export type Candidate = { readonly asker: Asker; readonly boot: string; readonly verdict: Verdict }

export type Rules = {
  readonly policy: Policy
  readonly revocation: Pick<Revocation, 'objects' | 'permissions' | 'boots'>
  readonly now: UnixSeconds
}

export type GrantedObject = {
  readonly reference: ObjectReference
  readonly header: SealHeader
  readonly headerDigest: Buffer
}

export type Granted = {
  readonly kind: 'granted'
  readonly verdict: AcceptedVerdict
  readonly dataset: Dataset
  readonly permission: Permission
  readonly objects: readonly GrantedObject[]
  readonly scopes: readonly string[]
  /** The machine's administrator belongs to the consumer: what is released is disclosed as a whole. */
  readonly disclosure: boolean
}
export type Refused = { readonly kind: 'refused'; readonly reasons: readonly Refusal[] }

export function decideJob(job: ReleaseJob, candidate: Candidate, rules: Rules): Granted | Refused {
  const { asker, verdict } = candidate
  const inadmissible = [
    ...(verdict.kind === 'refused' ? verdict.reasons : []),
    ...bootReasons(candidate, rules),
  ]
  const { objects, refused } = readHeaders(job)
  const [first] = objects
  if (first === undefined || refused.length > 0)
    return { kind: 'refused', reasons: [...inadmissible, ...refused] }

  // One look-up answers for unknown and for ungranted: without a permission nothing else is said or looked at.
  const entry = lookUp(first.header, asker, rules)
  if (entry === undefined)
    return { kind: 'refused', reasons: [...inadmissible, ungranted(first.header, asker)] }

  const { dataset, permission } = entry
  const reasons = [
    ...inadmissible,
    ...objects.flatMap((object) => objectReasons(object, dataset, rules)),
    ...(verdict.kind === 'accepted' ? platformReasons(verdict, dataset) : []),
    ...entry.reasons,
  ]
  if (verdict.kind === 'refused' || reasons.length > 0) return { kind: 'refused', reasons }
  return {
    kind: 'granted',
    verdict,
    dataset,
    permission,
    objects,
    scopes: expandScopes(asker.scopes),
    disclosure: isDisclosure(verdict, dataset),
  }
}

function readHeaders(job: ReleaseJob): { objects: GrantedObject[]; refused: Refusal[] } {
  const objects: GrantedObject[] = []
  const refused: Refusal[] = []
  // Several objects are one job only under a set record, which this version does not read: it would otherwise decide
  // on a part as if it were the whole.
  if (job.set !== undefined || job.objects.length !== 1)
    refused.push(
      refusal(
        'request.malformed',
        'jobs.objects',
        'one object and no set record',
        'a set',
        'ask object by object',
      ),
    )
  for (const reference of job.objects) {
    try {
      const { payload } = peekCompact(SealHeaderFormat, reference.header, 'object.malformed')
      objects.push({ reference, header: payload, headerDigest: headerDigest(reference.header) })
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      refused.push(
        refusal('object.malformed', 'header', 'a seal header v1', error.message, 'seal the object again'),
      )
    }
  }
  return { objects, refused }
}

type Entry = {
  readonly dataset: Dataset
  readonly permission: Permission
  readonly reasons: readonly Refusal[]
}

/** The permission that fits; where several name this client and purpose, the one that lacks least. */
function lookUp(header: SealHeader, asker: Asker, { policy, revocation, now }: Rules): Entry | undefined {
  const dataset =
    header.tenant === policy.tenant ? policy.datasets.find(({ id }) => id === header.dataset) : undefined
  const candidates = (dataset?.permissions ?? []).filter(
    ({ id, client, purpose }) =>
      client === asker.client && purpose === asker.purpose && !revocation.permissions.includes(id),
  )
  let nearest: Entry | undefined
  for (const permission of candidates) {
    const reasons = permissionReasons(permission, asker, now)
    if (dataset !== undefined && (nearest === undefined || reasons.length < nearest.reasons.length))
      nearest = { dataset, permission, reasons }
  }
  return nearest
}

function ungranted({ tenant, dataset }: SealHeader, { client, purpose }: Asker): Refusal {
  return refusal(
    'permission.none',
    'datasets.permissions',
    `a permission in ${tenant}/${dataset}`,
    `none in force for ${client} and ${purpose}`,
    'add a permission to the policy, if this use is meant to be allowed',
  )
}

function bootReasons({ boot }: Candidate, { revocation }: Rules): Refusal[] {
  return revocation.boots.includes(boot)
    ? [
        refusal(
          'boot.mismatch',
          'boot',
          'not revoked',
          `${boot} is revoked`,
          'restart the worker, if its machine is to be trusted again',
        ),
      ]
    : []
}

function permissionReasons(permission: Permission, asker: Asker, now: UnixSeconds): Refusal[] {
  const field = `permission ${permission.id}`
  const reasons: Refusal[] = []
  if (now < permission.notBefore || now >= permission.notAfter)
    reasons.push(
      refusal(
        'permission.expired',
        field,
        `from ${rfc3339(permission.notBefore)} until ${rfc3339(permission.notAfter)}`,
        rfc3339(now),
        'renew the permission',
      ),
    )
  return [...reasons, ...scopeReasons(field, permission.scopes, asker.scopes)]
}

function scopeReasons(field: string, granted: readonly string[], requested: readonly string[]): Refusal[] {
  const reasons: Refusal[] = []
  for (const scope of requested) {
    const problem = scopeProblem(granted, scope)
    if (problem !== undefined)
      reasons.push(
        refusal(problem, `${field}.scopes`, granted.join(' '), scope, 'ask for less, or grant this scope'),
      )
  }
  return reasons
}

function scopeProblem(granted: readonly string[], scope: string): ErrorCode | undefined {
  try {
    return covers(granted, [scope]) ? undefined : 'scope.exceeded'
  } catch (error) {
    if (codeOf(error) !== 'scope.invalid') throw error
    return 'scope.invalid'
  }
}

function objectReasons({ reference, header }: GrantedObject, dataset: Dataset, rules: Rules): Refusal[] {
  const field = `object ${header.sealId}`
  const reasons: Refusal[] = []
  const demand = (
    holds: boolean,
    code: ErrorCode,
    what: string,
    expected: string,
    actual: string,
    remedy: string,
  ) => {
    if (!holds) reasons.push(refusal(code, `${field}.${what}`, expected, actual, remedy))
  }
  demand(
    isSealedBy(dataset, reference.header),
    'object.unsigned',
    'signature',
    `a sealing key of ${dataset.id}`,
    'another key, or a signature that does not verify',
    'list the sealing key in the policy, if it is one',
  )
  demand(
    reference.name === header.object,
    'object.misplaced',
    'name',
    header.object,
    reference.name,
    'store the object under the name that it was sealed for',
  )
  demand(
    dataset.keyIds.includes(header.custody.keyId),
    'object.unsigned',
    'custody.keyId',
    `a key of ${dataset.id}`,
    header.custody.keyId,
    'seal the object again under a key of its dataset',
  )
  demand(
    header.sealedAt >= dataset.notSealedBefore,
    'object.withdrawn',
    'sealedAt',
    `at or after ${rfc3339(dataset.notSealedBefore)}`,
    rfc3339(header.sealedAt),
    'seal the object again',
  )
  demand(
    !rules.revocation.objects.includes(header.sealId),
    'object.withdrawn',
    'sealId',
    'not withdrawn',
    'withdrawn by the revocation list',
    'none: the provider has withdrawn it',
  )
  return reasons
}

function isSealedBy(dataset: Dataset, header: string): boolean {
  try {
    verifyCompact(SealHeaderFormat, header, dataset.sealingKeys, 'object.unsigned')
    return true
  } catch (error) {
    if (codeOf(error) === 'object.unsigned') return false
    throw error
  }
}

function platformReasons(verdict: AcceptedVerdict, dataset: Dataset): Refusal[] {
  const reasons: Refusal[] = []
  if (!meetsAssurance(verdict.assurance, dataset.assurance.level))
    reasons.push(
      refusal(
        'assurance.insufficient',
        `dataset ${dataset.id}.assurance`,
        dataset.assurance.level,
        verdict.assurance,
        'run the worker where the launch digest covers its whole image',
      ),
    )
  if (verdict.simulated && !dataset.synthetic)
    reasons.push(
      refusal(
        'root.untrusted',
        `dataset ${dataset.id}.synthetic`,
        'a root of AMD, since the data are real',
        'a simulated root',
        'run the worker on SEV-SNP hardware',
      ),
    )
  return reasons
}

function isDisclosure(verdict: AcceptedVerdict, { assurance }: Dataset): boolean {
  return (
    verdict.assurance === 'platform' &&
    assurance.level === 'platform' &&
    assurance.administeredBy === 'consumer'
  )
}

function rfc3339(time: number): string {
  return toRfc3339(time as UnixSeconds)
}

function refusal(code: ErrorCode, field: string, expected: string, actual: string, remedy: string): Refusal {
  return { code, field, expected, actual, remedy }
}
