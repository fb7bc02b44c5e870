/** From what is given to what is said of it: the one path of `report verify` and of every conformance case. Reads no file. */
import { type Evaluation, evaluate } from '#core/appraisal/appraise.ts'
import { explain, type TcbTable, unconstrained } from '#core/appraisal/explain.ts'
import type { Policy } from '#core/appraisal/policy.ts'
import type { Assurance, Reference, ReferenceValues } from '#core/appraisal/reference.ts'
import { STRICT } from '#core/appraisal/strict.ts'
import { CodedError, type ErrorCode, errorRow, type Refusal } from '#core/errors.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { type Crl, openCrl } from '#core/snp/crl.ts'
import { productOfCpuid } from '#core/snp/product.ts'
import { parseReport, type Report } from '#core/snp/report.ts'
import type { RootEntry } from '#core/snp/roots.ts'
import { type VerifiedReport, verifyReport } from '#core/snp/verify.ts'
import { toRfc3339, type UnixSeconds } from '#core/time.ts'
import { assertWhole } from './reportBytes.ts'
import { type DescribedReport, describe } from './reportFields.ts'
import { refusalOf } from './reportRefusal.ts'

export type Evidence = {
  readonly report: Buffer
  /** DER, the leaf first in each: the first chain that verifies counts. */
  readonly chains: readonly (readonly Buffer[])[]
  /** Instead of AMD's own; undefined where those stand. */
  readonly roots: readonly RootEntry[] | undefined
  /** DER. */
  readonly crls: readonly Buffer[]
  readonly reference: ReferenceChoice
  readonly at: UnixSeconds
}

export type ReferenceChoice =
  /** Stop where the report is known to be genuine. */
  | { readonly kind: 'none' }
  | { readonly kind: 'strict' }
  | { readonly kind: 'policy'; readonly policy: Policy }
  | { readonly kind: 'release'; readonly release: Reference }

export type ReportResult = {
  readonly verdict: 'accepted' | 'authentic' | 'refused'
  readonly assurance: Assurance | null
  readonly reasons: readonly Refusal[]
  /** Null where the bytes are no report; before it is authentic, only what the bytes claim. */
  readonly report: DescribedReport | null
  /** The release that it matches, or that came nearest. */
  readonly release: string | null
  readonly policy:
    | 'built-in'
    | 'none'
    | 'given'
    | { readonly seq: number; readonly signatures: 'not-checked' }
  /** The TCB against the floors of that release; null where it was held against none. */
  readonly tcb: TcbTable | null
  /** What was held against nothing. */
  readonly unconstrained: readonly string[]
  readonly roots: 'amd' | 'replaced'
  readonly root: { readonly fingerprint: string; readonly simulated: boolean } | null
  readonly revocation: 'not-checked' | 'revoked' | RevocationList
  /** Null where the case does not say. */
  readonly at: string | null
}

type RevocationList = {
  readonly thisUpdate: string
  readonly nextUpdate: string
  /** cRLNumber, hex. */
  readonly number: string
  /** `at` is within its two times. */
  readonly current: boolean
  /** SHA-256 of the DER. */
  readonly digest: string
}

export type Judgement = { readonly exit: number; readonly result: ReportResult }

/** Exit 0 accepted or authentic, 1 refused, 2 where something is not what it should be. */
export function judge(evidence: Evidence, amd: TrustStore): Judgement {
  const { at, reference, roots: replaced } = evidence
  const base: ReportResult = {
    ...NOTHING,
    policy: policyText(reference),
    roots: replaced === undefined ? 'amd' : 'replaced',
    at: toRfc3339(at),
  }
  let report: Report | undefined
  let field: string | undefined
  try {
    assertWhole(evidence.report)
    report = parseReport(evidence.report)
    field = 'roots'
    const roots = replaced === undefined ? amd : new TrustStore(replaced)
    field = undefined
    const crls = evidence.crls.map((der) => openCrl(der, roots.roots))
    const verified = verifyAny(report, evidence.chains, { roots, crls, at })
    const authentic = {
      ...base,
      report: describe(report, verified.product),
      root: { fingerprint: verified.endorsement.root, simulated: verified.endorsement.simulated },
      revocation: revocationOf(verified.crl, at),
    }
    return appraiseBy(reference, verified, roots, at, authentic)
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return refuse(error, field, report, base)
  }
}

const NOTHING: ReportResult = {
  verdict: 'refused',
  assurance: null,
  reasons: [],
  report: null,
  release: null,
  policy: 'none',
  tcb: null,
  unconstrained: [],
  roots: 'amd',
  root: null,
  revocation: 'not-checked',
  at: null,
}

