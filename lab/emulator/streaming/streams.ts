/** All configured streams in memory, and the journal that restores them. */
import { join } from 'node:path'
import type { EmulatorConfig } from '#lab/emulator/config.ts'
import { roomFor } from '#lab/emulator/disk.ts'
import { openJournal } from '#lab/emulator/journal.ts'
import { notAuthorizedOrNotFound, type ServiceContext } from '#lab/emulator/service.ts'
import { StreamEntry } from './entries.ts'
import type { Group, GroupLog } from './group.ts'
import { type Partition, type StoredMessage, trim } from './partition.ts'

export type Stream = EmulatorConfig['streams'][number] & {
  readonly log: readonly Partition[]
  readonly groups: Map<string, Group>
}

export type Streams = {
  /** Finds a stream and removes its expired messages. Throws OCI's 404. */
  readonly find: (id: string) => Stream
  /** Appends a message and returns it. */
  readonly put: (stream: Stream, partition: number, key: string | null, value: string) => StoredMessage
  /** Creates the group, or moves it. */
  readonly setGroup: (stream: Stream, name: string, starts: readonly number[]) => Group
  readonly groupLog: (stream: Stream) => GroupLog
  readonly flushed: () => Promise<void>
  readonly close: () => Promise<void>
}

export async function openStreams({ config, folder, now, faults }: ServiceContext): Promise<Streams> {
  const streams = new Map<string, Stream>(
    config.streams.map((streamConfig) => [streamConfig.id, emptyStream(streamConfig)]),
  )
  const file = join(folder, 'streams.journal')
  const journal = await openJournal({
    file,
    claim: roomFor(file, faults),
    schema: StreamEntry,
    replay: (entry) => replay(streams, entry, now()),
    snapshot: () => snapshot(streams),
  })

  const trimmed = (stream: Stream): Stream => {
    for (const partition of stream.log) trim(partition, now() - stream.retentionSeconds * 1000)
    return stream
  }

  return {
    find: (id) => {
      const stream = streams.get(id)
      if (stream === undefined) throw notAuthorizedOrNotFound()
      return trimmed(stream)
    },
    put: (stream, index, key, value) => {
      const partition = partitionOf(stream, index)
      const message = { offset: partition.end, key, value, time: now() }
      journal.append({ kind: 'put', stream: stream.id, partition: index, ...message })
      partition.messages.push(message)
      partition.end += 1
      return message
    },
    setGroup: (stream, name, starts) => {
      const group: Group = { name, committed: [...starts], reservations: new Map(), members: new Map() }
      const before = stream.groups.get(name)?.reservations.keys() ?? []
      journal.append(
        ...Array.from(before, (partition) => toReserve(stream, group, partition, undefined)),
        ...starts.map(
          (offset, partition): StreamEntry => ({
            kind: 'commit',
            stream: stream.id,
            group: name,
            partition,
            offset,
          }),
        ),
      )
      stream.groups.set(name, group)
      return group
    },
    groupLog: (stream) => ({
      commit: ({ name }, partition, offset) =>
        journal.append({ kind: 'commit', stream: stream.id, group: name, partition, offset }),
      reserve: (group, partition, reservation) =>
        journal.append(toReserve(stream, group, partition, reservation)),
    }),
    flushed: journal.flushed,
    close: journal.close,
  }
}

function emptyStream(streamConfig: EmulatorConfig['streams'][number]): Stream {
  const log = Array.from({ length: streamConfig.partitions }, () => ({ messages: [], end: 0 }))
  return { ...streamConfig, log, groups: new Map() }
}

function partitionOf(stream: Stream, index: number): Partition {
  const partition = stream.log[index]
  if (partition === undefined) throw new RangeError('a stream has no such partition')
  return partition
}

/** An instance that was a member when the process died stays a member for its timeout from now. */
function replay(streams: ReadonlyMap<string, Stream>, entry: StreamEntry, now: number): void {
  const stream = streams.get(entry.stream)
  // The configuration no longer has this stream or partition.
  if (stream === undefined || entry.partition >= stream.partitions) return
  if (entry.kind === 'put' || entry.kind === 'end') {
    const partition = partitionOf(stream, entry.partition)
    partition.end = Math.max(partition.end, entry.offset + (entry.kind === 'put' ? 1 : 0))
    if (entry.kind === 'put') {
      const { offset, key, value, time } = entry
      partition.messages.push({ offset, key, value, time })
    }
    return
  }
  const group: Group = stream.groups.get(entry.group) ?? {
    name: entry.group,
    committed: stream.log.map(() => 0),
    reservations: new Map(),
    members: new Map(),
  }
  stream.groups.set(entry.group, group)
  if (entry.kind === 'commit') {
    group.committed[entry.partition] = entry.offset
    return
  }
  const { instance, epoch, timeoutMs } = entry
  if (instance === null) {
    group.reservations.delete(entry.partition)
    return
  }
  group.reservations.set(entry.partition, { instance, epoch })
  group.members.set(instance, { until: now + timeoutMs, timeoutMs })
}

function* snapshot(streams: ReadonlyMap<string, Stream>): Generator<StreamEntry> {
  for (const stream of streams.values()) {
    for (const [partition, { messages, end }] of stream.log.entries()) {
      for (const message of messages) yield { kind: 'put', stream: stream.id, partition, ...message }
      yield { kind: 'end', stream: stream.id, partition, offset: end }
    }
    for (const group of stream.groups.values()) {
      for (const [partition, offset] of group.committed.entries())
        yield { kind: 'commit', stream: stream.id, group: group.name, partition, offset }
      for (const [partition, reservation] of group.reservations)
        yield toReserve(stream, group, partition, reservation)
    }
  }
}

function toReserve(
  stream: Stream,
  group: Group,
  partition: number,
  reservation: { readonly instance: string; readonly epoch: string } | undefined,
): StreamEntry {
  const { instance = null, epoch = '' } = reservation ?? {}
  const timeoutMs = instance === null ? 0 : (group.members.get(instance)?.timeoutMs ?? 0)
  return { kind: 'reserve', stream: stream.id, group: group.name, partition, instance, epoch, timeoutMs }
}
