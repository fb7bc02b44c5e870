/** `report verify`: what a report says, whether it is authentic, and whether it is acceptable. Needs no network. */
import { evaluate } from '#core/appraisal/appraise.ts'
import type { Policy } from '#core/appraisal/policy.ts'
import type { Assurance, ReferenceValues } from '#core/appraisal/reference.ts'
import { STRICT } from '#core/appraisal/strict.ts'
import { CodedError, type ErrorCode, errorRow, type Refusal, under } from '#core/errors.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { productOfCpuid } from '#core/snp/product.ts'
import { parseReport, type Report } from '#core/snp/report.ts'
import { type VerifiedReport, verifyReport } from '#core/snp/verify.ts'
import { parseRfc3339, toRfc3339, type UnixSeconds } from '#core/time.ts'
import { type DescribedReport, describe } from './reportFields.ts'
import { type Certificates, readCertificates, readInput, readPolicy, readRoots } from './reportFiles.ts'

export type ReportOptions = {
  /** File of 1184 bytes. */
  readonly report: string
  /** The VCEK or VLEK, in DER or PEM; a PEM file may hold the ASK and ARK too. */
  readonly cert?: string | undefined
  /** A folder with them. */
  readonly certs?: string | undefined
  /** `<Product>/{ark,ask,asvk}.der`. */
  readonly roots?: string | undefined
  readonly policy?: string | undefined
  /** RFC 3339, UTC. */
  readonly at?: string | undefined
  /** Stop where the report is known to be genuine. */
  readonly authenticOnly: boolean
}

export type ReportResult = {
  readonly verdict: 'accepted' | 'authentic' | 'refused'
  readonly assurance: Assurance | null
  readonly at: string
  readonly policy: 'built-in' | 'none' | { readonly seq: number; readonly signatures: 'not-checked' }
  /** The release that it matches, or that came nearest. */
  readonly release: string | null
  readonly reasons: readonly Refusal[]
  readonly root: { readonly fingerprint: string; readonly simulated: boolean } | null
  readonly revocation: 'not-checked'
  /** What was held against nothing. */
  readonly unconstrained: readonly string[]
  /** Null where the file is no report; before it is authentic, only what the bytes claim. */
  readonly report: DescribedReport | null
}

/**
 * Exit 0 accepted or authentic, 1 refused, 2 where a file is not what it should be. Throws `input.unreadable`,
 * `usage.invalid` and `policy.invalid`, for which there is no result.
 */
export async function verifyReportFile(
  options: ReportOptions,
  now: UnixSeconds,
): Promise<{ readonly exit: number; readonly result: ReportResult }> {
  if (options.cert !== undefined && options.certs !== undefined)
    throw new CodedError('usage.invalid', 'give --cert FILE or --certs DIR, not both')
  const { at: time } = options
  const at = time === undefined ? now : under('usage.invalid', () => parseRfc3339(time, '--at'))
  const bytes = await readInput(options.report)
  const certificates = await readCertificates(options)
  const roots =
    options.roots === undefined ? new TrustStore(certificates.pinned) : await readRoots(options.roots)
  const policy = options.policy === undefined ? undefined : await readPolicy(options.policy)

  const base = { at: toRfc3339(at), policy: policyText(options, policy), ...NOTHING }
  let report: Report | undefined
  try {
    report = parseReport(bytes)
    const verified = verifyAny(report, certificates, roots, at)
    const authentic = { ...base, root: rootOf(verified), report: describe(report, verified.product) }
    if (options.authenticOnly) return { exit: 0, result: { ...authentic, verdict: 'authentic' } }
    return judge(verified, policy, roots, at, authentic)
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    const claimed = report?.cpuid === undefined ? undefined : productOfCpuid(report.cpuid)
    const described = report === undefined ? null : describe(report, claimed)
    const reasons = [explain(error)]
    return {
      exit: errorRow(error.code).exit,
      result: { ...base, verdict: 'refused', reasons, report: described },
    }
  }
}

