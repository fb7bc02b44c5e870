/**
 * A soak: steady load and a fault every other minute for as long as asked, with samples of every program.
 * Memory, handles, sockets and event loop delay must stay flat. No program is restarted, or its age would
 * begin anew.
 */
import { appendFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { prepareGood } from '../objects.ts'
import { judge } from '../oracle/judge.ts'
import type { UploadedObject, Violation } from '../oracle/world.ts'
import { workLeft } from '../progress.ts'
import { insist, type Site, startSite } from '../site.ts'
import { worldOf } from '../siteWorld.ts'
import { plot } from './plot.ts'
import { MEASURES, type Measure, type Sample, takeSample } from './sample.ts'
import { trendOf } from './trend.ts'

const SAMPLE_MS = 5000
const FAULT_MS = 120_000
const WHOLE_MS = 60_000
/** Growth of more than this share over two thirds of the soak is not flat. */
const FLAT = 0.1
/** Less than this is noise of the machine: 1 ms of delay, a few handles. */
const SMALL: Readonly<Record<Measure, number>> = { rss: 8, handles: 6, sockets: 6, heap: 4, delay: 5 }

const FAULTS: readonly Readonly<Record<string, unknown>>[] = [
  { service: 'objectstorage', status: 503, share: 0.5, forMs: 5000 },
  { service: 'streaming', status: 429, share: 0.5, forMs: 5000 },
  { service: 'objectstorage', reset: 'after', times: 5, forMs: 10_000 },
  { service: 'vault', status: 503, forMs: 4000 },
  { service: 'reservations', times: 2, forMs: 10_000 },
  { service: 'events', duplicateEvent: 2, times: 5, forMs: 10_000 },
  { service: 'objectstorage', silent: true, times: 3, forMs: 10_000 },
]

export type SoakOptions = {
  readonly minutes: number
  /** Milliseconds from one object to the next. */
  readonly everyMs: number
  /** Gets `soak.csv` and `soak.svg`. */
  readonly out: string
}

export type SoakReport = {
  readonly objects: number
  readonly faults: number
  readonly trends: readonly {
    readonly program: string
    readonly measure: Measure
    readonly mean: number
    readonly growth: number
    readonly flat: boolean
  }[]
  readonly violations: readonly Violation[]
}

/** On a deployment of its own. */
export async function soakOnSite(options: SoakOptions): Promise<SoakReport> {
  const site = await startSite()
  try {
    return await soak(site, options)
  } finally {
    site.pool.close()
    await site.system.deployment.close()
  }
}

/** One line per measure and program, then the violations. */
export function tableOf({ objects, faults, trends, violations }: SoakReport): string {
  const rows = trends.map(({ measure, program, mean, growth, flat }) =>
    [
      measure.padEnd(8),
      program.padEnd(11),
      mean.toFixed(1).padStart(8),
      `${growth < 0 ? '' : '+'}${(growth * 100).toFixed(1)} %`.padStart(9),
      flat ? 'flat' : 'NOT FLAT',
    ].join('  '),
  )
  const found = violations.map(({ invariant, subject, text }) => `  ${invariant} ${subject}: ${text}`)
  return [`${objects} objects, ${faults} faults, ${violations.length} violations`, ...rows, ...found].join(
    '\n',
  )
}

async function soak(site: Site, { minutes, everyMs, out }: SoakOptions): Promise<SoakReport> {
  const start = performance.now()
  const seconds = () => (performance.now() - start) / 1000
  const lasts = minutes * 60
  const marks: number[] = []
  const load = async (): Promise<readonly UploadedObject[]> => {
    const uploads: UploadedObject[] = []
    for (let count = 1; seconds() < lasts; count += 1) {
      const planned = { name: `soak-${count}`, kills: false }
      const upload = await insist(() => prepareGood(site.system, planned))
      uploads.push(await insist(upload))
      await sleep(Math.max(0, count * everyMs - seconds() * 1000))
    }
    return uploads
  }
  const disturb = async (): Promise<void> => {
    for (let count = 0; (count + 1) * FAULT_MS < lasts * 1000; count += 1) {
      await sleep((count + 1) * FAULT_MS - seconds() * 1000)
      marks.push(seconds())
      await site.arm(FAULTS[count % FAULTS.length] ?? {})
    }
  }
  const [uploads, samples] = await Promise.all([load(), sampleUntil(site, lasts, seconds, out), disturb()])
  const violations = [
    ...(await notWhole(site, uploads)),
    ...site.pool.takeViolations(),
    ...(await judge(await worldOf(site, uploads))),
  ]
  await writeFile(join(out, 'soak.svg'), plotOf(samples, marks))
  return { objects: uploads.length, faults: marks.length, trends: trendsOf(samples), violations }
}

async function sampleUntil(
  site: Site,
  lasts: number,
  seconds: () => number,
  out: string,
): Promise<readonly Sample[]> {
  const { deployment } = site.system
  const programs = site.pool.wanted.filter((name) => name !== 'emulator')
  const measures = Object.keys(MEASURES)
  const csv = join(out, 'soak.csv')
  await mkdir(out, { recursive: true })
  await writeFile(csv, `seconds,program,${measures.join(',')}\n`)
  const samples: Sample[] = []
  for (let count = 1; seconds() < lasts; count += 1) {
    const taken = await Promise.all(programs.map((name) => takeSample(deployment, name, seconds())))
    const present = taken.filter((sample) => sample !== undefined)
    samples.push(...present)
    await appendFile(csv, present.map(lineOf).join(''))
    await sleep(Math.max(0, count * SAMPLE_MS - seconds() * 1000))
  }
  return samples
}

function lineOf({ seconds, program, values }: Sample): string {
  const columns = Object.values(values).map((value) => (Number.isNaN(value) ? '' : value.toFixed(2)))
  return `${seconds.toFixed(1)},${program},${columns.join(',')}\n`
}

async function notWhole(site: Site, uploads: readonly UploadedObject[]): Promise<readonly Violation[]> {
  const deadline = performance.now() + WHOLE_MS
  for (;;) {
    const jobIds = uploads.map(({ jobId }) => jobId)
    const left = await workLeft(site, jobIds).catch((error: unknown) => String(error))
    if (left === undefined) return []
    if (performance.now() > deadline) return [{ invariant: 'pool.whole', subject: 'pool', text: left }]
    await sleep(1000)
  }
}

type Series = {
  readonly program: string
  readonly measure: Measure
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

function seriesOf(samples: readonly Sample[]): readonly Series[] {
  const programs = [...new Set(samples.map(({ program }) => program))]
  // The keys of MEASURES are measures; Object.keys forgets it.
  const measures = Object.keys(MEASURES) as Measure[]
  return measures.flatMap((measure) =>
    programs
      .map((program) => ({
        program,
        measure,
        points: samples
          .filter((sample) => sample.program === program && !Number.isNaN(sample.values[measure]))
          .map(({ seconds, values }) => ({ x: seconds, y: values[measure] })),
      }))
      .filter(({ points }) => points.length > 0),
  )
}

function trendsOf(samples: readonly Sample[]): SoakReport['trends'] {
  return seriesOf(samples).flatMap(({ program, measure, points }) => {
    const trend = trendOf(points)
    if (trend === undefined) return []
    const flat = trend.growth <= FLAT || trend.growth * trend.mean <= SMALL[measure]
    return [{ program, measure, ...trend, flat }]
  })
}

function plotOf(samples: readonly Sample[], marks: readonly number[]): string {
  const series = seriesOf(samples)
  const panels = Object.entries(MEASURES).map(([measure, { title }]) => ({
    title,
    lines: series
      .filter((each) => each.measure === measure)
      .map(({ program, points }) => ({ name: program, points })),
  }))
  return plot('A soak: memory, handles, sockets and event loop delay of each program', panels, marks)
}
