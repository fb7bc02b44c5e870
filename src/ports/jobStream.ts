/**
 * A partitioned stream that a group of consumers reads, at least once.
 *
 * - Order: messages of one partition come in the order of their offsets. Partitions have no order among each
 *   other.
 * - Exclusion: `join` gives this instance a place in the group. A partition belongs to at most one instance
 *   at a time. An instance that neither gets, heartbeats nor commits within the reservation loses its
 *   partitions to the others. They start again at the last committed offset, so every message must be safe to
 *   process twice.
 * - Commit: `commit` marks every message of the current batch as done for the whole group, durably, and
 *   renews the reservation. `heartbeat` only renews it. After `lease.lost` nothing was committed: abandon the
 *   batch, join again.
 * - Publish: a message is durable when `publish` returns. After a lost answer the adapter sends it again, so
 *   it may be on the stream twice. `service.unavailable`: the stream did not take it.
 * - `service.missing`: the stream is absent, or policy hides it. `service.unavailable`: throttling or an
 *   outage, after the adapter's bounded retries. An abort rejects with the signal's reason.
 */
export type StreamMessage = {
  readonly partition: string
  readonly offset: number
  readonly value: Buffer
}

/**
 * This instance's place in the group. Each call uses the place up and receives the next, so overlapping calls
 * queue.
 */
export type StreamLease = {
  /** The next batch: up to `limit` messages of one partition. May be empty at any time. */
  readonly get: (limit: number, signal?: AbortSignal) => Promise<readonly StreamMessage[]>
  readonly heartbeat: (signal?: AbortSignal) => Promise<void>
  readonly commit: (signal?: AbortSignal) => Promise<void>
}

export type StreamConsumer = { readonly join: (signal?: AbortSignal) => Promise<StreamLease> }

export type StreamProducer = {
  /** Messages with one key go to one partition. */
  readonly publish: (key: string, value: Uint8Array, signal?: AbortSignal) => Promise<void>
}

/**
 * Reads a stream without a group: nothing is reserved, nothing is committed, and no consumer of the stream
 * notices.
 */
export type StreamReader = {
  /** Every message that the stream keeps now, partition after partition. */
  readonly messages: (signal?: AbortSignal) => AsyncIterable<StreamMessage>
}
