/**
 * Judges evidence in memory. `report verify` and every conformance case use this one path; it does no I/O.
 */

import { CodedError, REPORT_ERRORS, type ReportErrorCode } from '../errors/report.ts'
import { TrustStore } from '../snp/chain.ts'
import { type Crl, openCrl } from '../snp/crl.ts'
import { describe } from '../snp/describedReport.ts'
import { productOfCpuid } from '../snp/product.ts'
import { parseReport, type Report } from '../snp/report.ts'
import type { RootEntry } from '../snp/roots.ts'
import { type VerifiedReport, verifyReport } from '../snp/verify.ts'
import { assertWhole } from '../snp/wholeReport.ts'
import { toRfc3339, type UnixSeconds } from '../time.ts'
import { type Evaluation, evaluate } from './appraise.ts'
import { explain } from './explain.ts'
import { leftOpen, policyText, type ReferenceChoice, valuesOf } from './referenceChoice.ts'
import { refusalOf } from './refusal.ts'
import type { ReportResult } from './reportResult.ts'

/** A report with everything that its verdict depends on. */
export type Evidence = {
  /** The 1184 bytes, or a file that holds them behind a header, which is refused with advice. */
  readonly report: Uint8Array
  /** DER, the leaf first in each. The first chain that verifies counts. */
  readonly chains: readonly (readonly Uint8Array[])[]
  /** Replaces AMD's own roots; undefined keeps them. */
  readonly roots: readonly RootEntry[] | undefined
  /** Revocation lists in DER. */
  readonly crls: readonly Uint8Array[]
  readonly reference: ReferenceChoice
  readonly at: UnixSeconds
}

/** The answer, and the exit code of its class. */
export type Judgement = { readonly exit: number; readonly result: ReportResult }

/**
 * Parses, verifies and appraises. `amd` is the trust store for evidence without roots of its own.
 *
 * Never throws for what is in the evidence. Exit 0: accepted or authentic. 1: refused. 2: malformed input.
 */
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
    return appraiseBy(evidence, verified, roots, authentic)
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
  reference: null,
  policy: 'none',
  tcb: null,
  unconstrained: [],
  roots: 'amd',
  root: null,
  revocation: 'not-checked',
  at: null,
}

/** The answer to an input that is not a case. */
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
    exit: REPORT_ERRORS[error.code].exit,
    result: {
      ...base,
      reasons: [refusalOf(error, field, base.roots === 'amd' ? report : undefined)],
      report: report === undefined ? null : describe(report, claimed),
      revocation: error.code === 'chain.revoked' ? 'revoked' : base.revocation,
    },
  }
}

/** If no chain verifies, throws the refusal of the chain that came furthest. */
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

/** From far to near: a certificate of this chip for another TCB is nearer than one of another chip. */
const STEPS: readonly ReportErrorCode[] = [
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
  { reference, crls, at }: Evidence,
  verified: VerifiedReport,
  roots: TrustStore,
  authentic: ReportResult,
): Judgement {
  if (reference.kind === 'none') return { exit: 0, result: { ...authentic, verdict: 'authentic' } }
  const values = valuesOf(reference, roots, crls.length > 0)
  const evaluation: Evaluation = evaluate({ verified, trust: undefined, at, revoked: [] }, values)
  const { verdict, nearest, assurance, reasons, tcb } = explain(evaluation)
  return {
    exit: verdict === 'accepted' ? 0 : 1,
    result: {
      ...authentic,
      verdict,
      assurance,
      reasons,
      reference: nearest,
      tcb,
      unconstrained: leftOpen(values, nearest, reference),
    },
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
