/**
 * Plots as SVG without text of its own, so that words keep their size on any screen. The numbers are beside
 * them or in a table below: the picture adds nothing that only an eye could find.
 */
import { numberText } from '#cli/policy/words.ts'
import { type Content, type Html, html } from './html.ts'
import { table } from './parts.ts'

/** What was refused is hatched, so that no one needs the colour. */
const HATCH = html`<svg class="defs" width="0" height="0" aria-hidden="true" focusable="false"><defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground" width="6" height="6"/><rect class="hatch-line" width="3" height="6"/></pattern></defs></svg>`

/** Once per page, for the plots of two series. */
export function chartPatterns(): Html {
  return HATCH
}

export type Series = { readonly name: string; readonly drawn: 'plain' | 'hatched' }

export type Bar = { readonly label: Content; readonly values: readonly number[] }

/** A table whose bars show the sizes of its numbers. `series` names the values of each bar. */
export function bars(caption: string, head: string, series: readonly Series[], rows: readonly Bar[]): Html {
  const most = Math.max(1, ...rows.map(({ values }) => sum(values)))
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${caption}">
<table class="bars"><caption>${caption}${legend(series)}</caption>
<thead><tr><th scope="col">${head}</th><td class="bar"></td>${series.map(({ name }) => html`<th scope="col" class="number">${name}</th>`)}</tr></thead>
<tbody>${rows.map(({ label, values }) => html`<tr><th scope="row">${label}</th><td class="bar">${bar(values, series, most)}</td>${values.map((value) => html`<td class="number">${numberText(value)}</td>`)}</tr>\n`)}</tbody></table></div>\n`
}

function bar(values: readonly number[], series: readonly Series[], most: number): Html {
  let x = 0
  const pieces = values.map((value, n) => {
    const width = (value / most) * 100
    const piece = html`<rect class="${series[n]?.drawn}" x="${place(x)}%" y="0" width="${place(width)}%" height="100%"/>`
    x += width
    return value > 0 && piece
  })
  return html`<svg aria-hidden="true" focusable="false">${pieces}</svg>`
}

export type TimeChart = {
  readonly id: string
  readonly title: string
  /** What the picture shows, in a sentence. */
  readonly description: string
  readonly series: readonly [Series, Series]
  /** In the order of time. */
  readonly buckets: readonly { readonly label: string; readonly values: readonly [number, number] }[]
}

/** In percent: a few columns look like columns. */
const MOST_WIDTH = 4

/** Stacked columns over time. */
export function timeChart({ id, title, description, series, buckets }: TimeChart): Html {
  const most = Math.max(1, ...buckets.map(({ values }) => sum(values)))
  const step = 100 / Math.max(1, buckets.length)
  const columns = buckets.map(({ values: [lower, upper] }, n) => {
    const [low, high] = [(lower / most) * 100, (upper / most) * 100]
    const width = place(Math.min(step * 0.8, MOST_WIDTH))
    const x = place((n + 0.5) * step - Math.min(step * 0.8, MOST_WIDTH) / 2)
    return [
      lower > 0 &&
        html`<rect class="${series[0].drawn}" x="${x}%" y="${place(100 - low)}%" width="${width}%" height="${place(low)}%"/>`,
      upper > 0 &&
        html`<rect class="${series[1].drawn}" x="${x}%" y="${place(100 - low - high)}%" width="${width}%" height="${place(high)}%"/>`,
    ]
  })
  const ends = [buckets[0], buckets.length > 1 ? buckets.at(-1) : undefined]
  return html`<figure class="time">
<figcaption>${title}${legend(series)}</figcaption>
<p class="scale">${numberText(most)}</p>
<svg role="img" aria-labelledby="${id}-title ${id}-text" focusable="false"><title id="${id}-title">${title}</title><desc id="${id}-text">${description}</desc>${columns}</svg>
<p class="axis">${ends.map((bucket) => bucket && html`<span>${bucket.label}</span>`)}</p>
<details><summary>The same as a table</summary>
${table(
  title,
  [{ title: 'Beginning (UTC)' }, ...series.map(({ name }) => ({ title: name, kind: 'number' as const }))],
  buckets
    .filter(({ values }) => sum(values) > 0)
    .map(({ label, values }) => [label, ...values.map(numberText)]),
)}</details></figure>\n`
}

function legend(series: readonly Series[]): Content {
  if (series.length < 2) return null
  return html` <span class="legend">${series.map(({ name, drawn }) => html`<span class="key"><svg aria-hidden="true" focusable="false" width="12" height="12"><rect class="${drawn}" width="12" height="12"/></svg>${name}</span>`)}</span>`
}

/** The two series of requests. */
export const DECIDED = [
  { name: 'Allowed', drawn: 'plain' },
  { name: 'Refused', drawn: 'hatched' },
] as const

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Hundredths of a percent are less than a pixel. */
function place(percent: number): string {
  return String(Math.round(percent * 100) / 100)
}
