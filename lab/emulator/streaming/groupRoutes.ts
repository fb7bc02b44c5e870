/** Routes for operators: inspect a consumer group, or move its offsets. */
import { decodeBody } from '#lab/emulator/requestBody.ts'
import { OciError, type Route, type ServiceRequest } from '#lab/emulator/service.ts'
import { expire, type Group } from './group.ts'
import { startOf } from './partition.ts'
import { type StreamParts, streamAccess, streamOf } from './produceRoutes.ts'
import { UpdateGroup } from './requests.ts'
import type { Stream } from './streams.ts'

export function groupRoutes(parts: StreamParts): readonly Route[] {
  const { streams, now } = parts
  const pattern = '/20180418/streams/:streamId/groups/:group'
  const find = (request: ServiceRequest): { readonly stream: Stream; readonly group: Group } => {
    const stream = streamOf(parts, request)
    const group = stream.groups.get(request.params['group'] ?? '')
    if (group === undefined) throw new OciError(404, 'NotFound', 'The consumer group does not exist.')
    return { stream, group }
  }

  return [
    {
      method: 'GET',
      pattern,
      body: 'none',
      access: (request) => streamAccess(parts, request, 'STREAM_READ'),
      handle: (request) => {
        const { stream, group } = find(request)
        expire(group, now(), streams.groupLog(stream))
        return { status: 200, json: describe(stream, group) }
      },
    },
    {
      method: 'PUT',
      pattern,
      body: 'bytes',
      access: (request) => streamAccess(parts, request, 'STREAM_CONSUME'),
      handle: (request) => {
        const { stream, group } = find(request)
        const start = decodeBody(UpdateGroup, request.body)
        streams.setGroup(
          stream,
          group.name,
          stream.log.map((partition) => startOf(partition, start)),
        )
        return { status: 200 }
      },
    },
  ]
}

function describe(stream: Stream, { name, committed, reservations, members }: Group) {
  return {
    streamId: stream.id,
    groupName: name,
    reservations: committed.map((next, partition) => {
      const instance = reservations.get(partition)?.instance
      const until = instance === undefined ? undefined : members.get(instance)?.until
      return {
        partition: String(partition),
        ...(next > 0 && { committedOffset: next - 1 }),
        ...(instance !== undefined && { reservedInstance: instance }),
        ...(until !== undefined && { timeReservedUntil: new Date(until).toISOString() }),
      }
    }),
  }
}
