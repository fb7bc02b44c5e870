/**
 * Reads the objects of one bucket or folder. The interface is in core, not in ports, because core's audit and
 * governance call it and core imports no ports; adapters implement it over an object store.
 */
export type ObjectReader = {
  /** All names with the prefix, in ascending order of their bytes. */
  readonly list: (prefix: string, signal?: AbortSignal) => AsyncIterable<string>
  /**
   * The object, or undefined if it is absent. Throws `evidence.malformed` if it is larger than `maxBytes`.
   */
  readonly read: (name: string, maxBytes: number, signal?: AbortSignal) => Promise<Buffer | undefined>
}
