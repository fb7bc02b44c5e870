/** What has become of it, in a few lines: released, withheld, the top of the table, and where everything lies. */
import { join, relative } from 'node:path'
import type { Cell, CountTable } from '#core/egress/table.ts'
import type { RefusedRelease } from '#core/evidence/audit/report.ts'
import type { Counts } from '#core/fhir/filter.ts'
import type { Audited } from './audit.ts'
import type { Folders } from './folders.ts'
import { formatBytes } from './output.ts'
import type { Refused } from './probes.ts'
import type { Processed, Sealed } from './processing.ts'

const ROWS_A_TYPE = 3
const MAX_ROWS = 12
const HEAD = ['resource', 'code', 'year', 'count']
const LABEL_WIDTH = 11

type Reason = RefusedRelease['reasons'][number]

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

/** Each refusal with the Verifier's own reasons. */
export function explainRefusals(
  refused: readonly Refused[],
  { refused: decided }: Audited,
): readonly string[] {
  return refused.flatMap(({ who, denialId }) => {
    const reasons = decided.find((entry) => entry.denialId === denialId)?.reasons ?? []
    return [`  ${who}`, ...reasons.flatMap(reasonTexts)]
  })
}

function reasonTexts({ code, field, expected, actual, remedy }: Reason): readonly string[] {
  return [
    `    ${code}: ${field} is ${shorten(actual)}, must be ${shorten(expected)}`,
    `      remedy: ${shorten(remedy)}`,
  ]
}

/** Digests say enough by their beginning. */
function shorten(text: string): string {
  return text.replace(/[0-9a-f]{24,}/g, (digest) => `${digest.slice(0, 12)}…`)
}

/** The largest cells of each resource type. */
export function tableText({ table, minimumCell, cellsWithheld }: CountTable): readonly string[] {
  const note = cellsWithheld ? [`  cells of fewer than ${minimumCell} persons are not shown to anyone`] : []
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

/** Each type has its turn, or the table would be about its most frequent type alone. */
function largestOfEachType(table: readonly Cell[]): Cell[] {
  const taken = new Map<string, number>()
  return [...table]
    .sort((a, b) => b.count - a.count)
    .filter(({ resourceType }) => {
      const count = taken.get(resourceType) ?? 0
      taken.set(resourceType, count + 1)
      return count < ROWS_A_TYPE
    })
    .slice(0, MAX_ROWS)
}

function cellTexts({ resourceType, system, code, year, count }: Cell): string[] {
  const short = system?.replace(/^.*\//, '')
  return [resourceType, code === null ? '-' : `${short ?? ''} ${code}`.trim(), year ?? '-', String(count)]
}

export function summaryText(summary: Summary): readonly string[] {
  const { processed, refused, audited, counts, folders, peaks, elapsedMs } = summary
  const row = (label: string, text: string) => `  ${label.padEnd(LABEL_WIDTH)}${text}`
  const memory = [...peaks].sort().map(([name, bytes]) => `${name} ${formatBytes(bytes)}`)
  const evidence = shown(folders.evidence)
  return [
    `Done in ${(elapsedMs / 1000).toFixed(0)} s.`,
    row('released', `the key of 1 object, to ${processed.worker}`),
    row('', `of its ${counts.read} resources ${sum(counts.kept)} passed the filter inside the worker`),
    row('withheld', `${sum(counts.withheld)} resources${byReason(counts.withheld)}`),
    row('', 'these counts are sealed to the hospital'),
    row('refused', `${refused.length} requests: ${refused.map(({ code }) => code).join(', ')}`),
    row(
      'evidence',
      `${audited.verdict}; ${audited.allowed} allowed, ${audited.refused.length} refused, ${audited.logs} logs`,
    ),
    row('memory', `at most ${memory.join(', ')}`),
    '',
    row('result', shown(summary.resultFile)),
    row('evidence', `${evidence}, audited in ${shown(join(folders.root, 'audit.txt'))}; again with`),
    row('', `npm run --silent cli -- evidence verify ${evidence} --simulation`),
    row('metrics', shown(folders.metrics)),
    row('logs', shown(folders.logs)),
  ]
}

/** As short as it can be said from here. */
function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') ? path : short
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
