/** What has become of it, in a few lines: released, withheld, the top of the table, and where everything lies. */
import { join, relative } from 'node:path'
import type { Cell, CountTable } from '#core/egress/table.ts'
import type { RefusedRelease } from '#core/evidence/audit/report.ts'
import type { Counts } from '#core/evidence/entry.ts'
import type { Audited } from './audit.ts'
import type { Folders } from './folders.ts'
import { formatBytes } from './narrator.ts'
import type { Refused } from './probes.ts'
import type { Processed, Sealed } from './story.ts'

const TOP_ROWS = 8
const LABEL_WIDTH = 11

export type Summary = {
  readonly folders: Folders
  readonly sealed: Sealed
  readonly processed: Processed
  readonly refused: readonly Refused[]
  readonly audited: Audited
  readonly counts: Counts
  readonly table: CountTable
  readonly resultFile: string
  /** Largest resident memory, in bytes, by worker. */
  readonly peaks: ReadonlyMap<string, number>
  readonly elapsedMs: number
}

/** Each refusal with the Verifier's own reasons, which the hospital sees and whoever asked does not. */
export function explainRefusals(
  refused: readonly Refused[],
  { refused: decided }: Audited,
): readonly string[] {
  return refused.flatMap(({ who, denialId }) => {
    const reasons = decided.find((entry) => entry.denialId === denialId)?.reasons ?? []
    return [`  ${who}`, ...reasons.map(reasonText)]
  })
}

function reasonText({ code, expected, actual, remedy }: RefusedRelease['reasons'][number]): string {
  return `    ${code}: is ${shorten(actual)}, not ${shorten(expected)}; ${shorten(remedy)}`
}

/** Digests say enough by their beginning. */
function shorten(text: string): string {
  return text.replace(/[0-9a-f]{24,}/g, (digest) => `${digest.slice(0, 12)}…`)
}

/** The largest cells. */
export function tableText({ table, minimumCell, cellsWithheld }: CountTable): readonly string[] {
  const top = [...table].sort((a, b) => b.count - a.count).slice(0, TOP_ROWS)
  const rows = [['resource', 'code', 'year', 'count'], ...top.map(cellTexts)]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const more = table.length - top.length
  return [
    ...rows.map(
      (row) =>
        `  ${row.map((text, column) => (column === 3 ? text.padStart(widths[3] ?? 0) : text.padEnd(widths[column] ?? 0))).join('  ')}`,
    ),
    ...(more > 0 ? [`  and ${more} more cells`] : []),
    ...(cellsWithheld ? [`  cells of fewer than ${minimumCell} persons are not shown`] : []),
  ]
}

function cellTexts({ resourceType, system, code, year, count }: Cell): string[] {
  const short = system?.replace(/^.*\//, '')
  return [resourceType, code === null ? '-' : `${short ?? ''} ${code}`.trim(), year ?? '-', String(count)]
}

export function summaryText(summary: Summary): readonly string[] {
  const { processed, refused, audited, counts, folders, peaks, elapsedMs } = summary
  const kept = sum(counts.kept)
  const withheld = sum(counts.withheld)
  const place = (path: string) => relative(process.cwd(), path) || path
  const row = (label: string, text: string) => `  ${label.padEnd(LABEL_WIDTH)}${text}`
  const memory = [...peaks].map(([name, bytes]) => `${name} ${formatBytes(bytes)}`).join(', ')
  return [
    `Done in ${(elapsedMs / 1000).toFixed(0)} s.`,
    row('released', `1 object to ${processed.worker}; of ${counts.read} resources ${kept} passed the filter`),
    row('withheld', `${withheld} resources in the enclave${byReason(counts.withheld)}`),
    row('refused', `${refused.length} requests: ${refused.map(({ code }) => code).join(', ')}`),
    row(
      'evidence',
      `${audited.verdict}: ${audited.allowed} allowed, ${audited.refused.length} refused, in ${audited.logs} logs`,
    ),
    row('memory', `at most ${memory}`),
    '',
    row('result', place(summary.resultFile)),
    row('audit', `${place(join(folders.root, 'audit.txt'))}, over ${place(folders.evidence)}/`),
    row('metrics', `${place(folders.metrics)}/`),
    row('logs', `${place(folders.logs)}/`),
  ]
}

export function summaryJson(summary: Summary): object {
  const { folders, sealed, processed, refused, audited, counts, resultFile, peaks, elapsedMs } = summary
  return {
    folder: folders.root,
    simulation: true,
    sealId: sealed.sealId,
    ...processed,
    counts,
    refused: refused.map(({ probe, code, denialId }) => ({ probe, code, denialId })),
    evidence: { verdict: audited.verdict, allowed: audited.allowed, refused: audited.refused.length },
    result: resultFile,
    peakResidentBytes: Object.fromEntries(peaks),
    elapsedMs: Math.round(elapsedMs),
  }
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}

function byReason(withheld: Counts['withheld']): string {
  const reasons = Object.entries(withheld).map(([reason, count]) => `${reason} ${count}`)
  return reasons.length === 0 ? '' : ` (${reasons.join(', ')})`
}
