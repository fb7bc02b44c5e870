/**
 * Decides whether a client may have an object, for a purpose, on a machine. Every rule is evaluated, and the
 * reasons of a refusal come from the same evaluation that decides.
 */
import type { AcceptedVerdict } from '../appraisal/appraise.ts'
import { CodedError, type Refusal } from '../errors.ts'
import { peekCompact } from '../jws.ts'
import type { Dataset, Permission, Policy } from '../policy/policy.ts'
import type { Revocation } from '../policy/revocation.ts'
import { headerDigest, type SealHeader, SealHeaderFormat } from '../sealed/header.ts'
import type { UnixSeconds } from '../time.ts'
import { objectReasons } from './objectRules.ts'
import { lookUpPermission, noPermission, type PermissionMatch } from './permissionRules.ts'
import { isDisclosure, platformReasons } from './platformRules.ts'
import type { ObjectReference, ReleaseJob } from './request.ts'
import type { AcceptedRequester } from './requester.ts'
import { digestOfText } from './unsaid.ts'

export type Rules = {
  readonly policy: Policy
  readonly revocation: Pick<Revocation, 'objects' | 'permissions'>
  readonly now: UnixSeconds
}

export type GrantedObject = {
  readonly reference: ObjectReference
  readonly header: SealHeader
  readonly headerDigest: Buffer
}

export type GrantedJob = {
  readonly kind: 'granted'
  readonly verdict: AcceptedVerdict
  readonly dataset: Dataset
  readonly permission: Permission
  readonly objects: readonly GrantedObject[]
  /** The consumer administers the machine: the release discloses the whole object. */
  readonly disclosure: boolean
}
export type RefusedJob = { readonly kind: 'refused'; readonly reasons: readonly Refusal[] }

/** One decision per job, in order. */
export function decideJobs(
  jobs: readonly ReleaseJob[],
  requester: AcceptedRequester,
  rules: Rules,
): readonly (GrantedJob | RefusedJob)[] {
  const matches = new Map<string, PermissionMatch | undefined>()
  // What a dataset permits this requester is the same for all of its objects.
  const matchOf: LookUp = (header) => {
    const { tenant, dataset } = header
    const key = `${tenant} ${dataset}`
    if (!matches.has(key)) matches.set(key, lookUpPermission(header, requester.asker, rules))
    return matches.get(key)
  }
  return jobs.map((job) => decideJob(job, requester, rules, matchOf))
}

type LookUp = (header: SealHeader) => PermissionMatch | undefined

function decideJob(
  job: ReleaseJob,
  { asker, verdict }: AcceptedRequester,
  rules: Rules,
  matchOf: LookUp,
): GrantedJob | RefusedJob {
  const { objects, refused } = readHeaders(job)
  const [first] = objects
  if (first === undefined || refused.length > 0) return { kind: 'refused', reasons: refused }

  // An unknown object and one without a permission get the same answer: nothing else about it is looked at.
  const match = matchOf(first.header)
  if (match === undefined)
    return { kind: 'refused', reasons: [noPermission(first.header, asker, rules.policy)] }

  const { dataset, permission } = match
  const reasons = [
    ...objects.flatMap((object) => objectReasons(object, dataset, rules.revocation)),
    ...platformReasons(verdict, dataset),
    ...match.reasons,
  ]
  if (reasons.length > 0) return { kind: 'refused', reasons }
  return {
    kind: 'granted',
    verdict,
    dataset,
    permission,
    objects,
    disclosure: isDisclosure(verdict, dataset),
  }
}

function readHeaders(job: ReleaseJob): { objects: GrantedObject[]; refused: Refusal[] } {
  const objects: GrantedObject[] = []
  const refused: Refusal[] = []
  // Only a set record makes several objects one job, and this version does not read set records. It would
  // otherwise decide on a part as if it were the whole.
  if (job.set !== undefined || job.objects.length !== 1)
    refused.push({
      code: 'request.malformed',
      field: 'jobs.objects',
      expected: 'one object and no set record',
      actual: 'a set',
      remedy: 'ask object by object',
    })
  for (const reference of job.objects) {
    try {
      const { payload } = peekCompact(SealHeaderFormat, reference.header, 'object.malformed')
      objects.push({ reference, header: payload, headerDigest: headerDigest(reference.header) })
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      refused.push({
        code: 'object.malformed',
        field: 'header',
        expected: 'a seal header v1',
        actual: digestOfText(reference.header),
        remedy: 'seal the object again',
      })
    }
  }
  return { objects, refused }
}
