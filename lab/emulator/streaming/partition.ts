/** One partition: messages in the order of their offsets, without the expired ones. */
import type { CursorStart } from './requests.ts'

export type StoredMessage = {
  readonly offset: number
  /** In base64, as sent. */
  readonly key: string | null
  readonly value: string
  /** Milliseconds since the epoch. */
  readonly time: number
}

export type Partition = {
  messages: StoredMessage[]
  /** The offset of the next message. */
  end: number
}

/** The limit of values in one answer. One message is always sent. */
const MAX_BATCH_CHARACTERS = 1024 * 1024

export function trim(partition: Partition, oldest: number): void {
  const kept = partition.messages.findIndex(({ time }) => time >= oldest)
  if (kept !== 0) partition.messages = kept === -1 ? [] : partition.messages.slice(kept)
}

/** The oldest offset that can still be read, or the end. */
export function horizon({ messages, end }: Partition): number {
  return messages[0]?.offset ?? end
}

export function batchFrom({ messages }: Partition, offset: number, limit: number): readonly StoredMessage[] {
  // Offsets are dense here; clients must not rely on it.
  const first = Math.max(0, offset - (messages[0]?.offset ?? 0))
  const batch: StoredMessage[] = []
  let characters = 0
  for (let at = first; at < messages.length && batch.length < limit; at += 1) {
    const message = messages[at]
    if (message === undefined) break
    characters += message.value.length
    if (batch.length > 0 && characters > MAX_BATCH_CHARACTERS) break
    batch.push(message)
  }
  return batch
}

export function startOf(partition: Partition, start: CursorStart): number {
  switch (start.type) {
    case 'TRIM_HORIZON':
      return horizon(partition)
    case 'LATEST':
      return partition.end
    case 'AT_TIME':
      return partition.messages.find(({ time }) => time >= start.time)?.offset ?? partition.end
    case 'AT_OFFSET':
      return start.offset
    case 'AFTER_OFFSET':
      return start.offset + 1
  }
}
