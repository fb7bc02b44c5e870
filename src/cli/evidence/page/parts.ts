/** The parts that sections are made of: tables, lists of facts, bars. */
import { numberText } from '#cli/policy/words.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'
import { type Content, type Html, html } from './html.ts'

export type Column = { readonly title: string; readonly kind?: 'number' | 'code' | 'id' }

/**
 * The first cell of each row is its heading. A wide table scrolls in a region of its own, which the keyboard
 * reaches.
 */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly Content[])[],
): Html {
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${caption}">
<table><caption>${caption}</caption>
<thead><tr>${columns.map(({ title, kind }) => html`<th scope="col"${classOf(kind)}>${title}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((cell, n) => cellOf(cell, n, columns[n]?.kind))}</tr>\n`)}</tbody></table></div>\n`
}

function cellOf(cell: Content, n: number, kind: Column['kind']): Html {
  return n === 0 ? html`<th scope="row"${classOf(kind)}>${cell}</th>` : html`<td${classOf(kind)}>${cell}</td>`
}

function classOf(kind: Column['kind']): Content {
  return kind !== undefined && html` class="${kind}"`
}

/**
 * The first of these, as many as fit into so many bytes of markup: no collection makes a page that a browser
 * cannot open. All budgets of a page are less than 5 MB together.
 */
export function fitting<Part extends Content>(parts: readonly Part[], maxBytes: number): readonly Part[] {
  let bytes = 0
  const end = parts.findIndex((part) => {
    bytes += Buffer.byteLength(html`${part}`.toString()) + MARKUP_BYTES
    return bytes > maxBytes
  })
  return end === -1 ? parts : parts.slice(0, end)
}
/** Of a row's own cells. */
const MARKUP_BYTES = 100

/** Labels with what they stand for. */
export function facts(rows: readonly (readonly [string, Content])[]): Html {
  return html`<dl class="facts">${rows.map(([label, value]) => html`<div><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>\n`
}

export function code(text: string): Html {
  return html`<code>${text}</code>`
}

/** Enough of an id to find it; the whole is its title. */
export function shortId(id: string): Html {
  return id.length <= 14 ? code(id) : html`<code class="id" title="${id}">${id.slice(0, 10)}…</code>`
}

/** In a table whose heading says UTC. */
export function timeCell(seconds: number | null): Html {
  if (seconds === null) return html`none`
  const text = toRfc3339(toUnixSeconds(seconds))
  return html`<time datetime="${text}">${text.replace('T', ' ').replace('Z', '')}</time>`
}

/** What a table leaves out, so that no one takes a part for the whole. */
export function leftOut(shown: number, all: number, what: string): Content {
  return (
    shown < all &&
    html`<p class="note">Shown: the newest ${numberText(shown)} of ${numberText(all)} ${what}. <code>evidence verify --json</code> lists all.</p>\n`
  )
}

/** `1 release`, `2 releases`. */
export function counted(count: number, one: string, more = `${one}s`): string {
  return `${numberText(count)} ${count === 1 ? one : more}`
}
