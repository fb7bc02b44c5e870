/**
 * The report as one page for people: self-contained, without scripts, and forbidden by its own policy to load
 * anything. It says what `evidence verify --json` knows, and no more.
 */
import { timeText } from '#cli/policy/words.ts'
import { sha256, utf8 } from '#core/bytes.ts'
import { access } from './access.ts'
import { assurance, machines } from './assurance.ts'
import { chartPatterns } from './charts.ts'
import { check, glossary } from './check.ts'
import { type PageContext, periodOf, tenantsOf } from './context.ts'
import { controls } from './controls.ts'
import { findings } from './findings.ts'
import { type Content, html, styleElement } from './html.ts'
import { refusals } from './refusals.ts'
import { plots, releases } from './releases.ts'
import { setAside } from './setAside.ts'
import { STYLE } from './style.ts'
import { traces } from './traces.ts'
import { summary, verdict } from './verdict.ts'

type Section = {
  readonly id: string
  readonly title: string
  readonly body: (context: PageContext) => Content
}

const SECTIONS: readonly Section[] = [
  { id: 'summary', title: 'In short', body: summary },
  { id: 'findings', title: 'Findings', body: findings },
  { id: 'access', title: 'Who received what, and why', body: access },
  { id: 'activity', title: 'Activity', body: plots },
  { id: 'assurance', title: 'What the machines proved', body: assurance },
  { id: 'refusals', title: 'Refusals', body: refusals },
  { id: 'releases', title: 'Releases', body: releases },
  { id: 'traces', title: 'Course of each job', body: traces },
  { id: 'set-aside', title: 'Work set aside', body: setAside },
  { id: 'machines', title: 'Machines and their logs', body: machines },
  { id: 'controls', title: 'Requirements', body: controls },
  { id: 'check', title: 'Check it again', body: check },
  { id: 'words', title: 'Words', body: glossary },
]

export function renderPage(context: PageContext): string {
  const { report, preparedAt, software } = context
  const owner = tenantsOf(report).join(', ')
  const period = periodOf(report)
  const policy = `default-src 'none'; style-src 'sha256-${sha256(utf8(STYLE)).toString('base64')}'; base-uri 'none'; form-action 'none'`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>Evidence report: ${report.verdict}${owner !== '' && `, ${owner}`}</title>
${styleElement(STYLE)}
</head>
<body>
<a class="skip" href="#main">Skip to the report</a>
${chartPatterns()}
<header>
<p class="kicker">Evidence report</p>
<h1>Access to sealed health data${owner !== '' && html` <span class="of">of</span> ${owner}`}</h1>
<p class="about">${period === undefined ? 'No entries' : `${timeText(period.from)} to ${timeText(period.to)}`}. Written ${timeText(preparedAt)} by ${software}.</p>
</header>
<nav aria-label="Contents"><h2 class="contents">Contents</h2><ol>${SECTIONS.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ol></nav>
<main id="main" tabindex="-1">
${verdict(context)}
${SECTIONS.map(
  ({ id, title, body }) =>
    html`<section id="${id}" aria-labelledby="${id}-heading"><h2 id="${id}-heading">${title}</h2>\n${body(context)}</section>\n`,
)}</main>
<footer><p>Computed from ${report.logs.length} logs. Times are UTC, by the Verifier’s clock. This page loads nothing and runs nothing; it can be kept and printed as it is.</p></footer>
</body>
</html>
`.toString()
}
