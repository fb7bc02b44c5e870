/** Reviews each request from the record: its proof, its decision, its grants. */
import { CodedError } from '../../../errors.ts'
import { type RecordedKind, RequestRecordFormat } from '../../record.ts'
import type { CaseObjects, CaseRules, RecordedCase } from '../../review/case.ts'
import type { Context, Rule } from '../context.ts'
import type { Decided, RefusedJobs } from '../life.ts'
import type { AnyLogged } from '../log/log.ts'
import { RecordReader } from '../recordReader.ts'
import { RequestCases } from '../requestCases.ts'

/** Read, and reviewed in one thread, together. */
const TOGETHER = 32

export function requests({ collection, anchors, findings, compute }: Context): Rule {
  const cases = new RequestCases()
  const reader = new RecordReader(collection.verifierLogs, findings)
  let stray: AnyLogged | undefined
  return {
    entry: (logged) => {
      stray = cases.record(logged) ? undefined : logged
    },
    decision: expectInCase,
    refusal: expectInCase,
    catchUp: async () => {
      if (cases.ready >= TOGETHER) await reviewAll(cases.take())
    },
    end: async () => {
      cases.close()
      await reviewAll(cases.take())
    },
  }

  /** What names a worker that was never accepted, or whose entry is lost, has its own finding. */
  function expectInCase({ boot, index, entry, accepted }: Decided | RefusedJobs): void {
    if (accepted !== undefined && stray?.boot === boot && stray.index === index)
      findings.at({ boot, index })(
        'decision.contradicted',
        `it does not follow entry ${entry.accepted}, whose request it is about`,
      )
  }

  async function reviewAll(all: readonly RecordedCase[]): Promise<void> {
    for (let from = 0; from < all.length; from += TOGETHER * 8) {
      const some = all.slice(from, from + TOGETHER * 8)
      const batches = Map.groupBy(some, (_, n) => Math.floor(n / TOGETHER)).values()
      await Promise.all([...batches].map(review))
    }
  }

  async function review(some: readonly RecordedCase[]): Promise<void> {
    const read = await Promise.all(
      some.map(async (recorded) => ({
        recorded,
        objects: await objectsOf(recorded, reader),
        rules: rulesOf(recorded, anchors),
      })),
    )
    // One policy is copied to a thread once for all cases under it.
    const known = read.flatMap(({ recorded, objects, rules }) =>
      objects === undefined || rules === undefined ? [] : [{ recorded, objects, rules }],
    )
    for (const ofPolicy of Map.groupBy(known, ({ rules }) => rules.policy).values())
      for (const group of Map.groupBy(ofPolicy, ({ rules }) => rules.revocation).values()) {
        const cases = group.map(({ recorded, objects }) => ({ recorded, objects }))
        const rules = group[0]?.rules
        if (rules === undefined) continue
        for (const [n, problems] of (await compute('requests', { rules, cases })).entries())
          for (const { code, index, text } of problems)
            findings.at({ boot: group[n]?.recorded.boot ?? '', index })(code, text)
      }
  }
}

/** Undefined without a policy or revocations, which other findings report. */
function rulesOf(
  { boot, worker: { index, entry } }: RecordedCase,
  { governed, grantCas }: Context['anchors'],
): CaseRules | undefined {
  const place = { boot, index }
  const policy = governed.policyOf(place, entry.policySeq)
  const revocation = policy && governed.revokedFor(place, policy, entry.revocationSeq)
  return policy && revocation && { policy, revocation, grantCas }
}

/** Undefined if the request or a part of its proof is not at hand. */
async function objectsOf(recorded: RecordedCase, reader: RecordReader): Promise<CaseObjects | undefined> {
  const { boot, worker, decided, issued } = recorded
  const objects = new Map<string, Uint8Array>()
  const take = async (kind: RecordedKind, digest: string, index: number) => {
    const bytes = await reader.read(kind, digest, { boot, index })
    if (bytes !== undefined) objects.set(digest, bytes)
    return bytes
  }
  for (const { index, entry } of decided) await take('terms', entry.termsDigest, index)
  for (const { index, entry } of issued)
    if (!objects.has(entry.grantsDigest)) await take('grants', entry.grantsDigest, index)
  const request = await take('request', worker.entry.requestDigest, worker.index)
  if (request === undefined) return undefined
  let proof = true
  for (const [kind, digest] of partsOf(request))
    if ((await take(kind, digest, worker.index)) === undefined) proof = false
  return proof ? objects : undefined
}

/** The objects that a recorded request names; none if it is malformed, which the review finds. */
function partsOf(bytes: Uint8Array): readonly (readonly ['certificate' | 'crl', string])[] {
  try {
    const { certs, root, crl } = RequestRecordFormat.decode(bytes)
    const certificates = [...certs, root.ark, root.ask, root.asvk].filter((digest) => digest !== null)
    return [
      ...certificates.map((digest) => ['certificate', digest] as const),
      ...(crl === null ? [] : [['crl', crl] as const]),
    ]
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return []
  }
}
