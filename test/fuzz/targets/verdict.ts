/**
 * Changed reports, most of them signed again, judged like `report verify` does. The check reads from the
 * bytes which verdicts are impossible.
 */
import { type Judgement, judge } from '#core/appraisal/judgement.ts'
import type { Reference } from '#core/appraisal/reference.ts'
import type { ReferenceChoice } from '#core/appraisal/referenceChoice.ts'
import { STRICT } from '#core/appraisal/strict.ts'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import {
  FIELDS,
  GUEST_POLICY_BITS,
  PLATFORM_INFO_BITS,
  SIGNED_BYTES,
  SIGNING_KEYS,
  type SigningKey,
} from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import { toUnixSeconds } from '#core/time.ts'
import { signReport } from '#lab/amd/report.ts'
import { MEASUREMENT, platformOf } from '../../amd.ts'
import type { Random } from '../random.ts'
import { openReportSources, type ReportSource, storeOf } from '../reportSources.ts'
import { type Input, type Target, Violation } from '../target.ts'
import { mutateFields, mutateReport } from './report.ts'

/** The codes of a report, its chain and its revocation list, and of reference values. */
export const VERDICT_CODES: readonly ErrorCode[] = [
  'report.malformed',
  'report.invalid',
  'report.signature',
  'chain.missing',
  'chain.kind-mismatch',
  'chain.expired',
  'chain.revoked',
  'chain.product-mismatch',
  'chain.tcb-mismatch',
  'chain.chip-mismatch',
  'crl.missing',
  'crl.stale',
  'measurement.unknown',
  'product.excluded',
  'signing-key.excluded',
  'tcb.inconsistent',
  'tcb.below-floor',
  'tcb.provisional',
  'firmware.below-floor',
  'mitigations.missing',
  'guest-policy.debug',
  'guest-policy.migration',
  'guest-policy.violated',
  'platform-info.violated',
  'vmpl.violated',
  'guest-svn.below-floor',
  'family-id.unknown',
  'image-id.unknown',
  'id-key.unknown',
  'author-key.unknown',
  'host-data.unknown',
  'chip.unknown',
]

export const verdict: Target = {
  name: 'verdict',
  what: 'reports that are signed after the change, judged against reference values',
  weight: 0.5,
  quick: 3000,
  codes: VERDICT_CODES,
  open: async () => {
    const sources = await openReportSources()
    const roots = storeOf(sources, { holdsAuthorities: false })
    const genuine = new Set(sources.flatMap(({ reports }) => reports.map(signedPart)))
    const demanding = sources.map(demandOf)
    return {
      generate: (random) => makeCase(sources, random),
      check: ([bytes = Buffer.alloc(0), text = Buffer.from('{}')]) => {
        const about = JSON.parse(text.toString()) as About
        const source = sources[about.source]
        const reference = demanding[about.source]
        if (source === undefined || reference === undefined) throw new RangeError('no such source')
        const judgement = judge(
          {
            report: bytes,
            chains: about.chains.map((index) => sources[index]?.certs ?? []),
            roots: undefined,
            crls: about.crls.map((index) => source.crls[index] ?? Buffer.alloc(0)),
            reference: referenceOf(about.reference, reference),
            at: toUnixSeconds(about.at),
          },
          roots,
        )
        assertForm(judgement)
        const { reasons } = judgement.result
        if (reasons.length === 0) {
          if (!about.signed && !genuine.has(signedPart(bytes)))
            throw new Violation('a report without a valid signature is authentic')
          if (about.reference !== 'none') assertAcceptable(bytes, source, about.reference)
          return
        }
        // One reason is counted per input; the first byte of REPORT_DATA chooses it.
        const reason = reasons[(bytes[FIELDS.reportData.at] ?? 0) % reasons.length] ?? reasons[0]
        if (reason !== undefined) throw new CodedError(reason.code, `${reason.field} ${reason.code}`)
      },
    }
  },
}

type About = {
  readonly source: number
  /** Indices of the sources of the certificates. */
  readonly chains: readonly number[]
  readonly crls: readonly number[]
  readonly reference: ReferenceChoice['kind']
  readonly at: number
  readonly signed: boolean
}

