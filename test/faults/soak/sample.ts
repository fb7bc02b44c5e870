/** What the kernel and the programs say about their use of memory, handles, sockets and time. */
import { readdir, readFile, readlink } from 'node:fs/promises'
import type { Deployment } from '#lab/demo/deployment.ts'

/** The measures of a program, in the order of the columns. A program without metrics lacks the last two. */
export const MEASURES = {
  rss: { title: 'resident memory, MiB', of: (found: Found) => found.rssKib / 1024 },
  handles: { title: 'open handles', of: (found: Found) => found.handles },
  sockets: { title: 'open sockets', of: (found: Found) => found.sockets },
  heap: {
    title: 'used heap, MiB',
    of: (found: Found) => metric(found, 'nodejs_heap_size_used_bytes') / 2 ** 20,
  },
  delay: {
    title: 'event loop delay, median, ms',
    of: (found: Found) => metric(found, 'nodejs_eventloop_lag_p50_seconds') * 1000,
  },
} as const
export type Measure = keyof typeof MEASURES

export type Sample = {
  /** Since the begin of the soak. */
  readonly seconds: number
  readonly program: string
  /** NaN for a measure that the program does not give. */
  readonly values: Readonly<Record<Measure, number>>
}

type Found = {
  readonly rssKib: number
  readonly handles: number
  readonly sockets: number
  readonly metrics: string
}

/** Undefined if the program does not run now. */
export async function takeSample(
  deployment: Pick<Deployment, 'program' | 'metricsOf'>,
  program: string,
  seconds: number,
): Promise<Sample | undefined> {
  const pid = deployment.program(program)?.pid
  if (pid === undefined) return undefined
  try {
    const found = await find(deployment, program, pid)
    const values = {
      rss: MEASURES.rss.of(found),
      handles: MEASURES.handles.of(found),
      sockets: MEASURES.sockets.of(found),
      heap: MEASURES.heap.of(found),
      delay: MEASURES.delay.of(found),
    }
    return { seconds, program, values }
  } catch {
    // It has just ended.
    return undefined
  }
}

async function find(deployment: Pick<Deployment, 'metricsOf'>, program: string, pid: number): Promise<Found> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const handles = await readdir(`/proc/${pid}/fd`)
  const targets = await Promise.all(
    handles.map((handle) => readlink(`/proc/${pid}/fd/${handle}`).catch(() => '')),
  )
  return {
    rssKib: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN),
    handles: handles.length,
    sockets: targets.filter((target) => target.startsWith('socket:')).length,
    metrics: /^(worker|verifier)/.test(program) ? await deployment.metricsOf(program) : '',
  }
}

function metric({ metrics }: Found, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1] ?? Number.NaN)
}
