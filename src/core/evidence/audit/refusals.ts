/** Reports what was refused, and compares it with the policy that it names. */
import type { Context } from './context.ts'
import type { Accepted, Histories, Logged, RefusedJobs } from './histories.ts'
import type { RefusedRelease } from './report.ts'

/** Requests that were refused as a whole, and jobs. */
export function judgeRefusals(
  context: Pick<Context, 'anchors' | 'findings' | 'histories'>,
): RefusedRelease[] {
  const { refusedWorkers, refusedJobs } = context.histories
  for (const refused of refusedWorkers) judgeRefused(refused, context)
  const denied = deniedJobs(context.histories)
  const deniedAs = ({ entry }: Logged<'worker.refused'> | RefusedJobs) => denied.get(entry.denialId) ?? []
  return [
    ...refusedWorkers.map((refused) => ({
      ...common(refused, refused.entry),
      nearest: refused.entry.nearest,
      reference: null,
      quota: null,
      denied: deniedAs(refused),
    })),
    ...refusedJobs.map((refused) => ({
      ...common(refused, refused.accepted),
      nearest: [],
      reference: refused.accepted?.reference ?? null,
      quota: refused.entry.quota,
      denied: deniedAs(refused),
    })),
  ]
}

/** The nearest reference values are of the policy that was in force, and as near as the reasons say. */
function judgeRefused(
  refused: Logged<'worker.refused'>,
  { anchors: { governed }, findings }: Pick<Context, 'anchors' | 'findings'>,
): void {
  const { denialId, policySeq, nearest } = refused.entry
  const policy = governed.policyOf(refused, policySeq)
  if (policy === undefined) {
    findings.missing(`policy ${policySeq}`, refused)
    return
  }
  const foreign = nearest.filter(({ reference }) =>
    policy.referenceValues.every(({ id }) => id !== reference),
  )
  if (foreign.length > 0)
    findings.at(refused, `denial ${denialId}`)(
      'decision.unfounded',
      `policy ${policySeq} has no ${foreign.map(({ reference }) => reference).join(', ')}`,
    )
}

function deniedJobs({ denials }: Histories): ReadonlyMap<string, RefusedRelease['denied']> {
  const jobs = new Map<string, RefusedRelease['denied'][number][]>()
  for (const { boot: log, entry } of denials) {
    const { denialId, jobId, traceparent } = entry
    const said = jobs.get(denialId) ?? []
    jobs.set(denialId, said)
    said.push({ log, jobId, traceparent })
  }
  return jobs
}

type Worker = Pick<
  Logged<'worker.refused'>['entry'] | Accepted,
  'boot' | 'client' | 'purpose' | 'measurement' | 'policySeq' | 'revocationSeq'
>

function common(
  { boot: log, index, entry }: Logged<'worker.refused'> | RefusedJobs,
  worker: Worker | undefined,
) {
  const { denialId, time, headerDigests, traceparents, reasons } = entry
  return {
    kind: 'refused' as const,
    denialId,
    time,
    log,
    index,
    boot: worker?.boot ?? null,
    client: worker?.client ?? null,
    purpose: worker?.purpose ?? null,
    objects: headerDigests.length,
    traceparents,
    measurement: worker?.measurement ?? null,
    policySeq: worker?.policySeq ?? null,
    revocationSeq: worker?.revocationSeq ?? null,
    reasons,
  }
}
