/**
 * The entries of many logs in one order of time. All entries about one release then come close together,
 * however long the logs are.
 */
import type { AnyLogged, AuditedLog } from './log/log.ts'

type Cursor = { readonly rest: AsyncGenerator<AnyLogged>; head: AnyLogged }

/** Of two entries of one second, a Verifier's is first: a worker acts on what the Verifier wrote. */
export async function* inOrderOfTime(logs: readonly AuditedLog[]): AsyncGenerator<AnyLogged> {
  const heap = new Heap()
  for (const log of logs) {
    const rest = log.entries()
    const { value } = await rest.next()
    if (value !== undefined) heap.push({ rest, head: value })
  }
  for (let cursor = heap.top; cursor !== undefined; cursor = heap.top) {
    yield cursor.head
    const { value } = await cursor.rest.next()
    if (value === undefined) heap.removeTop()
    else {
      cursor.head = value
      heap.sinkTop()
    }
  }
}

function isBefore(a: AnyLogged, b: AnyLogged): boolean {
  if (a.entry.time !== b.entry.time) return a.entry.time < b.entry.time
  return a.role === b.role ? a.boot < b.boot : a.role === 'verifier'
}

/** A binary heap with the earliest entry on top. */
class Heap {
  readonly #cursors: Cursor[] = []

  get top(): Cursor | undefined {
    return this.#cursors[0]
  }

  push(cursor: Cursor): void {
    const cursors = this.#cursors
    let at = cursors.push(cursor) - 1
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if (!this.#isBefore(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  removeTop(): void {
    const last = this.#cursors.pop()
    if (last === undefined || this.#cursors.length === 0) return
    this.#cursors[0] = last
    this.sinkTop()
  }

  /** After the top has another head. */
  sinkTop(): void {
    let at = 0
    for (;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      let first = at
      if (this.#isBefore(left, first)) first = left
      if (this.#isBefore(right, first)) first = right
      if (first === at) return
      this.#swap(at, first)
      at = first
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [one, other] = [this.#cursors[a], this.#cursors[b]]
    return one !== undefined && other !== undefined && isBefore(one.head, other.head)
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#cursors[a], this.#cursors[b]]
    if (one === undefined || other === undefined) return
    this.#cursors[a] = other
    this.#cursors[b] = one
  }
}
