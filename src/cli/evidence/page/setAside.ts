import { errorRow } from '#core/errors.ts'
import type { PageContext } from './context.ts'
import { type Content, html } from './html.ts'
import { code, leftOut, shortId, table, timeCell } from './parts.ts'

const MAX_JOBS = 300

export function setAside({ report }: PageContext): Content {
  const jobs = [...report.setAside].sort((a, b) => b.time - a.time)
  if (jobs.length === 0) return html`<p>None.</p>`
  return [
    html`<p>A worker sets work aside that failed for good or too often. It waits for people.</p>`,
    table(
      'Work set aside, newest first',
      [
        { title: 'Time (UTC)' },
        { title: 'Job', kind: 'code' },
        { title: 'Reason' },
        { title: 'Attempts', kind: 'number' },
        { title: 'Since then' },
      ],
      jobs
        .slice(0, MAX_JOBS)
        .map(({ time, jobId, code: reason, attempts, overtakenBy }) => [
          timeCell(time),
          shortId(jobId),
          html`${errorRow(reason).meaning} ${code(reason)}`,
          attempts,
          overtakenBy === null ? 'open' : html`done by result ${shortId(overtakenBy)}`,
        ]),
    ),
    leftOut(MAX_JOBS, jobs.length, 'jobs'),
  ]
}
