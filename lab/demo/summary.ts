/**
 * The end of the demo in a few lines: released, withheld, the largest cells of the table, and where the files
 * are.
 */
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { formatBytes } from '#cli/terminal.ts'
import type { Cell, CountTable } from '#core/egress/table.ts'
import type { RefusedRelease } from '#core/evidence/audit/report.ts'
import type { Counts } from '#core/fhir/filter.ts'
import type { Audited } from './audit.ts'
import type { Folders } from './folders.ts'
import type { Refused } from './probes.ts'
import type { Processed } from './processing.ts'
import type { Sealed } from './sealing.ts'

const ROWS_PER_TYPE = 3
const MAX_ROWS = 12
const HEAD = ['resource', 'code', 'year', 'count']
const LABEL_WIDTH = 11

type Reason = RefusedRelease['reasons'][number]

export type Summary = {
  readonly folders: Folders
  /** The pin that the audit starts from. */
  readonly trustFile: string
  readonly sealed: Sealed
  readonly processed: Processed
  readonly refused: readonly Refused[]
  readonly audited: Audited
  readonly counts: Counts
  readonly table: CountTable
  readonly resultFile: string
  /** The audit as a page. */
  readonly reportFile: string
  /** The peak resident memory in bytes, by worker. */
  readonly peaks: ReadonlyMap<string, number>
  readonly elapsedMs: number
}

/** Each refused machine with the Verifier's reasons, as the evidence holds them. */
export function explainRefusals(
  refused: readonly Refused[],
  { refused: decided }: Audited,
): readonly string[] {
  return refused.flatMap(({ machine, denialId }) => {
    const reasons = decided.find((entry) => entry.denialId === denialId)?.reasons ?? []
    return [`  ${machine}`, ...reasons.flatMap(reasonTexts)]
  })
}

function reasonTexts({ code, field, expected, actual, remedy }: Reason): readonly string[] {
  return [
    `    ${code}: ${field} is ${shorten(actual)}, must be ${shorten(expected)}`,
    `      remedy: ${shorten(remedy)}`,
  ]
}

/** Cuts long digests to their first digits. */
function shorten(text: string): string {
  return text.replace(/[0-9a-f]{24,}/g, (digest) => `${digest.slice(0, 12)}…`)
}

/** The largest cells of each resource type. */
export function tableText({ table, disclosure }: CountTable): readonly string[] {
  const note =
    disclosure.form === 'threshold' ? [`  cells of fewer than ${disclosure.k} persons are never shown`] : []
  if (table.length === 0) return ['  the table is empty', ...note]
  const top = largestOfEachType(table)
  const rows = [HEAD, ...top.sort((a, b) => a.resourceType.localeCompare(b.resourceType)).map(cellTexts)]
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row.map((text, column) =>
      column === HEAD.length - 1 ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0),
    )
  const more = table.length - top.length
  return [
    ...rows.map((row) => `  ${line(row).join('  ')}`),
    ...(more > 0 ? [`  and ${more} more cells`] : []),
    ...note,
  ]
}

/** At most three rows per type; otherwise the most frequent type would fill the table. */
function largestOfEachType(table: readonly Cell[]): Cell[] {
  const taken = new Map<string, number>()
  return [...table]
    .sort((a, b) => b.count - a.count)
    .filter(({ resourceType }) => {
      const count = taken.get(resourceType) ?? 0
      taken.set(resourceType, count + 1)
      return count < ROWS_PER_TYPE
    })
    .slice(0, MAX_ROWS)
}

function cellTexts({ resourceType, system, code, year, count }: Cell): string[] {
  const short = system?.replace(/^.*\//, '')
  return [resourceType, code === null ? '-' : `${short ?? ''} ${code}`.trim(), year ?? '-', String(count)]
}

export function summaryText(summary: Summary): readonly string[] {
  const { processed, refused, audited, counts, folders, trustFile, peaks, elapsedMs } = summary
  const row = (label: string, text: string) => `  ${label.padEnd(LABEL_WIDTH)}${text}`
  const memory = [...peaks].sort().map(([name, bytes]) => `${name} ${formatBytes(bytes)}`)
  return [
    `Done in ${(elapsedMs / 1000).toFixed(0)} s.`,
    row('released', `the data key of one object, to ${processed.worker}`),
    row('kept', `${sum(counts.kept)} of ${counts.read} resources, by the filter inside the worker`),
    row(
      'withheld',
      `${sum(counts.withheld)} resources${byReason(counts.withheld)}; only the hospital can read these counts`,
    ),
    row('refused', `${refused.length} requests: ${refused.map(({ code }) => code).join(', ')}`),
    row(
      'evidence',
      `${audited.verdict}: ${audited.logs} logs, ${audited.allowed} allowed, ${audited.refused.length} refused`,
    ),
    row('memory', `peak: ${memory.join(', ')}`),
    '',
    row('result', shown(summary.resultFile)),
    row('audit', shown(join(folders.root, 'audit.txt'))),
    row('metrics', shown(folders.metrics)),
    row('logs', shown(folders.logs)),
    '',
    'Verify the evidence yourself:',
    `  npm run --silent cli -- evidence verify ${shown(folders.evidence)} --trust ${shown(trustFile)} --simulation`,
    '',
    'Read what the audit found, in a browser:',
    `  ${pathToFileURL(summary.reportFile).href}`,
  ]
}

/** The path relative to the current folder, if it is below it. */
function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
}

export function summaryJson(summary: Summary): object {
  const { folders, sealed, processed, refused, audited, counts, resultFile, reportFile, peaks, elapsedMs } =
    summary
  return {
    folder: folders.root,
    simulation: true,
    sealId: sealed.sealId,
    ...processed,
    counts,
    refused: refused.map(({ probe, code, denialId }) => ({ probe, code, denialId })),
    evidence: { verdict: audited.verdict, allowed: audited.allowed, refused: audited.refused.length },
    result: resultFile,
    report: reportFile,
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
