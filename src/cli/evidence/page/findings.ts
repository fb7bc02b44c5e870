/** Every finding of the audit, by its kind: first those that break the evidence. */
import { numberText } from '#cli/policy/words.ts'
import { FINDINGS, type Finding, type FindingCode } from '#core/evidence/audit/finding.ts'
import type { PageContext } from './context.ts'
import { type Content, html } from './html.ts'
import { code, counted, fitting, shortId, table } from './parts.ts'

const ORDER = ['broken', 'incomplete', 'noted'] as const
const SEVERITY: Readonly<Record<(typeof ORDER)[number], string>> = {
  broken: 'changed or contradictory',
  incomplete: 'missing',
  noted: 'noted, without effect on the verdict',
}
const MAX_BYTES = 1_200_000

export function findings({ report }: PageContext): Content {
  const all = report.findings.length + report.findingsOmitted
  if (all === 0) return html`<p>None. Every rule of the audit holds.</p>`
  const byCode = new Map<FindingCode, (readonly Content[])[]>()
  const rows = sorted(report.findings).map(rowOf)
  const shown = fitting(rows, MAX_BYTES).length
  for (const [n, { code: kind }] of sorted(report.findings).slice(0, shown).entries()) {
    const same = byCode.get(kind) ?? []
    byCode.set(kind, same)
    same.push(rows[n] ?? [])
  }
  return [
    html`<p>${counted(all, 'finding')} ${all === 1 ? 'needs' : 'need'} an explanation by the provider or the recipient.</p>`,
    [...byCode].map(([kind, same]) => group(kind, same)),
    shown < all &&
      html`<p class="note">Shown: ${numberText(shown)} of ${numberText(all)} findings, the gravest kinds first. <code>evidence verify --json</code> lists ${report.findingsOmitted === 0 ? 'all' : numberText(report.findings.length)}.</p>`,
  ]
}

function sorted(list: readonly Finding[]): readonly Finding[] {
  const rank = ({ code: kind }: Finding) => ORDER.indexOf(FINDINGS[kind].severity)
  return [...list].sort((a, b) => rank(a) - rank(b))
}

function rowOf({ log, index, text }: Finding): readonly Content[] {
  return [log === null ? 'none' : shortId(log), index === null ? '' : code(String(index)), text]
}

function group(kind: FindingCode, same: readonly (readonly Content[])[]): Content {
  const { severity, meaning } = FINDINGS[kind]
  return [
    html`<h3 class="finding ${severity}">${meaning.charAt(0).toUpperCase()}${meaning.slice(1)} <span class="tag">${SEVERITY[severity]}</span></h3>`,
    table(
      `${kind}: ${counted(same.length, 'finding')}`,
      [{ title: 'Log', kind: 'id' }, { title: 'Entry', kind: 'number' }, { title: 'What was found' }],
      same,
    ),
  ]
}
