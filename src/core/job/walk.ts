/**
 * One job in the log of one worker, replayed against the table of its life. The log shows only some moves, so
 * after an entry the job may be in one of several states.
 */
import { LIFE, type MoveName, type Row, type State, type WorkerEntry } from './life.ts'

const rows: readonly (readonly [string, Row])[] = Object.entries(LIFE)
const ENTRIES: ReadonlySet<string> = new Set([
  'release.denied',
  'key.received',
  'result.intent',
  'result.visible',
  'result.superseded',
  'result.foreign',
  'job.failed',
  'job.failed, no key',
  'job.returned',
  'job.dead-lettered',
] satisfies WorkerEntry[])
/** The moves that a log goes through without an entry. The one who writes it does not die in it. */
const SILENT = rows.flatMap(([name, row]) =>
  row.writes.some((write) => ENTRIES.has(write)) || name === ('die' satisfies MoveName) ? [] : [row],
)

export class JobWalk {
  // Before the log began, another worker may have died in the job.
  #states: ReadonlySet<State> = closure(['published', 'suspect'])
  #hasResult = false
  /** Of the last key: a worker has one key of a job at a time. */
  #release: string | null = null

  /**
   * True if the job could make a move that writes this entry. If not, the walk goes on as if it could.
   * `release` is the one that the entry names.
   */
  step(entry: WorkerEntry, release: string | null): boolean {
    const moves = rows.flatMap(([, row]) => (row.writes.includes(entry) ? [row] : []))
    const legal = moves.filter(
      ({ from, unlessResult }) =>
        from.some((state) => this.#states.has(state)) && !(unlessResult === true && this.#hasResult),
    )
    const known = entry === 'key.received' || release === null || release === this.#release
    this.#states = closure((legal.length > 0 ? legal : moves).map(({ to }) => to))
    if (entry === 'key.received') this.#release = release
    if (moves.some(({ to }) => to === 'visible')) this.#hasResult = true
    return legal.length > 0 && known
  }
}

function closure(states: readonly State[]): ReadonlySet<State> {
  const reached = new Set<State>(states)
  // A set yields what is added while it is read.
  for (const state of reached) for (const { from, to } of SILENT) if (from.includes(state)) reached.add(to)
  return reached
}
