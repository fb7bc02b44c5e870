/** A denial for people. */
import { columns, labelled, wrap } from '#cli/textBlock.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'
import type { FoundDenial } from './denial.ts'

const LABEL = 11

export function renderDenial(denial: FoundDenial): string {
  const sections = [
    head(denial),
    section('Reasons', denial.reasons.map(reason)),
    section('Nearest reference values', nearest(denial)),
    section('Jobs', jobs(denial)),
  ]
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`
}

function head(denial: FoundDenial): string {
  const { denialId, time, log, index, boot, client, purpose, objects, measurement, evidence } = denial
  const use = purpose === null ? 'a purpose that the policy has nowhere' : purpose
  const rows: readonly (readonly [string, string])[] = [
    ['denied', `${denialId} at ${toRfc3339(toUnixSeconds(time))}`],
    ['evidence', EVIDENCE[evidence.verdict] + (evidence.simulation ? '; simulated' : '')],
    ['entry', `${index} of ${log}`],
    ['client', client === null ? UNKNOWN : `${client} for ${use}`],
    ['objects', `${objects}`],
    ['worker', boot ?? UNKNOWN],
    ['measured', measurement ?? UNKNOWN],
    ['in force', inForce(denial)],
    ['traces', denial.traceparents.join('\n') || 'none: a preflight'],
  ]
  return rows
    .map(([label, value]) => labelled(label, value.split('\n').map(wrap).join('\n'), LABEL))
    .join('\n')
}

const UNKNOWN = 'not known: the entry on its worker is lost'
const EVIDENCE: Readonly<Record<FoundDenial['evidence']['verdict'], string>> = {
  intact: 'intact',
  consistent: 'consistent, under a root that you have not confirmed: name it with --trust',
  incomplete: 'INCOMPLETE: see "evidence verify"',
  broken: 'BROKEN: what follows is no proof; see "evidence verify"',
}

function inForce({ policySeq, revocationSeq }: FoundDenial): string {
  if (policySeq === null || revocationSeq === null) return UNKNOWN
  return `policy ${policySeq}, ${revocationSeq} revocation ${revocationSeq === 1 ? 'list' : 'lists'}`
}

function reason({ code, field, expected, actual, remedy }: FoundDenial['reasons'][number]): string {
  const rows = [
    ['field', field],
    ['found', actual],
    ['expected', expected],
    ['remedy', remedy],
  ] as const
  const lines = rows.map(([label, value]) => labelled(`  ${label}`, wrap(plain(value)), LABEL))
  return [code, ...lines].join('\n')
}

function nearest({ nearest: list, reference }: FoundDenial): readonly string[] {
  if (reference !== null) return [`${reference}: the worker matches it`]
  if (list.length === 0) return ['none: the machine is not why the request was refused']
  const rows = list.map(({ reference: id, differences, fields }) => [
    id,
    `${differences} ${differences === 1 ? 'difference' : 'differences'}`,
    fields.map(plain).join(', '),
  ])
  return [columns(rows)]
}

function jobs({ denied }: FoundDenial): readonly string[] {
  if (denied.length === 0) return ["none: no registered worker's log has this denial"]
  return [
    columns(
      denied.map(({ jobId, traceparent, log }) => [`job ${jobId}`, `trace ${traceparent}`, `boot ${log}`]),
    ),
  ]
}

function section(title: string, blocks: readonly string[]): string {
  return [title, ...blocks.map((block) => block.replace(/^/gm, '  '))].join('\n')
}

/** A reason may have the words of a report: control characters must not reach the terminal. */
function plain(text: string): string {
  return text.replace(/\p{C}/gu, '?')
}
