/** The audit's report for people: the verdict, the logs, the decisions and the findings. */
import type { FolderReport, TrustReport } from '#adapters/evidence/folderAudit.ts'
import { FINDINGS } from '#core/evidence/audit/finding.ts'
import type { AllowedRelease, LogReport, RefusedRelease, SetAsideJob } from '#core/evidence/audit/report.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'

export function renderEvidence(report: FolderReport): string {
  const sections = [
    verdict(report),
    trust(report.trust),
    section('Logs', report.logs.map(log)),
    section(
      newest('Allowed', report, 'allowed'),
      report.releases.flatMap((release) => (release.kind === 'allowed' ? allowed(release) : [])),
    ),
    section(newest('Refused', report, 'refused'), [
      ...report.releases.flatMap((release) => (release.kind === 'refused' ? refused(release) : [])),
      ...report.turnedAway.map(({ code, count }) => `${count} x ${code}, before authentication`),
    ]),
    section(
      'Results',
      report.results.map(
        ({ resultId, boot, parts, content }) =>
          `${short(resultId)} by ${short(boot)}, ${parts} ${parts === 1 ? 'part' : 'parts'}, content ${content}`,
      ),
    ),
    section('Set aside', report.setAside.map(setAside)),
    section('Findings', findings(report)),
  ]
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`
}

/** Only the newest ones are listed. */
function newest(title: string, { totals, releases }: FolderReport, kind: 'allowed' | 'refused'): string {
  const listed = releases.filter((release) => release.kind === kind).length
  return listed === totals[kind] ? title : `${title}: the newest ${listed} of ${totals[kind]}`
}

const VERDICTS: Readonly<Record<FolderReport['verdict'], string>> = {
  intact: 'INTACT      complete and unchanged, up to the end of the logs',
  consistent: 'CONSISTENT  under a root that you have not confirmed: its maker may have made all of this',
  incomplete: 'INCOMPLETE  nothing contradicts, but something is missing',
  broken: 'BROKEN      something was changed or contradicts',
}

const WITNESSED: Readonly<Record<FolderReport['witnessed'], string>> = {
  witnessed: "witnessed   the Verifier has cosigned the workers' logs: they cannot be cut back before that",
  unwitnessed:
    'unwitnessed of some workers only they have seen their logs grow; a tail without references can be removed unnoticed',
}

function verdict({
  verdict: kind,
  simulation,
  witnessed,
  findings: list,
  findingsOmitted,
  totals,
}: FolderReport): string {
  const count = list.length + findingsOmitted
  return block([
    VERDICTS[kind],
    ...(simulation ? ["SIMULATED   the root is not AMD's: this proves nothing about a machine"] : []),
    WITNESSED[witnessed],
    `${totals.allowed} allowed, ${totals.refused} refused, ${count} ${count === 1 ? 'finding' : 'findings'}`,
  ])
}

function trust({ source, threshold, keys }: TrustReport): string {
  const sentence =
    source === 'collection'
      ? 'The root came with the collection. Compare these thumbprints with those that the provider gave you separately, and name the root with --trust FILE:'
      : 'Verified from this root:'
  return block([
    sentence,
    ...keys.map(({ person, thumbprint }) => `  ${thumbprint}  ${person}`),
    `  ${threshold} of ${keys.length} must sign`,
  ])
}

function log({
  role,
  boot,
  status,
  registered,
  size,
  checkpoints,
  unsealed,
  assurance,
  lastAt,
}: LogReport): string {
  const parts = [
    `${role.padEnd(8)} ${boot}  ${status}`,
    `${size} entries under ${checkpoints} ${checkpoints === 1 ? 'checkpoint' : 'checkpoints'}`,
    ...(unsealed > 0 ? [`${unsealed} after the last checkpoint`] : []),
    ...(registered ? [] : ['not registered']),
    ...(assurance === null ? [] : [assurance]),
    ...(lastAt === null ? [] : [`until ${at(lastAt)}`]),
  ]
  return parts.join(', ')
}

function allowed(release: AllowedRelease): string {
  const { releaseId, time, client, purpose, dataset, permission, objects, assurance, disclosure } = release
  const what = `${objects} ${objects === 1 ? 'object' : 'objects'} of ${dataset} to ${client} for ${purpose}`
  const level = disclosure ? `${assurance}, DISCLOSURE of the whole` : assurance
  return `${at(time)}  ${short(releaseId)}  ${what} (${permission}, ${level}): ${ending(release)}`
}

function ending({ status, code, resultId, finishedBy, setAside, boot }: AllowedRelease): string {
  const aside = setAside ? ', job set aside' : ''
  const after = finishedBy === null ? aside : `, finished by release ${short(finishedBy)}`
  switch (status) {
    case 'visible':
      return `result ${short(resultId ?? '')} visible`
    case 'superseded':
      return `result ${short(resultId ?? '')} existed already`
    case 'foreign':
      return `result ${short(resultId ?? '')} is not from a registered worker`
    case 'abandoned':
      return `abandoned by boot ${short(boot)}${after}`
    case 'undelivered':
      return `never acknowledged by boot ${short(boot)}${after}`
    case 'withheld':
      return `withheld (${code ?? ''})`
    case 'interrupted':
      return 'interrupted: its Verifier died before it issued the key'
    case 'unended':
      return 'decided, neither issued nor failed'
    case 'dead-lettered':
      return `job failed (${code ?? ''}), set aside`
    case 'failed':
    case 'returned':
      return `job ${status} (${code ?? ''})${setAside ? ', set aside' : ''}`
  }
}

function refused({ denialId, time, boot, client, objects, reasons }: RefusedRelease): string[] {
  const who = `${client ?? 'an unknown client'} on ${boot === null ? 'an unknown boot' : short(boot)}`
  return [
    `${at(time)}  ${short(denialId)}  ${objects} ${objects === 1 ? 'object' : 'objects'} to ${who}`,
    ...reasons.map(
      ({ code, field, expected, actual }) => `  ${code}: ${field} is ${actual}, expected ${expected}`,
    ),
  ]
}

function setAside({ jobId, time, code, attempts, overtakenBy }: SetAsideJob): string {
  const since = overtakenBy === null ? '' : `, overtaken by result ${short(overtakenBy)}`
  return `${at(time)}  ${short(jobId)}  ${code} after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}${since}`
}

function findings({ findings: list, findingsOmitted }: FolderReport): string[] {
  return [
    ...list.map(({ code, log: boot, index, text }) => {
      const where = [
        ...(boot === null ? [] : [short(boot)]),
        ...(index === null ? [] : [String(index)]),
      ].join(':')
      return `${FINDINGS[code].severity.padEnd(10)} ${code}${where === '' ? '' : ` at ${where}`}: ${text}`
    }),
    ...(findingsOmitted > 0 ? [`and ${findingsOmitted} more`] : []),
  ]
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : block([title, ...lines.map((line) => `  ${line}`)])
}

/** The author of a collection chose some of these words: each line stays one line of plain text. */
function block(lines: readonly string[]): string {
  return lines.map((line) => line.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')).join('\n')
}

function at(time: number): string {
  return toRfc3339(toUnixSeconds(time))
}

/** Enough of an id to find it; --json prints the whole. */
function short(id: string): string {
  return id.slice(0, 10)
}
