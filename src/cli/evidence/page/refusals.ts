/** What was refused, by reason, and the newest refusals one by one. */
import { numberText, purposeText } from '#cli/policy/words.ts'
import { errorRow } from '#core/errors.ts'
import type { RefusedRelease } from '#core/evidence/audit/report.ts'
import { bars } from './charts.ts'
import { newestFirst, type PageContext } from './context.ts'
import { type Content, html } from './html.ts'
import { code, fitting, leftOut, shortId, table, timeCell } from './parts.ts'
import { largest } from './totals.ts'

const MAX_BYTES = 400_000
/** Of one refusal: the first say why, and `explain` says all. */
const MAX_REASONS = 4

export function refusals({ report, totals }: PageContext): Content {
  const { reasons, refused } = totals
  if (refused === 0 && report.turnedAway.length === 0) return html`<p>Nothing was refused.</p>`
  const rows = newestFirst(report).flatMap((release) => (release.kind === 'refused' ? [rowOf(release)] : []))
  const shown = fitting(rows, MAX_BYTES)
  return [
    html`<p>A refused worker is told a code and no more. The values below are from the provider’s own record. A refusal is the system at work, and no finding.</p>`,
    refused > 0 && [
      bars(
        'Refused requests by reason',
        'Reason',
        [{ name: 'Requests', drawn: 'hatched' }],
        largest(reasons).map(([reason, count]) => ({
          label: html`${errorRow(reason).meaning} <span class="of">(${reason})</span>`,
          values: [count],
        })),
      ),
      table(
        'Refused requests, newest first',
        [
          { title: 'Time (UTC)' },
          { title: 'Denial', kind: 'code' },
          { title: 'Requester' },
          { title: 'Files', kind: 'number' },
          { title: 'Why' },
        ],
        shown,
      ),
      leftOut(shown.length, refused, 'refused requests'),
    ],
    report.turnedAway.length > 0 &&
      table(
        'Requests that went unanswered, because nothing in them was authentic',
        [{ title: 'Reason' }, { title: 'Code', kind: 'code' }, { title: 'Requests', kind: 'number' }],
        report.turnedAway.map(({ code: reason, count }) => [
          errorRow(reason).meaning,
          code(reason),
          numberText(count),
        ]),
      ),
  ]
}

function rowOf(release: RefusedRelease): readonly Content[] {
  return [
    timeCell(release.time),
    shortId(release.denialId),
    requester(release),
    numberText(release.objects),
    why(release),
  ]
}

function requester({ client, purpose, boot }: RefusedRelease): Content {
  return html`${client ?? 'unknown'}${purpose === null ? ', for a purpose that no permission has' : `, ${purposeText(purpose)}`}${boot !== null && html`, start ${shortId(boot)}`}`
}

function why({ reasons }: RefusedRelease): Content {
  const more = reasons.length - MAX_REASONS
  return html`<ul class="plain">${reasons
    .slice(0, MAX_REASONS)
    .map(
      ({ code: reason, field, expected, actual }) =>
        html`<li>${code(reason)}: ${field} is ${value(actual)}, expected ${value(expected)}</li>`,
    )}${more > 0 && html`<li>and ${more} more</li>`}</ul>`
}

function value(text: string): Content {
  return text.length > 40
    ? html`<span class="value" title="${text}">${text.slice(0, 24)}…</span>`
    : html`<span class="value">${text}</span>`
}
