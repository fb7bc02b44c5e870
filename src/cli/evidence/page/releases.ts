/** Plots over all releases, the newest releases one by one, and the course of each of their jobs. */
import { numberText, purposeText } from '#cli/policy/words.ts'
import type { AllowedRelease } from '#core/evidence/audit/report.ts'
import { bars, DECIDED, timeChart } from './charts.ts'
import { newestFirst, type PageContext } from './context.ts'
import { type Content, html } from './html.ts'
import { fitting, leftOut, shortId, table, timeCell } from './parts.ts'
import type { Totals } from './totals.ts'
import { traceOf } from './traces.ts'
import { GOOD, STATUS } from './words.ts'

const MAX_BARS = 20
const MAX_BYTES = 650_000

export function plots({ totals }: PageContext): Content {
  const over = totals.overTime.chart()
  return [
    over !== undefined &&
      timeChart({
        id: 'over-time',
        title: `Requests per ${over.span}`,
        description: `${numberText(totals.allowed)} allowed and ${numberText(totals.refused)} refused, in columns of one ${over.span} each. The table below has the numbers.`,
        series: DECIDED,
        buckets: over.buckets,
      }),
    bars('Requests by recipient and purpose', 'Recipient', DECIDED, byClient(totals)),
    totals.uses.length > 0 &&
      bars(
        'Files released, by data and recipient',
        'Data',
        [{ name: 'Files', drawn: 'plain' }],
        byDataset(totals),
      ),
  ]
}

function byClient({ uses, refusedTo }: Totals) {
  const rows = new Map<string, { label: string; values: [number, number] }>()
  const row = (client: string | null, purpose: string | null) => {
    const key = JSON.stringify([client, purpose])
    const why = purpose === null ? 'another purpose' : purposeText(purpose)
    const known = rows.get(key) ?? { label: `${client ?? 'unknown'}, ${why}`, values: [0, 0] }
    rows.set(key, known)
    return known
  }
  for (const { client, purpose, releases } of uses) row(client, purpose).values[0] += releases
  for (const { client, purpose, count } of refusedTo) row(client, purpose).values[1] += count
  return [...rows.values()]
    .sort((a, b) => b.values[0] + b.values[1] - a.values[0] - a.values[1])
    .slice(0, MAX_BARS)
}

function byDataset({ uses }: Totals) {
  const rows = new Map<string, { label: string; values: [number] }>()
  for (const { client, dataset, objects } of uses) {
    const key = JSON.stringify([client, dataset])
    const row = rows.get(key) ?? { label: `${dataset}, to ${client}`, values: [0] }
    row.values[0] += objects
    rows.set(key, row)
  }
  return [...rows.values()].sort((a, b) => b.values[0] - a.values[0]).slice(0, MAX_BARS)
}

export function releases({ report, totals }: PageContext): Content {
  const rows = newestFirst(report).flatMap((release) => (release.kind === 'allowed' ? [rowOf(release)] : []))
  const shown = fitting(rows, MAX_BYTES)
  if (shown.length === 0) return html`<p>No key was released.</p>`
  return [
    table(
      'Releases, newest first',
      [
        { title: 'Time (UTC)' },
        { title: 'Release', kind: 'code' },
        { title: 'Recipient' },
        { title: 'Data' },
        { title: 'Files', kind: 'number' },
        { title: 'Assurance' },
        { title: 'What came of it' },
        { title: 'Course', kind: 'code' },
      ],
      shown,
    ),
    leftOut(shown.length, totals.allowed, 'releases'),
  ]
}

function rowOf(release: AllowedRelease): readonly Content[] {
  return [
    timeCell(release.time),
    shortId(release.releaseId),
    release.client,
    release.dataset,
    numberText(release.objects),
    release.disclosure ? html`${release.assurance}, <strong>disclosure</strong>` : release.assurance,
    outcome(release),
    html`<a href="#trace-${traceOf(release.traceparent)}">${traceOf(release.traceparent).slice(0, 8)}</a>`,
  ]
}

function outcome({ status, code, resultId, finishedBy, setAside }: AllowedRelease): Content {
  const why = code === null ? '' : ` (${code})`
  return html`<span class="${GOOD.has(status) ? 'good' : 'poor'}">${STATUS[status]}${why}</span>${
    status === 'visible' && resultId !== null && html` ${shortId(resultId)}`
  }${finishedBy !== null && html`; finished by release ${shortId(finishedBy)}`}${
    setAside && status !== 'dead-lettered' && '; the job was set aside'
  }`
}