function makeCase(sources: readonly ReportSource[], random: Random): Input {
  const index = random.below(sources.length)
  const source = sources[index] ?? random.pick(sources)
  const signed = !random.oneIn(4)
  const seed = random.pick(source.reports)
  const changed = random.oneIn(8) ? seed : signed ? mutateFields(seed, random) : mutateReport(seed, random)
  const bytes = Buffer.from(changed)
  // Chooses which of several reasons is counted.
  if (signed) bytes[FIELDS.reportData.at] = random.below(256)
  const about: About = {
    source: index,
    chains: random.oneIn(12)
      ? Array.from({ length: random.below(3) }, () => random.below(sources.length))
      : [index],
    crls: random.oneIn(3) ? [random.below(3)] : random.oneIn(6) ? [] : [0],
    reference: random.pick(['none', 'strict', 'given', 'given']),
    at: random.oneIn(24) ? random.pick([0, 253_402_300_799]) : source.at,
    signed,
  }
  return [signed ? signReport(bytes, source.key) : bytes, Buffer.from(JSON.stringify(about))]
}

function signedPart(bytes: Buffer): string {
  return bytes.toString('latin1', 0, SIGNED_BYTES)
}

/** Reference values that require every field to have the value of the minted reports. */
function demandOf({ amd, kind, reports: [report = Buffer.alloc(0)] }: ReportSource): Reference {
  const { tcb, cpuid, cspId } = platformOf(amd, { signingKey: kind })
  const hex = (name: keyof typeof FIELDS) => fieldOf(report, name).toString('hex')
  return {
    ...STRICT,
    id: 'demanding',
    assurance: 'measured',
    measurements: [MEASUREMENT],
    crl: { graceSeconds: 0 },
    cspIds: amd.product === 'Turin' ? [] : [cspId],
    processors: [{ product: amd.product, ...cpuid, floor: tcb.reported }],
    familyIds: [hex('familyId')],
    imageIds: [hex('imageId')],
    hostData: [hex('hostData')],
    idKeyDigests: amd.product === 'Genoa' ? ['ab'.repeat(48)] : 'any',
    authorKeyDigests: amd.product === 'Genoa' ? ['ab'.repeat(48)] : 'any',
    chips: amd.product === 'Genoa' ? ['ab'.repeat(64)] : 'any',
    mitigations: { launch: '0000000000000001', current: '0000000000000003' },
    guestSvn: 1,
  }
}

function referenceOf(kind: About['reference'], reference: Reference): ReferenceChoice {
  return kind === 'given' ? { kind, reference } : { kind: kind === 'none' ? 'none' : 'strict' }
}

/** The result is JSON, and exit code, verdict and reasons agree. */
export function assertForm({ exit, result }: Judgement): void {
  const { verdict, reasons } = result
  // Throws on values that JSON cannot represent.
  JSON.stringify(result)
  if ((verdict === 'refused') !== reasons.length > 0)
    throw new Violation('a verdict and its reasons disagree')
  if (verdict === 'refused' ? exit !== 1 && exit !== 2 : exit !== 0)
    throw new Violation(`exit code ${exit} for ${verdict}`)
}

/** Refuses an accepted report that no reference values here allow. */
function assertAcceptable(bytes: Buffer, { amd }: ReportSource, reference: About['reference']): void {
  const policy = fieldOf(bytes, 'policy').readBigUInt64LE()
  const platform = fieldOf(bytes, 'platformInfo').readBigUInt64LE()
  const has = (value: bigint, bit: number) => ((value >> BigInt(bit)) & 1n) === 1n
  const { debug, migrateMa, cxl } = GUEST_POLICY_BITS
  const { ecc, aliasCheck, tio } = PLATFORM_INFO_BITS
  const wrong: Readonly<Record<string, boolean>> = {
    debug: has(policy, debug),
    'a migration agent': has(policy, migrateMa),
    CXL: has(policy, cxl),
    'no ECC': !has(platform, ecc),
    'no alias check': !has(platform, aliasCheck),
    TIO: has(platform, tio),
    VMPL: !fieldOf(bytes, 'vmpl').equals(Buffer.alloc(4)),
    'Milan under the strict values': reference === 'strict' && amd.product === ('Milan' satisfies Product),
    'a VLEK under the strict values': reference === 'strict' && keyOf(bytes) === 'vlek',
    'another committed TCB': !fieldOf(bytes, 'committedTcb').equals(fieldOf(bytes, 'currentTcb')),
  }
  for (const [what, isWrong] of Object.entries(wrong))
    if (isWrong) throw new Violation(`a report with ${what} is accepted`)
}

function keyOf(bytes: Buffer): SigningKey | undefined {
  return SIGNING_KEYS[fieldOf(bytes, 'signerInfo').readUInt32LE() >>> 2]
}

function fieldOf(bytes: Buffer, name: keyof typeof FIELDS): Buffer {
  const { at, size } = FIELDS[name]
  return bytes.subarray(at, at + size)
}
