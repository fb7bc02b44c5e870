/** Collections that keep only the newest of what they are given, since a hostile log is as long as it likes. */

/** A map of at most `limit` keys: a new one takes the place of the oldest. */
export class BoundedMap<Key, Value> {
  readonly #entries = new Map<Key, Value>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key)
  }

  /** Returns the value that had to leave, if any. */
  set(key: Key, value: Value): Value | undefined {
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#limit) return undefined
    for (const [oldest, left] of this.#entries) {
      this.#entries.delete(oldest)
      return left
    }
    return undefined
  }

  delete(key: Key): void {
    this.#entries.delete(key)
  }

  values(): MapIterator<Value> {
    return this.#entries.values()
  }
}

/** The newest rows of a report, by their time; the others are counted. */
export class Newest<Row> {
  readonly #limit: number
  readonly #timeOf: (row: Row) => number
  #rows: Row[] = []
  #count = 0

  constructor(limit: number, timeOf: (row: Row) => number) {
    this.#limit = limit
    this.#timeOf = timeOf
  }

  /** Of all rows, also those that are not kept. */
  get count(): number {
    return this.#count
  }

  add(row: Row): void {
    this.#count += 1
    this.#rows.push(row)
    if (this.#rows.length >= 2 * this.#limit) this.#rows = this.#newest()
  }

  /** Oldest first. */
  get rows(): readonly Row[] {
    return this.#newest()
  }

  #newest(): Row[] {
    return this.#rows.sort((a, b) => this.#timeOf(a) - this.#timeOf(b)).slice(-this.#limit)
  }
}
