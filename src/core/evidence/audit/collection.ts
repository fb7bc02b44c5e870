/** Copies of the four buckets that an audit reads. */
import type { ObjectReader } from '../../objectReader.ts'

export type Collection = {
  readonly governance: ObjectReader
  readonly verifierLogs: ObjectReader
  readonly workerLogs: ObjectReader
  readonly results: ObjectReader
}
