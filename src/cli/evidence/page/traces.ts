/** The course of each job over the logs of both sides, from the first decision to the result. */
import { numberText, timeText } from '#cli/policy/words.ts'
import { errorRow } from '#core/errors.ts'
import type { AllowedRelease, RefusedRelease, ReleaseStep } from '#core/evidence/audit/report.ts'
import { newestFirst, type PageContext } from './context.ts'
import { type Content, type Html, html } from './html.ts'
import { counted, fitting, shortId, table, timeCell } from './parts.ts'
import { EVENT, STATUS } from './words.ts'

const MAX_BYTES = 1_800_000

type Trace = { readonly id: string; readonly releases: (AllowedRelease | RefusedRelease)[] }

/** The trace id of a traceparent: 32 hex digits. */
export function traceOf(traceparent: string): string {
  return traceparent.split('-')[1] ?? traceparent
}

export function traces({ report }: PageContext): Content {
  const all = byTrace(newestFirst(report))
  if (all.length === 0) return html`<p>No job asked for a key.</p>`
  const roles = new Map(report.logs.map(({ boot, role }) => [boot, role]))
  // One is open, so that a reader sees what a course is.
  const example = all.find(({ releases }) => releases.some(({ kind }) => kind === 'allowed')) ?? all[0]
  const courses = all.map((trace) => course(trace, trace === example, roles))
  const shown = fitting(courses, MAX_BYTES)
  return [
    html`<p>Every job has a trace, which the provider’s and the recipient’s logs name alike.</p>`,
    shown,
    shown.length < all.length &&
      html`<p class="note">The newest ${numberText(shown.length)} traces of ${numberText(all.length)} among the releases above.</p>`,
  ]
}

/** Newest first, each with its releases from the first on. */
function byTrace(newest: readonly (AllowedRelease | RefusedRelease)[]): readonly Trace[] {
  const found = new Map<string, Trace>()
  for (const release of newest) {
    const parents = release.kind === 'allowed' ? [release.traceparent] : release.traceparents
    for (const id of new Set(parents.map(traceOf))) {
      const trace = found.get(id) ?? { id, releases: [] }
      found.set(id, trace)
      trace.releases.unshift(release)
    }
  }
  return [...found.values()]
}

function course({ id, releases }: Trace, open: boolean, roles: ReadonlyMap<string, string>): Html {
  const last = releases.at(-1)
  const end = last?.kind === 'allowed' ? STATUS[last.status] : 'refused'
  const steps = releases.flatMap(stepsOf)
  const heading = html`<summary><code>${id.slice(0, 8)}</code> <span class="of">${last && timeText(last.time)}</span> ${end}, ${counted(steps.length, 'entry', 'entries')}</summary>`
  const body = html`<div id="trace-${id}">${table(
    `Trace ${id}`,
    [
      { title: 'Time (UTC)' },
      { title: 'What happened' },
      { title: 'Recorded in' },
      { title: 'Entry', kind: 'number' },
    ],
    steps.map(({ time, text, log, index }) => [
      timeCell(time),
      text,
      html`${roles.get(log) ?? 'a log that is absent'} ${shortId(log)}`,
      String(index),
    ]),
  )}</div>`
  return open
    ? html`<details open>${heading}${body}</details>\n`
    : html`<details>${heading}${body}</details>\n`
}

type Step = Pick<ReleaseStep, 'time' | 'log' | 'index'> & { readonly text: Content }

function stepsOf(release: AllowedRelease | RefusedRelease): readonly Step[] {
  if (release.kind === 'allowed')
    return release.steps.map(({ event, ...step }) => ({ ...step, text: EVENT[event] }))
  const { time, log, index, reasons, denialId, objects } = release
  const why = [...new Set(reasons.map(({ code }) => errorRow(code).meaning))].join('; ')
  const text = html`The Verifier refuses ${counted(objects, 'file')}: ${why} (denial ${shortId(denialId)})`
  return [{ time, log, index, text }]
}
