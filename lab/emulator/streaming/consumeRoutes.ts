/** Routes for reading a stream: cursors of a partition, cursors of a group, and messages. */
import { randomUUID } from 'node:crypto'
import { decodeBody } from '#lab/emulator/requestBody.ts'
import {
  invalidParameter,
  type Route,
  type ServiceRequest,
  type ServiceResponse,
} from '#lab/emulator/service.ts'
import { type Cursor, decodeCursor, encodeCursor, type GroupCursor } from './cursor.ts'
import { attend, commit, type Group, heldBy, leave, prolong } from './group.ts'
import { batchFrom, horizon, type Partition, type StoredMessage, startOf } from './partition.ts'
import { type StreamParts, streamAccess, streamOf } from './produceRoutes.ts'
import { CreateCursor, CreateGroupCursor, invalidCursor, outsideRetention, tooMany } from './requests.ts'
import type { Stream } from './streams.ts'

/** Per second and per partition of a group. */
const CALLS_PER_SECOND = 5
const MAX_LIMIT = 10_000

type Batch = { readonly messages: readonly (StoredMessage & { partition: number })[]; readonly next: Cursor }

export function consumeRoutes(parts: StreamParts): readonly Route[] {
  const { streams, now } = parts

  const limitRate = (stream: Stream, what: string, group: string): void => {
    if (!parts.rates.take(`${what} ${stream.id} ${group}`, 1, CALLS_PER_SECOND * stream.partitions))
      throw tooMany()
  }
  /** The cursor's group. A fault of `reservations` ends the membership of the cursor's instance first. */
  const groupOf = (stream: Stream, cursor: GroupCursor, request: ServiceRequest): Group => {
    const group = stream.groups.get(cursor.group)
    if (group === undefined) throw invalidCursor()
    const { method, path, principal } = request
    if (parts.faults.take({ service: 'reservations', method, path, principal: principal.id }) !== undefined)
      leave(group, cursor.instance, streams.groupLog(stream))
    return group
  }
  const toValue = (cursor: Cursor): ServiceResponse => ({
    status: 200,
    json: { value: encodeCursor(cursor, now()) },
  })
  const access: Route['access'] = (request) => streamAccess(parts, request, 'STREAM_CONSUME')
  /** A call with a group cursor and no body; its answer is the next cursor. */
  const renewal = (
    name: string,
    run: (stream: Stream, group: Group, cursor: GroupCursor) => GroupCursor,
  ): Route => ({
    method: 'POST',
    pattern: `/20180418/streams/:streamId/${name}`,
    body: 'bytes',
    maxBodyBytes: 0,
    access,
    handle: (request) => {
      const stream = streamOf(parts, request)
      const cursor = decodeCursor(request.query.get('cursor'), stream.id, now())
      if (cursor.kind !== 'group') throw invalidCursor()
      limitRate(stream, name, cursor.group)
      return toValue(run(stream, groupOf(stream, cursor, request), cursor))
    },
  })

  const readGroup = (stream: Stream, group: Group, cursor: GroupCursor, limit: number): Batch => {
    const log = streams.groupLog(stream)
    if (cursor.commitOnGet) commit(group, cursor, now(), log)
    attend(group, cursor, now(), log)
    // An uncommitted position counts only under the reservation of its read. A new one starts at the
    // committed offset.
    const read = cursor.commitOnGet
      ? []
      : cursor.read.filter(({ partition, epoch }) => group.reservations.get(partition)?.epoch === epoch)
    for (const partition of shuffle(heldBy(group, cursor.instance))) {
      const from = read.find((each) => each.partition === partition)?.next ?? group.committed[partition] ?? 0
      const messages = readFrom(stream.log[partition], from, limit)
      const last = messages.at(-1)
      if (last === undefined) continue
      const epoch = group.reservations.get(partition)?.epoch ?? ''
      const others = read.filter((each) => each.partition !== partition)
      return {
        messages: messages.map((message) => ({ ...message, partition })),
        next: { ...cursor, read: [...others, { partition, next: last.offset + 1, epoch }] },
      }
    }
    return { messages: [], next: { ...cursor, read } }
  }

  const readPartition = (stream: Stream, cursor: Cursor & { kind: 'partition' }, limit: number): Batch => {
    const { partition, offset } = cursor
    const messages = readFrom(stream.log[partition], offset, limit)
    return {
      messages: messages.map((message) => ({ ...message, partition })),
      next: { ...cursor, offset: (messages.at(-1)?.offset ?? offset - 1) + 1 },
    }
  }

  return [
    {
      method: 'POST',
      pattern: '/20180418/streams/:streamId/cursors',
      body: 'bytes',
      access,
      handle: (request) => {
        const stream = streamOf(parts, request)
        const details = decodeBody(CreateCursor, request.body)
        const partition = stream.log[Number(details.partition)]
        if (partition === undefined) throw invalidParameter('the stream has no such partition')
        return toValue({
          kind: 'partition',
          stream: stream.id,
          issuedAt: now(),
          partition: Number(details.partition),
          offset: startOf(partition, details),
        })
      },
    },
    {
      method: 'POST',
      pattern: '/20180418/streams/:streamId/groupCursors',
      body: 'bytes',
      access,
      handle: (request) => {
        const stream = streamOf(parts, request)
        const details = decodeBody(CreateGroupCursor, request.body)
        limitRate(stream, 'groupCursors', details.groupName)
        // The start applies only to a group that does not exist yet.
        const group =
          stream.groups.get(details.groupName) ??
          streams.setGroup(
            stream,
            details.groupName,
            stream.log.map((partition) => startOf(partition, details)),
          )
        const instance = details.instanceName ?? randomUUID()
        const timeoutMs = details.timeoutInMs
        attend(group, { instance, timeoutMs }, now(), streams.groupLog(stream))
        return toValue({
          kind: 'group',
          stream: stream.id,
          issuedAt: now(),
          group: group.name,
          instance,
          timeoutMs,
          commitOnGet: details.commitOnGet,
          read: [],
        })
      },
    },
    renewal('heartbeat', (stream, group, cursor) => {
      prolong(group, cursor.instance, now(), streams.groupLog(stream))
      return cursor
    }),
    renewal('commit', (stream, group, cursor) => {
      commit(group, cursor, now(), streams.groupLog(stream))
      return { ...cursor, read: [] }
    }),
    {
      method: 'GET',
      pattern: '/20180418/streams/:streamId/messages',
      body: 'none',
      access,
      handle: (request) => {
        const { query } = request
        const stream = streamOf(parts, request)
        const cursor = decodeCursor(query.get('cursor'), stream.id, now())
        limitRate(stream, 'messages', cursor.kind === 'group' ? cursor.group : '')
        const limit = limitOf(query)
        const { messages, next } =
          cursor.kind === 'group'
            ? readGroup(stream, groupOf(stream, cursor, request), cursor, limit)
            : readPartition(stream, cursor, limit)
        return {
          status: 200,
          headers: { 'opc-next-cursor': encodeCursor(next, now()) },
          json: messages.map(({ partition, key, value, offset, time }) => ({
            stream: stream.name,
            partition: String(partition),
            key,
            value,
            offset,
            timestamp: new Date(time).toISOString(),
          })),
        }
      },
    },
  ]
}

function readFrom(partition: Partition | undefined, offset: number, limit: number): readonly StoredMessage[] {
  if (partition === undefined) throw invalidCursor()
  if (offset < horizon(partition)) throw outsideRetention()
  return batchFrom(partition, offset, limit)
}

function limitOf(query: URLSearchParams): number {
  const limit = Number(query.get('limit') ?? MAX_LIMIT)
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    throw invalidParameter(`limit is not between 1 and ${MAX_LIMIT}`)
  return limit
}

/** OCI reads from any of the held partitions, so no consumer may rely on an order. */
function shuffle(partitions: readonly number[]): readonly number[] {
  return partitions
    .map((partition) => ({ partition, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ partition }) => partition)
}
