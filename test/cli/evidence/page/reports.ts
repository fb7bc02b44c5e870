/** Reports for pages: that of a whole collection, the same with foreign text in every field, and a large one. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { auditFolder, type FolderReport } from '#adapters/evidence/folderAudit.ts'
import { renderPage } from '#cli/evidence/page/page.ts'
import { Totals } from '#cli/evidence/page/totals.ts'
import { FINDINGS, type FindingCode } from '#core/evidence/audit/finding.ts'
import type { AllowedRelease } from '#core/evidence/audit/report.ts'
import { writeWholeCollection } from '../../../core/evidence/wholeCollection.ts'

/** The page of a report. The totals are those of the releases that it lists, or of `all`. */
export function pageOf(report: FolderReport, all = report.releases): string {
  const totals = new Totals()
  for (const release of all) totals.add(release)
  return renderPage({ report, totals, preparedAt: 1_800_001_000, software: 'confidential-worker/0.0.0' })
}

/** With every kind of release, and one finding of each kind. */
export async function wholeReport(): Promise<FolderReport> {
  const folder = await mkdtemp(join(tmpdir(), 'cw-page-'))
  after(() => rm(folder, { recursive: true, force: true }))
  await writeWholeCollection(folder)
  const report = await auditFolder(folder, { simulation: true })
  const findings = (Object.keys(FINDINGS) as FindingCode[]).map((code, index) => ({
    code,
    log: report.logs[0]?.boot ?? null,
    index,
    text: `${code} was found`,
  }))
  return {
    ...report,
    // The root came with the collection, which the page says by itself.
    verdict: 'intact',
    findings,
    releases: report.releases.map((release) =>
      release.kind === 'allowed' && release.status === 'visible'
        ? {
            ...release,
            counts: { read: 9, kept: { Patient: 4, Observation: 2 }, withheld: { scope: 2, sensitive: 1 } },
          }
        : release,
    ),
    setAside: report.setAside.map((job) => ({ ...job, overtakenBy: 'ab'.repeat(32) })),
  }
}

/** Fields whose values are words of a closed list, which a signed format or our own code chose. */
const CLOSED = new Set(
  'verdict role status kind code event assurance content witnessed level administeredBy form source product'.split(
    ' ',
  ),
)

/** The same report with `more` after every text that is no word of a closed list. Times and numbers stay. */
export function withText<Value>(value: Value, more: string, field = ''): Value {
  const changed = (): unknown => {
    if (typeof value === 'string') return CLOSED.has(field) ? value : value + more
    if (Array.isArray(value)) return value.map((item: unknown) => withText(item, more, field))
    if (typeof value !== 'object' || value === null) return value
    const rows = Object.entries(value).map(([key, item]) => [
      OPEN_KEYS.has(field) ? key + more : key,
      withText(item as unknown, more, key),
    ])
    return Object.fromEntries(rows)
  }
  // The shape stays what it was.
  return changed() as Value
}
/** Records whose keys come from a document. */
const OPEN_KEYS = new Set(['kept', 'withheld'])

/** 100,000 entries: 20,000 releases of five entries each, and as many findings as an audit lists. */
export function largePage(report: FolderReport): string {
  const allowed = report.releases.find(
    (release): release is AllowedRelease => release.kind === 'allowed' && release.steps.length >= 5,
  )
  const refused = report.releases.find(({ kind }) => kind === 'refused')
  const [log] = report.logs
  if (allowed === undefined || refused === undefined || log === undefined)
    throw new Error('a poor collection')
  const hex = (n: number) => n.toString(16).padStart(32, '0')
  const traceparent = (n: number) => `00-${hex(n)}-${'2'.repeat(16)}-01`
  const all = Array.from({ length: 20_000 }, (_, n) =>
    n % 4 === 3
      ? { ...refused, time: refused.time + n * 60, traceparents: [traceparent(n)] }
      : {
          ...allowed,
          releaseId: hex(n),
          client: `research-${n % 150}`,
          traceparent: traceparent(n),
          time: allowed.time + n * 60,
        },
  )
  const newest = (kind: 'allowed' | 'refused') => all.filter((one) => one.kind === kind).slice(-1000)
  const large: FolderReport = {
    ...report,
    releases: [...newest('allowed'), ...newest('refused')].sort((a, b) => a.time - b.time),
    totals: { allowed: 15_000, refused: 5000, results: 15_000 },
    logs: Array.from({ length: 3000 }, (_, n) => ({
      ...log,
      boot: hex(n).slice(6),
      registered: n % 2 === 0,
    })),
    findings: Array.from({ length: 10_000 }, (_, n) => ({
      code: n % 3 === 0 ? ('tile.altered' as const) : ('object.unexpected' as const),
      log: null,
      index: n,
      text: '<'.repeat(1000),
    })),
    findingsOmitted: 5,
  }
  return pageOf(large, all)
}
