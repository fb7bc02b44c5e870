/** Compares the entries on the jobs of a request with their decisions, made again. */
import { toBase64url } from '../../bytes.ts'
import { grantedTerms } from '../../policy/terms.ts'
import { decideJobs, type GrantedJob, type RefusedJob, type Rules } from '../../release/decide.ts'
import type { ReleaseJob } from '../../release/request.ts'
import type { AcceptedRequester } from '../../release/requester.ts'
import { headerDigest } from '../../sealed/header.ts'
import type { Placed, Problem, RecordedCase } from './case.ts'
import { codesOf } from './verdict.ts'

/** A decided release that is granted again. */
export type GrantedAgain = { readonly placed: Placed<'release.decided'>; readonly job: GrantedJob }

export function reviewJobs(
  { worker, decided, refused, whole }: RecordedCase,
  jobs: readonly ReleaseJob[],
  requester: AcceptedRequester,
  rules: Rules,
): { readonly problems: readonly Problem[]; readonly granted: readonly GrantedAgain[] } {
  const problems: Problem[] = []
  const granted: GrantedAgain[] = []
  const find = (index: number, text: string) => problems.push({ code: 'decision.contradicted', index, text })
  const left = [...decided]
  for (const [n, again] of decideJobs(jobs, requester, rules).entries()) {
    const job = jobs[n]
    if (job === undefined) continue
    const digests = job.objects.map(({ header }) => toBase64url(headerDigest(header)))
    const at = left.findIndex(
      ({ entry }) => entry.traceparent === job.traceparent && entry.headerDigests.join() === digests.join(),
    )
    const [placed] = at === -1 ? [] : left.splice(at, 1)
    if (placed !== undefined) {
      const { releaseId } = placed.entry
      if (again.kind === 'refused')
        find(placed.index, `release ${releaseId}: decided again, it is refused: ${codesOf(again.reasons)}`)
      else {
        for (const field of differencesOf(placed, again))
          find(placed.index, `release ${releaseId}: decided again, it has another ${field}`)
        granted.push({ placed, job: again })
      }
      continue
    }
    const denials = refused.filter(({ entry }) =>
      digests.every((digest) => entry.headerDigests.includes(digest)),
    )
    if (denials.length === 0) {
      if (whole) find(worker.index, `job ${n} has no decision`)
    } else if (!denials.some((denial) => isSameRefusal(denial, again)))
      for (const { index, entry } of denials)
        find(index, `denial ${entry.denialId}: decided again, job ${n} ${outcomeOf(again)}`)
  }
  for (const { index, entry } of left) find(index, `release ${entry.releaseId} is of no job of the request`)
  return { problems, granted }
}

function differencesOf(
  { entry }: Placed<'release.decided'>,
  { permission, dataset, disclosure }: GrantedJob,
): readonly string[] {
  const { termsDigest, scopesDigest } = grantedTerms(permission)
  const again = {
    permission: permission.id,
    dataset: dataset.id,
    edition: permission.edition,
    termsDigest,
    scopesDigest,
    disclosure,
  }
  return Object.entries(again).flatMap(([field, value]) =>
    entry[field as keyof typeof again] === value ? [] : [field],
  )
}

/** What a quota refuses, or what could not be charged to it, is granted without it. */
function isSameRefusal({ entry }: Placed<'release.refused'>, again: GrantedJob | RefusedJob): boolean {
  if (again.kind === 'refused')
    return codesOf(again.reasons.slice(0, entry.reasons.length)) === codesOf(entry.reasons)
  const of = `permission ${again.permission.id}.quota`
  return entry.reasons.every(({ field }) => field === of || field.startsWith(`${of}.`))
}

function outcomeOf(again: GrantedJob | RefusedJob): string {
  return again.kind === 'granted' ? 'is granted' : `is refused: ${codesOf(again.reasons)}`
}
