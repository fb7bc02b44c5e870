/**
 * Reviews one recorded request, as its Verifier decided it: the report is proven up to AMD's root, the machine
 * appraised, each job decided, and each grant computed again. A pure function of bytes and signed documents.
 */
import { appraise } from '../../appraisal/appraise.ts'
import { fromBase64url, sha256, toBase64url, toHex } from '../../bytes.ts'
import { CodedError } from '../../errors.ts'
import { thumbprint } from '../../jwk.ts'
import { tokenOf } from '../../release/assertion.ts'
import { bindRequest, type ProvenRequest, proveRequest } from '../../release/authentic.ts'
import type { ReadRequest } from '../../release/binding.ts'
import type { Rules } from '../../release/decide.ts'
import { decideRequester } from '../../release/requester.ts'
import { RuntimeDataFormat } from '../../release/runtimeData.ts'
import { headerDigest } from '../../sealed/header.ts'
import { toUnixSeconds, type UnixSeconds } from '../../time.ts'
import { RECORDING_SECONDS } from '../audit/rules/decisions.ts'
import { type RequestRecord, RequestRecordFormat } from '../record.ts'
import type { CaseObjects, CaseRules, Problem, RecordedCase } from './case.ts'
import { type Chains, objectOf } from './chains.ts'
import { reviewGrants } from './grants.ts'
import { reviewJobs } from './jobs.ts'
import { reviewVerdict } from './verdict.ts'

export function reviewCase(
  recorded: RecordedCase,
  objects: CaseObjects,
  rules: CaseRules,
  chains: Chains,
): readonly Problem[] {
  const { worker } = recorded
  const problem = (code: Problem['code'], text: string): Problem => ({ code, index: worker.index, text })
  let time: UnixSeconds
  let proven: ProvenRequest
  try {
    const record = RequestRecordFormat.decode(objectOf(worker.entry.requestDigest, objects))
    time = toUnixSeconds(record.time)
    proven = prove(record, objects, rules, chains)
  } catch (error) {
    if (!(error instanceof CodedError) || error.code === 'internal.fault') throw error
    return [problem('attestation.unproven', `${error.code}: ${error.message}`)]
  }
  const differing = differencesOf(recorded, proven, time)
  if (differing.length > 0)
    return [problem('attestation.contradicted', `the recorded request has another ${differing.join(', ')}`)]

  const { policy, revocation } = rules
  const { asker, verified, request } = proven
  const { boot, trust } = request.runtimeData
  const verdict = appraise(verified, policy, { trust, at: time, revocation })
  const requester = decideRequester({ asker, boot, verdict }, { policy, revocation })
  const problems = reviewVerdict(worker, requester).map(({ code, text }) => problem(code, text))
  if (worker.entry.event === 'worker.refused' || requester.kind === 'refused') return problems
  const jobs = reviewJobs(recorded, request.jobs, requester, {
    policy,
    revocation,
    consent: consentsOf(recorded),
    now: time,
  })
  return [
    ...problems,
    ...jobs.problems,
    ...reviewGrants(recorded, jobs.granted, proven, time, objects, rules),
  ]
}

/** The consent lists that were in force, as the log names them: what they are is state of that day. */
function consentsOf({ decided }: RecordedCase): Rules['consent'] {
  return new Map(
    decided.flatMap(({ entry: { dataset, consent } }) =>
      consent === null
        ? []
        : [[dataset, { ...consent, lists: [], inForce: [], problem: '', unsigned: [] }] as const],
    ),
  )
}

function prove(
  record: RequestRecord,
  objects: CaseObjects,
  { policy: { clients, audience } }: CaseRules,
  chains: Chains,
): ProvenRequest {
  const runtimeDataBytes = fromBase64url(record.runtimeData)
  const runtimeData = RuntimeDataFormat.decode(runtimeDataBytes)
  const request: ReadRequest = {
    report: fromBase64url(record.report),
    certs: record.certs.map((digest) => objectOf(digest, objects)),
    runtimeData,
    runtimeDataBytes,
    nonce: fromBase64url(runtimeData.nonce),
    wrapKey: thumbprint(runtimeData.wrapKey),
    clientAssertion: record.clientAssertion,
    possession: record.possession,
    jobsText: record.jobs,
  }
  const roots = chains.rootOf(record, objects)
  const crls = chains.crlsOf(record, roots, objects)
  const bound = bindRequest(request, audience)
  return proveRequest(bound, { clients, audience, roots, crls }, toUnixSeconds(record.time))
}

/** The fields of the entry that the request contradicts. */
function differencesOf(
  { worker: { entry } }: RecordedCase,
  { request, asker, verified }: ProvenRequest,
  time: UnixSeconds,
): readonly string[] {
  const { runtimeData, runtimeDataBytes, report, nonce, clientAssertion, jobs } = request
  const { tokenDigest, jti } = tokenOf(clientAssertion)
  const digestOf = (bytes: Uint8Array) => toBase64url(sha256(bytes))
  const same: Readonly<Record<string, boolean>> = {
    boot: entry.boot === runtimeData.boot,
    client: entry.client === asker.client,
    // Null for a purpose that the policy does not have: its text is not in the entry.
    purpose: entry.purpose === null || entry.purpose === asker.purpose,
    scopesDigest: entry.scopesDigest === asker.scopesDigest,
    runtimeDataDigest: entry.runtimeDataDigest === digestOf(runtimeDataBytes),
    reportDigest: entry.reportDigest === digestOf(report),
    measurement: entry.measurement === toHex(verified.report.measurement),
    tokenDigest: entry.tokenDigest === tokenDigest,
    jti: entry.jti === jti,
    time: time <= entry.time && entry.time < time + RECORDING_SECONDS,
    ...(entry.event === 'worker.accepted'
      ? { nonceDigest: entry.nonceDigest === digestOf(nonce) }
      : {
          headerDigests:
            entry.headerDigests.join() ===
            jobs
              .flatMap(({ objects }) => objects.map(({ header }) => toBase64url(headerDigest(header))))
              .join(),
        }),
  }
  return Object.entries(same).flatMap(([field, holds]) => (holds ? [] : [field]))
}