const NOTHING = {
  assurance: null,
  release: null,
  reasons: [],
  root: null,
  revocation: 'not-checked',
  unconstrained: [],
  report: null,
} as const

function policyText(options: ReportOptions, policy: Policy | undefined): ReportResult['policy'] {
  if (options.authenticOnly) return 'none'
  return policy === undefined ? 'built-in' : { seq: policy.seq, signatures: 'not-checked' }
}

/** Files may hold the certificates of several chips: the first that verifies counts, or else the last refusal. */
function verifyAny(
  report: Report,
  { leaves, authorities }: Certificates,
  roots: TrustStore,
  at: UnixSeconds,
): VerifiedReport {
  const [first, ...others] = leaves
  const chain = first === undefined ? [] : [first, ...authorities.slice(0, 2)]
  try {
    return verifyReport(report, chain, { roots, crls: [], at })
  } catch (error) {
    if (others.length === 0) throw error
    return verifyAny(report, { leaves: others, authorities, pinned: [] }, roots, at)
  }
}

function judge(
  verified: VerifiedReport,
  policy: Policy | undefined,
  roots: TrustStore,
  at: UnixSeconds,
  authentic: Omit<ReportResult, 'verdict'>,
): { readonly exit: number; readonly result: ReportResult } {
  const values = policy === undefined ? builtIn(roots) : withoutWorker(policy)
  const evaluation = evaluate({ verified, trust: undefined, at, revoked: [] }, values)
  const unconstrained =
    policy === undefined
      ? ['measurement', 'reportData', 'hostData', 'chipId']
      : ['trust', 'reportData', 'hostData']
  if (evaluation.kind === 'refused') {
    const { nearest, reasons } = evaluation
    return { exit: 1, result: { ...authentic, verdict: 'refused', release: nearest, reasons, unconstrained } }
  }
  const { assurance, release } = evaluation
  return { exit: 0, result: { ...authentic, verdict: 'accepted', assurance, release, unconstrained } }
}

/** Every root that was given counts: by default AMD's alone can be given. */
function builtIn({ roots }: TrustStore): ReferenceValues {
  return {
    roots: roots.map(({ product, fingerprint, simulated }) => ({ product, ark: fingerprint, simulated })),
    simulation: true,
    releases: [STRICT],
  }
}

/** No worker stands behind a file, so its configuration cannot be held against the policy's. */
function withoutWorker(policy: Policy): ReferenceValues {
  return { ...policy, releases: policy.releases.map((release) => ({ ...release, trust: 'any' as const })) }
}

function rootOf({ endorsement }: VerifiedReport): ReportResult['root'] {
  return { fingerprint: endorsement.root, simulated: endorsement.simulated }
}

/** What to do about a report that is not authentic. */
const REMEDIES: Partial<Record<ErrorCode, string>> = {
  'report.malformed': 'give the report alone, as the firmware made it: 1184 bytes, without the 32 before it',
  'chain.missing': "give the chip's VCEK certificate with --cert, from AMD's key distribution service",
  'chain.malformed': "give the certificate as AMD's key distribution service gives it",
  'chain.untrusted': 'give ARK, ASK and ASVK of the product with --roots, and the VCEK that they certify',
  'chain.expired': 'fetch a current certificate, or judge the report at the time it was made with --at',
  'chain.kind-mismatch': 'give the certificate of the kind of key that signed the report',
  'chain.tcb-mismatch': 'fetch the certificate for the reported TCB',
  'chain.chip-mismatch': "fetch the certificate for the report's chip id",
}

function explain(error: CodedError): Refusal {
  return {
    code: error.code,
    field: error.code.startsWith('chain.') ? 'certificate' : 'report',
    expected: 'authentic',
    actual: error.message,
    remedy: REMEDIES[error.code] ?? 'do not believe the report: ask for a fresh one over another way',
  }
}
