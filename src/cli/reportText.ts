/** The result of `report verify` for people: the verdict first, then why, then what the report says. */
import { TCB_NAMES } from '#core/snp/report.ts'
import { TCB_COMPONENTS } from '#core/snp/tcb.ts'
import type { ReportResult } from './report.ts'
import type { DescribedReport } from './reportFields.ts'

export function renderReport(result: ReportResult): string {
  const { reasons, report } = result
  const sections = [verdict(result), reasons.map(reason).join('\n'), report === null ? '' : described(report)]
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`
}

const VERDICTS: Readonly<Record<ReportResult['verdict'], string>> = {
  accepted: 'ACCEPTED    genuine, and as the policy demands',
  authentic: 'AUTHENTIC   genuine; nothing was said about whether it is acceptable',
  refused: 'REFUSED     not to be trusted',
}

function verdict({
  verdict: kind,
  assurance,
  release,
  policy,
  root,
  at,
  unconstrained,
}: ReportResult): string {
  const source = typeof policy === 'string' ? policy : `number ${policy.seq}, its signatures not checked`
  return [
    VERDICTS[kind],
    ...(root?.simulated === true
      ? ['SIMULATED   the root is not AMD: this proves nothing about a machine']
      : []),
    `at          ${at}`,
    `policy      ${source}${release === null ? '' : `, release ${release}`}`,
    ...(assurance === null ? [] : [`assurance   ${assurance}`]),
    ...(root === null ? [] : [`root        ${root.fingerprint}`]),
    'revocation  not checked',
    ...(unconstrained.length === 0 ? [] : [`not held against anything: ${unconstrained.join(', ')}`]),
  ].join('\n')
}

function reason({ code, field, expected, actual, remedy }: ReportResult['reasons'][number]): string {
  return [
    `${code}  ${field}`,
    `  expected  ${expected}`,
    `  actual    ${actual}`,
    `  remedy    ${remedy}`,
  ].join('\n')
}

function described(report: DescribedReport): string {
  const { cpuid, firmware, mitigations, policy, platformInfo } = report
  const rows: readonly (readonly [string, string])[] = [
    ['version', String(report.version)],
    ['product', report.product ?? 'unknown'],
    [
      'cpuid',
      cpuid === null ? 'not in this version' : [cpuid.family, cpuid.model, cpuid.stepping].map(hex).join('/'),
    ],
    ['measurement', report.measurement],
    ['report data', report.reportData],
    ['host data', report.hostData],
    ['chip id', report.chipId],
    ['report id', report.reportId],
    ['guest svn', String(report.guestSvn)],
    ['vmpl', String(report.vmpl)],
    ['signing key', report.signingKey],
    ['guest policy', `${policy.value}: ABI ${policy.abi.major}.${policy.abi.minor}${setBits(policy)}`],
    ['platform', `${platformInfo.value}:${setBits(platformInfo)}`],
    ['firmware', `${version(firmware.current)}, committed ${version(firmware.committed)}`],
    ...(mitigations === null
      ? []
      : [['mitigations', `${mitigations.current}, at launch ${mitigations.launch}`] as const]),
  ]
  const fields = rows.map(([name, value]) => `${name.padEnd(14)}${value}`).join('\n')
  return report.tcb === null ? fields : `${fields}\n\n${tcbTable(report.tcb)}`
}

function tcbTable(tcb: NonNullable<DescribedReport['tcb']>): string {
  const header = ['tcb', ...TCB_COMPONENTS]
  const rows = TCB_NAMES.map((name) => [
    name,
    ...TCB_COMPONENTS.map((component) => String(tcb[name][component])),
  ])
  return [header, ...rows]
    .map((row) =>
      row
        .map((cell) => cell.padEnd(12))
        .join('')
        .trimEnd(),
    )
    .join('\n')
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

function hex(value: number): string {
  return value.toString(16).padStart(2, '0')
}
