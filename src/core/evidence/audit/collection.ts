/** Copies of the four buckets that an audit reads; core does no I/O, so the reading is passed in. */

export type Shelf = {
  /** All names with the prefix, in ascending order of their bytes. */
  readonly list: (prefix: string) => AsyncIterable<string>
  /** The object, or undefined where it is absent; `evidence.malformed` where it is larger than `maxBytes`. */
  readonly read: (name: string, maxBytes: number) => Promise<Buffer | undefined>
}

export type Collection = {
  readonly governance: Shelf
  readonly verifierLogs: Shelf
  readonly workerLogs: Shelf
  readonly results: Shelf
}
