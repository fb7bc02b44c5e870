/**
 * A partitioned stream read by a group of consumers, at least once.
 *
 * - `join` gives this instance a place in the group; a partition belongs to at most one instance at a time. An
 *   instance that neither gets, heartbeats nor commits within the reservation loses its partitions to the others, who
 *   start again at the last committed offset: whoever takes a message must be able to take it twice.
 * - `get` may come back empty; one batch comes from one partition, in order.
 * - `commit` makes every message of the batch's cursor done for the whole group, and renews the reservation. After
 *   `lease.lost` nothing was committed: abandon the batch and join again.
 * - `publish` is durable when it returns; it gives `service.unavailable` where the stream took nothing.
 */
export type StreamMessage = {
  readonly partition: string
  readonly offset: number
  readonly value: Buffer
}

/** The place that this instance holds; each call uses it up and leaves the next in its stead. Calls never overlap. */
export type StreamLease = {
  readonly get: (limit: number, signal?: AbortSignal) => Promise<readonly StreamMessage[]>
  readonly heartbeat: (signal?: AbortSignal) => Promise<void>
  readonly commit: (signal?: AbortSignal) => Promise<void>
}

export type StreamConsumer = { readonly join: (signal?: AbortSignal) => Promise<StreamLease> }

export type StreamProducer = {
  readonly publish: (key: string, value: Uint8Array, signal?: AbortSignal) => Promise<void>
}
