/**
 * Decides whether a client may have an object or a set of them, for a purpose, on a machine. Every rule is evaluated, and the
 * reasons of a refusal come from the same evaluation that decides.
 */
import type { AcceptedVerdict } from '../appraisal/appraise.ts'
import { CodedError, type Refusal } from '../errors.ts'
import { peekCompact, type SignedFormat } from '../jws.ts'
import type { ConsentUnion } from '../policy/consentUnion.ts'
import type { Dataset, Permission, Policy } from '../policy/policy.ts'
import type { Revocation } from '../policy/revocation.ts'
import { headerDigest, type SealHeader, SealHeaderFormat } from '../sealed/header.ts'
import { SetRecordFormat } from '../sealed/setRecord.ts'
import type { UnixSeconds } from '../time.ts'
import { consentReasons } from './consentRules.ts'
import { objectReasons } from './objectRules.ts'
import { lookUpPermission, noPermission, type PermissionMatch } from './permissionRules.ts'
import { isDisclosure, platformReasons } from './platformRules.ts'
import type { ObjectReference, ReleaseJob } from './request.ts'
import type { AcceptedRequester } from './requester.ts'
import { type ReadSet, setReasons } from './setRules.ts'
import { digestOfText } from './unsaid.ts'

export type Rules = {
  readonly policy: Policy
  readonly revocation: Pick<Revocation, 'objects' | 'permissions'>
  /** Of the datasets whose lists a freshness statement names. */
  readonly consent: ReadonlyMap<string, ConsentUnion>
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
  /** The id of the set whose members the objects are; null for one object of its own. */
  readonly set: string | null
  /** In the order of the set record. */
  readonly objects: readonly GrantedObject[]
  /** Who has withdrawn from the dataset; null if it has no consent lists. */
  readonly consent: ConsentUnion | null
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
  const { set, objects, refused } = readDocuments(job)
  const [first] = objects
  if (first === undefined || refused.length > 0) return { kind: 'refused', reasons: refused }

  // An unknown object and one without a permission get the same answer: nothing else about it is looked at.
  const match = matchOf(first.header)
  if (match === undefined)
    return { kind: 'refused', reasons: [noPermission(first.header, asker, rules.policy)] }

  const { dataset, permission } = match
  const reasons = [
    ...setReasons(set, objects, dataset),
    ...objects.flatMap((object) => objectReasons(object, dataset, rules.revocation)),
    ...consentReasons(dataset, rules.consent),
    ...platformReasons(verdict, dataset),
    ...match.reasons,
  ]
  if (reasons.length > 0) return { kind: 'refused', reasons }
  return {
    kind: 'granted',
    verdict,
    dataset,
    permission,
    set: set?.record.set ?? null,
    objects,
    consent: dataset.consent === null ? null : (rules.consent.get(dataset.id) ?? null),
    disclosure: isDisclosure(verdict, dataset),
  }
}

type Documents = {
  readonly set: ReadSet | null
  readonly objects: readonly GrantedObject[]
  readonly refused: readonly Refusal[]
}

function readDocuments(job: ReleaseJob): Documents {
  const refused: Refusal[] = []
  const read = <T>(format: SignedFormat<T>, field: string, jws: string): T | undefined => {
    try {
      return peekCompact(format, jws, 'object.malformed').payload
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      refused.push({
        code: 'object.malformed',
        field,
        expected: `a ${format.name} v1`,
        actual: digestOfText(jws),
        remedy: 'seal the content again',
      })
      return undefined
    }
  }
  const record = job.set === undefined ? undefined : read(SetRecordFormat, 'set', job.set)
  const set = job.set === undefined || record === undefined ? null : { jws: job.set, record }
  const objects = job.objects.flatMap((reference) => {
    const header = read(SealHeaderFormat, 'header', reference.header)
    return header === undefined ? [] : { reference, header, headerDigest: headerDigest(reference.header) }
  })
  return { set, objects, refused }
}