/** The answer to what is not even a case. */
export function refuseCase(error: CodedError): Judgement {
  return refuse(error, undefined, undefined, NOTHING)
}

function refuse(
  error: CodedError,
  field: string | undefined,
  report: Report | undefined,
  base: ReportResult,
): Judgement {
  const claimed = report?.cpuid === undefined ? undefined : productOfCpuid(report.cpuid)
  return {
    exit: errorRow(error.code).exit,
    result: {
      ...base,
      reasons: [refusalOf(error, field, base.roots === 'amd' ? report : undefined)],
      report: report === undefined ? null : describe(report, claimed),
      revocation: error.code === 'chain.revoked' ? 'revoked' : base.revocation,
    },
  }
}

/** Where none verifies, it throws what was said of the chain that came furthest. */
function verifyAny(
  report: Report,
  chains: Evidence['chains'],
  trust: Parameters<typeof verifyReport>[2],
): VerifiedReport {
  let furthest: CodedError | undefined
  for (const chain of chains.length === 0 ? [[]] : chains)
    try {
      return verifyReport(report, chain, trust)
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      if (furthest === undefined || stepOf(error) > stepOf(furthest)) furthest = error
    }
  throw furthest
}

/** From far to near: the certificate of the chip for another TCB is nearer than one of another chip. */
const STEPS: readonly ErrorCode[] = [
  'chain.malformed',
  'chain.kind-mismatch',
  'chain.untrusted',
  'chain.product-mismatch',
  'chain.chip-mismatch',
  'chain.tcb-mismatch',
  'chain.expired',
  'chain.revoked',
  'report.invalid',
  'report.signature',
]

function stepOf({ code }: CodedError): number {
  return STEPS.indexOf(code)
}

function appraiseBy(
  reference: ReferenceChoice,
  verified: VerifiedReport,
  roots: TrustStore,
  at: UnixSeconds,
  authentic: ReportResult,
): Judgement {
  if (reference.kind === 'none') return { exit: 0, result: { ...authentic, verdict: 'authentic' } }
  const values = valuesOf(reference, roots)
  const evaluation: Evaluation = evaluate({ verified, trust: undefined, at, revoked: [] }, values)
  const { verdict, nearest, assurance, reasons, tcb } = explain(evaluation)
  return {
    exit: verdict === 'accepted' ? 0 : 1,
    result: {
      ...authentic,
      verdict,
      assurance,
      reasons,
      release: nearest,
      tcb,
      unconstrained: leftOpen(values, nearest, reference),
    },
  }
}

function valuesOf(reference: Exclude<ReferenceChoice, { kind: 'none' }>, roots: TrustStore): ReferenceValues {
  switch (reference.kind) {
    case 'strict':
      return underAny(roots, STRICT)
    case 'release':
      return underAny(roots, reference.release)
    case 'policy':
      return withoutWorker(reference.policy)
  }
}

/** A worker's configuration is left open where a policy speaks of one; elsewhere there is no worker to speak of. */
function leftOpen({ releases }: ReferenceValues, id: string, { kind }: ReferenceChoice): readonly string[] {
  const fields = releases.filter((release) => release.id === id).flatMap(unconstrained)
  return fields.filter((field) => field !== 'trust' || kind === 'policy')
}

/** Every root that was given counts. */
function underAny({ roots }: TrustStore, release: Reference): ReferenceValues {
  return {
    roots: roots.map(({ product, fingerprint, simulated }) => ({ product, ark: fingerprint, simulated })),
    simulation: true,
    releases: [release],
  }
}

/** No worker stands behind a file, so its configuration cannot be held against the policy's. */
function withoutWorker(policy: Policy): ReferenceValues {
  return { ...policy, releases: policy.releases.map((release) => ({ ...release, trust: 'any' as const })) }
}

function policyText(reference: ReferenceChoice): ReportResult['policy'] {
  switch (reference.kind) {
    case 'none':
      return 'none'
    case 'strict':
      return 'built-in'
    case 'release':
      return 'given'
    case 'policy':
      return { seq: reference.policy.seq, signatures: 'not-checked' }
  }
}

function revocationOf(crl: Crl | undefined, at: UnixSeconds): ReportResult['revocation'] {
  if (crl === undefined) return 'not-checked'
  const { thisUpdate, nextUpdate, number, digest } = crl
  return {
    thisUpdate: toRfc3339(thisUpdate),
    nextUpdate: toRfc3339(nextUpdate),
    number,
    current: thisUpdate <= at && at <= nextUpdate,
    digest,
  }
}
