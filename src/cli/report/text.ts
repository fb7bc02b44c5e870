/** The result of `report verify` for people: the verdict, the reasons, and the report's content. */
import { labelled, wrap } from '#cli/textBlock.ts'
import type { ReportResult } from '#core/appraisal/reportResult.ts'
import type { DescribedReport } from '#core/snp/describedReport.ts'
import { cpuidText, setBitsText } from '#core/snp/shownValues.ts'
import { plainTcb, renderTcb } from './tcbText.ts'

export function renderReport(result: ReportResult): string {
  const { reasons, report } = result
  // Claims that were not verified come below the line that says so.
  const plain = report === null ? undefined : plainTcb(report)
  const sections = [
    verdict(result),
    ...reasons.map(reason),
    result.tcb === null ? '' : renderTcb(result.tcb),
    report === null ? '' : described(report, result.root !== null),
    result.tcb !== null || plain === undefined ? '' : renderTcb(plain),
  ]
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`
}

const VERDICTS: Readonly<Record<ReportResult['verdict'], string>> = {
  accepted: 'genuine, and meets the reference values',
  authentic: 'genuine; whether it is acceptable was not asked',
  refused: 'not to be trusted',
}

const REPLACED = "by --roots: AMD's pinned roots were not used; the owner of these can forge reports"
const SIMULATED = "the root is not AMD's: this proves nothing about a machine"

const WIDTH = 16

function verdict(result: ReportResult): string {
  const { verdict: kind, assurance, root, at, reasons, unconstrained } = result
  const rows: readonly (readonly [string, string | null])[] = [
    [kind.toUpperCase(), VERDICTS[kind]],
    ['SIMULATED', root?.simulated === true ? SIMULATED : null],
    ['ROOTS REPLACED', result.roots === 'replaced' ? REPLACED : null],
    ['because of', reasons.length === 0 ? null : codesText(reasons)],
    ['at', at],
    ['compared with', policyText(result)],
    ['assurance', assurance],
    ['root', root?.fingerprint ?? null],
    ['revocation', revocationText(result.revocation)],
    ['not checked', unconstrained.length === 0 ? null : unconstrained.join(', ')],
  ]
  return rows
    .flatMap(([name, value]) => (value === null ? [] : [labelled(name, wrap(value), WIDTH)]))
    .join('\n')
}

/** Each code once, in the order of the reasons below. */
function codesText(reasons: ReportResult['reasons']): string {
  const counts = new Map<string, number>()
  for (const { code } of reasons) counts.set(code, (counts.get(code) ?? 0) + 1)
  return [...counts].map(([code, count]) => (count === 1 ? code : `${code} (${count} times)`)).join(', ')
}

function policyText({ policy, reference, verdict: kind }: ReportResult): string | null {
  if (policy === 'none') return null
  const named =
    policy === 'built-in'
      ? 'the built-in reference values'
      : policy === 'given'
        ? 'the given reference values'
        : `policy number ${policy.seq}, whose signatures are not checked here`
  if (reference === null) return kind === 'refused' ? 'nothing: refused before appraisal' : named
  if (policy === 'built-in') return named
  return `${named}; ${kind === 'accepted' ? 'reference' : 'nearest reference'} ${reference}`
}

function revocationText(revocation: ReportResult['revocation']): string {
  if (revocation === 'not-checked') return 'not checked: --crl gave no list of this root'
  if (revocation === 'revoked') return 'revoked'
  const { thisUpdate, nextUpdate, number, current } = revocation
  const age = current ? 'current' : 'NOT current at this time'
  return `list ${number} of ${thisUpdate}, next ${nextUpdate}, ${age}; it does not name this chain`
}

function reason({ code, field, expected, actual, remedy }: ReportResult['reasons'][number]): string {
  const rows = [
    ['expected', expected],
    ['actual', actual],
    ['remedy', remedy],
  ] as const
  return [
    `${code}  ${field}`,
    ...rows.map(([name, value]) => labelled(`  ${name}`, wrap(value), WIDTH)),
  ].join('\n')
}

function described(report: DescribedReport, authentic: boolean): string {
  const { cpuid, firmware, mitigations, policy, platformInfo } = report
  const named = report.die === null || report.die === report.product ? '' : ` (${report.die})`
  const rows: readonly (readonly [string, string])[] = [
    ['product', `${report.product ?? 'unknown'}${named}`],
    ['cpuid', cpuid === null ? 'not in this version' : cpuidText(cpuid)],
    ['version', String(report.version)],
    ['measurement', report.measurement],
    ['report data', report.reportData],
    ['host data', report.hostData],
    ['chip id', report.chipId],
    ['report id', report.reportId],
    ['family id', report.familyId],
    ['image id', report.imageId],
    ['id key', report.idKeyDigest],
    ['author key', report.authorKeyEnabled ? report.authorKeyDigest : 'none'],
    ['guest svn', String(report.guestSvn)],
    ['vmpl', String(report.vmpl)],
    ['signing key', report.signingKey],
    ['guest policy', `${policy.value}: ABI ${policy.abi.major}.${policy.abi.minor}${setBits(policy)}`],
    ['platform', `${platformInfo.value}:${setBits(platformInfo)}`],
    ['firmware', `${version(firmware.current)}, committed ${version(firmware.committed)}`],
    ...(mitigations === null
      ? []
      : [
          ['mitigations', mitigationText(mitigations.current)] as const,
          ['at launch', mitigationText(mitigations.launch)] as const,
        ]),
  ]
  return [
    authentic ? 'The report says' : 'The report claims (nothing here is verified)',
    ...rows.map(([name, value]) =>
      labelled(name, /^0+$/.test(value) && value.length > 1 ? 'all zero' : wrap(value), WIDTH),
    ),
  ].join('\n')
}

function mitigationText(vector: string): string {
  return `${vector}: ${setBitsText(BigInt(vector))}`
}

function setBits(bits: Readonly<Record<string, unknown>>): string {
  return Object.entries(bits)
    .filter(([, on]) => on === true)
    .map(([name]) => ` ${name}`)
    .join('')
}

function version({ major, minor, build }: DescribedReport['firmware']['current']): string {
  return `${major}.${minor}.${build}`
}
