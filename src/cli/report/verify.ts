/** `report verify`: from its flags to a judgement. Needs no network. */
import { readCertificates, readCrls, readInput, readRootFolder } from '#adapters/sev/reportFiles.ts'
import { type Judgement, judge } from '#core/appraisal/judgement.ts'
import type { ReferenceChoice } from '#core/appraisal/referenceChoice.ts'
import { fromBase64url } from '#core/bytes.ts'
import { canonicalBytes, parseJson } from '#core/canonical.ts'
import { CodedError, under } from '#core/errors.ts'
import { parseGeneral } from '#core/jws.ts'
import { type Policy, PolicyFormat } from '#core/policy/policy.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { parseRfc3339, type UnixSeconds } from '#core/time.ts'

export type ReportOptions = {
  /** A file of 1184 bytes. */
  readonly report: string
  /** The VCEK or VLEK, in DER or PEM; a PEM file may hold the ASK and ARK too. */
  readonly cert?: string | undefined
  /** A folder with such files. */
  readonly certs?: string | undefined
  /** `<Product>/{ark,ask,asvk}.der`, instead of AMD's own. */
  readonly roots?: string | undefined
  /** Revocation lists, in DER or PEM. */
  readonly crl: readonly string[]
  readonly policy?: string | undefined
  /** RFC 3339, UTC. */
  readonly at?: string | undefined
  /** Stop once the report is known to be genuine. */
  readonly authenticOnly: boolean
}

/** Throws `input.unreadable`, `usage.invalid` and `policy.invalid`; then there is no result. */
export async function verifyReportFile(options: ReportOptions, now: UnixSeconds): Promise<Judgement> {
  const { cert, certs, policy, at, authenticOnly } = options
  if (cert !== undefined && certs !== undefined)
    throw new CodedError('usage.invalid', 'give --cert FILE or --certs DIR, not both')
  if (policy !== undefined && authenticOnly)
    throw new CodedError('usage.invalid', 'give --policy FILE or --authentic-only, not both')
  const evidence = {
    at: at === undefined ? now : under('usage.invalid', () => parseRfc3339(at, '--at')),
    report: await readInput(options.report),
    chains: await readCertificates({ cert, certs }),
    roots: options.roots === undefined ? undefined : await readRootFolder(options.roots),
    crls: await readCrls(options.crl),
    reference: await readReference(options),
  }
  return judge(evidence, new TrustStore(AMD_ROOTS))
}

async function readReference({ policy, authenticOnly }: ReportOptions): Promise<ReferenceChoice> {
  if (authenticOnly) return { kind: 'none' }
  return policy === undefined ? { kind: 'strict' } : { kind: 'policy', policy: await readPolicy(policy) }
}

/**
 * A policy as written or as signed. Its signatures are not checked: the command does not know who may sign.
 * Throws `policy.invalid`.
 */
async function readPolicy(path: string): Promise<Policy> {
  const bytes = await readInput(path)
  const value = under('policy.invalid', () => parseJson(bytes, path))
  const isSigned = typeof value === 'object' && value !== null && 'signatures' in value
  if (!isSigned) return PolicyFormat.decode(under('policy.invalid', () => canonicalBytes(value)))
  const { payload } = parseGeneral(bytes, 'policy.invalid')
  return PolicyFormat.decode(under('policy.invalid', () => fromBase64url(payload, 'payload')))
}
