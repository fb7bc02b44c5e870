/**
 * Computes the grants of a request again, and compares them with those that were signed. Only the keys, which
 * the record does not have, the Verifier's checkpoint, and an earlier end may differ.
 */
import { canonicalText } from '../../canonical.ts'
import { CodedError } from '../../errors.ts'
import { verifyCompact } from '../../jws.ts'
import { TERMS } from '../../policy/terms.ts'
import type { GrantCa } from '../../policy/verifierKeys.ts'
import type { ProvenRequest } from '../../release/authentic.ts'
import { type Grant, GrantFormat, type GrantKey, GrantKeyFormat } from '../../release/grant.ts'
import { endOfGrant, grantDigest, grantOf } from '../../release/issue.ts'
import type { UnixSeconds } from '../../time.ts'
import { type GrantsRecord, GrantsRecordFormat } from '../record.ts'
import type { CaseObjects, CaseRules, Placed, Problem, RecordedCase } from './case.ts'
import { objectOf } from './chains.ts'
import type { GrantedAgain } from './jobs.ts'

const OF_TERMS: ReadonlySet<string> = new Set([...Object.keys(TERMS), 'termsDigest'])

export function reviewGrants(
  { boot, worker, issued }: RecordedCase,
  granted: readonly GrantedAgain[],
  proven: ProvenRequest,
  time: UnixSeconds,
  objects: CaseObjects,
  rules: CaseRules,
): readonly Problem[] {
  return issued.flatMap((end) => {
    const subject = `release ${end.entry.releaseId}`
    const problem = (code: Problem['code'], text: string): Problem => ({
      code,
      index: end.index,
      text: `${subject}: ${text}`,
    })
    // What is not granted again, and what is absent, has its own finding.
    const again = granted.find(({ placed }) => placed.entry.releaseId === end.entry.releaseId)
    if (again === undefined || !objects.has(end.entry.grantsDigest)) return []
    try {
      const signed = openGrant(end, objects, rules.grantCas)
      const expected = expectedGrant(
        again,
        signed,
        proven,
        { boot, time },
        rules.policy,
        worker.entry.revocationSeq,
      )
      const { terms, others } = differencesOf(signed.grant, expected)
      if (!hasConsent(signed.grant, again.placed.entry)) others.push('consent')
      return [
        ...(terms.length > 0
          ? [problem('grant.other-terms', `the policy has another ${terms.join(', ')}`)]
          : []),
        ...(others.length > 0
          ? [problem('grant.contradicted', `its decision has another ${others.join(', ')}`)]
          : []),
      ]
    } catch (error) {
      if (!(error instanceof CodedError) || error.code === 'internal.fault') throw error
      return [problem('grant.unverified', `${error.code}: ${error.message}`)]
    }
  })
}

type SignedGrant = { readonly grant: Grant; readonly key: GrantKey; readonly grantCa: GrantCa }

/** The grant that the entry names, signed by a key that a grant CA certified. */
function openGrant(
  { entry }: Placed<'release.issued'>,
  objects: CaseObjects,
  grantCas: readonly GrantCa[],
): SignedGrant {
  const record = GrantsRecordFormat.decode(objectOf(entry.grantsDigest, objects))
  const jws = record.grants.find((one) => grantDigest(one) === entry.grantDigest)
  if (jws === undefined) throw new CodedError('evidence.inconsistent', 'it is not among the recorded grants')
  const { key, grantCa } = openGrantKey(record, grantCas)
  const { payload: grant } = verifyCompact(GrantFormat, jws, [key.jwk], 'grant.invalid')
  return { grant, key, grantCa }
}

function openGrantKey(
  { grantKey }: GrantsRecord,
  grantCas: readonly GrantCa[],
): { readonly key: GrantKey; readonly grantCa: GrantCa } {
  // The same key may be certified again, for longer.
  for (const grantCa of grantCas.toSorted((a, b) => b.exp - a.exp)) {
    try {
      return { key: verifyCompact(GrantKeyFormat, grantKey, [grantCa.jwk], 'grant.invalid').payload, grantCa }
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
    }
  }
  throw new CodedError('grant.invalid', 'no certified grant CA signed its grant key')
}

function expectedGrant(
  { placed: { index, entry }, job }: GrantedAgain,
  { grant, key, grantCa }: SignedGrant,
  { request, asker }: ProvenRequest,
  { boot, time }: { readonly boot: string; readonly time: UnixSeconds },
  policy: CaseRules['policy'],
  revocationSeq: number,
): Grant {
  const { runtimeData, wrapKey } = request
  const end = endOfGrant(job, policy, { grantKey: key.exp, verifierKeys: grantCa.exp }, time)
  const expected = grantOf(job, {
    asker,
    policy,
    now: time,
    releaseId: entry.releaseId,
    nonce: runtimeData.nonce,
    boot: runtimeData.boot,
    wrapKey,
    // A Verifier may have known verifier keys that end earlier.
    expiry: grant.exp <= end ? (grant.exp as UnixSeconds) : end,
    revocationSeq,
    consent: null,
    keys: [],
    log: { boot, checkpoint: grant.log.checkpoint, index },
  })
  const objects = expected.objects.map((object, n) => ({
    ...object,
    keyDigest: grant.objects[n]?.keyDigest ?? '',
  }))
  return { ...expected, objects, consent: grant.consent }
}

/** Which lists there were is in the log. Their places and the digest of their keys are the grant's own. */
function hasConsent({ consent }: Grant, decided: Placed<'release.decided'>['entry']): boolean {
  const named = consent && { seq: consent.seq, digest: consent.digest }
  return canonicalText(named) === canonicalText(decided.consent)
}

function differencesOf(grant: Grant, expected: Grant) {
  const fields = Object.keys(expected) as (keyof Grant)[]
  const differing = fields.filter((field) => canonicalText(grant[field]) !== canonicalText(expected[field]))
  return {
    terms: differing.filter((field) => OF_TERMS.has(field)),
    others: differing.filter((field) => !OF_TERMS.has(field)),
  }
}
