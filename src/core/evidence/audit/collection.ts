/** Copies of the four buckets that an audit reads. */

/**
 * Reads the objects of one bucket or folder. The interface is in core, not in ports, because the audit calls
 * it and core imports no ports; an adapter implements it over an object store.
 */
export type ObjectReader = {
  /** All names with the prefix, in ascending order of their bytes. */
  readonly list: (prefix: string) => AsyncIterable<string>
  /**
   * The object, or undefined if it is absent. Throws `evidence.malformed` if it is larger than `maxBytes`.
   */
  readonly read: (name: string, maxBytes: number) => Promise<Buffer | undefined>
}

export type Collection = {
  readonly governance: ObjectReader
  readonly verifierLogs: ObjectReader
  readonly workerLogs: ObjectReader
  readonly results: ObjectReader
}
