/** OCI Streaming behind the job stream port: one group cursor, which each call uses and replaces. */
import type { StreamClient } from 'oci-streaming'
import { models } from 'oci-streaming'
import { z } from 'zod'
import { checkShape } from '#core/canonical.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import type { Clock } from '#ports/clock.ts'
import type {
  StreamConsumer,
  StreamLease,
  StreamMessage,
  StreamProducer,
  StreamReader,
} from '#ports/jobStream.ts'
import type { Meaning } from './answers.ts'
import { fromBase64, toBase64 } from './base64.ts'
import type { Http } from './http.ts'

/** OCI allows five gets per second, partition and group. */
const GET_INTERVAL_MS = 210
/** Gets of ten seconds were observed on OCI. */
const GET_ANSWER_MS = 40_000
/**
 * Two sendings must fit into a reservation. Otherwise the second could act on partitions that another
 * instance has.
 */
const RENEWAL = { attempts: 2, answerMs: 10_000 } as const

/**
 * Streaming gives all of these the same `code`; only the message tells them apart (OCI's troubleshooting
 * page).
 */
const LOST: readonly Meaning[] = [
  { status: 400, message: 'outside the retention period', code: 'service.failed' },
  { status: 400, message: 'Trying to commit unreserved partition', code: 'lease.lost' },
  { status: 400, message: 'The cursor is invalid', code: 'lease.lost' },
]

/** For a partition after the first, whose stream was there a moment ago: a 404 is not the last word. */
const BEYOND: readonly Meaning[] = [
  { status: 400, serviceCode: 'InvalidParameter', code: 'service.missing' },
  { status: 404, code: 'service.unavailable', retry: true },
]

const Messages = z
  .array(
    z.object({
      partition: z.string().regex(/^\d{1,4}$/),
      offset: z.int().min(0),
      value: z.string().max(1_500_000),
    }),
  )
  .max(10_000)

export type ConsumerOptions = {
  readonly streamId: string
  readonly group: string
  /** Unique in the group: instance OCID and boot, for example. */
  readonly instance: string
  /** The time that a partition stays with an instance that makes no call. By default 30 s, as on OCI. */
  readonly reservationMs?: number
}

export function createStreamConsumer(
  http: Http,
  client: StreamClient,
  clock: Pick<Clock, 'monotonic' | 'sleep'>,
  { streamId, group, instance, reservationMs = 30_000 }: ConsumerOptions,
): StreamConsumer {
  return {
    join: async (signal) => {
      const { cursor } = await http.call(
        'createGroupCursor',
        () =>
          client.createGroupCursor({
            streamId,
            createGroupCursorDetails: {
              type: models.CreateGroupCursorDetails.Type.TrimHorizon,
              groupName: group,
              instanceName: instance,
              timeoutInMs: reservationMs,
              commitOnGet: false,
            },
          }),
        { signal },
      )
      return createLease(http, client, clock, streamId, cursor.value)
    },
  }
}

function createLease(
  http: Http,
  client: StreamClient,
  clock: Pick<Clock, 'monotonic' | 'sleep'>,
  streamId: string,
  first: string,
): StreamLease {
  // Invariant: `cursor` is the newest that OCI gave us. Only the call at the head of the queue uses and
  // replaces it.
  let cursor = first
  let queue: Promise<unknown> = Promise.resolve()
  let nextGetAt = Number.NEGATIVE_INFINITY

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work, work)
    queue = turn.catch(() => {})
    return turn
  }

  return {
    get: (limit, signal) =>
      inTurn(async () => {
        const wait = nextGetAt - clock.monotonic()
        if (wait > 0) await clock.sleep(wait, signal)
        nextGetAt = clock.monotonic() + GET_INTERVAL_MS
        const answer = await http.call(
          'getMessages',
          () => client.getMessages({ streamId, cursor: encodeURIComponent(cursor), limit }),
          { signal, meanings: LOST, answerMs: GET_ANSWER_MS },
        )
        const messages = toMessages(answer.items)
        cursor = nextCursor(answer.opcNextCursor, 'getMessages')
        return messages
      }),
    heartbeat: (signal) =>
      inTurn(async () => {
        const answer = await http.call(
          'consumerHeartbeat',
          () => client.consumerHeartbeat({ streamId, cursor: encodeURIComponent(cursor) }),
          { ...RENEWAL, signal, meanings: LOST },
        )
        cursor = nextCursor(answer.cursor?.value, 'consumerHeartbeat')
      }),
    commit: (signal) =>
      inTurn(async () => {
        const answer = await http.call(
          'consumerCommit',
          () => client.consumerCommit({ streamId, cursor: encodeURIComponent(cursor) }),
          { ...RENEWAL, signal, meanings: LOST },
        )
        cursor = nextCursor(answer.cursor?.value, 'consumerCommit')
      }),
  }
}

export function createStreamProducer(http: Http, client: StreamClient, streamId: string): StreamProducer {
  return {
    publish: async (key, value, signal) => {
      const message = { key: toBase64(Buffer.from(key)), value: toBase64(value) }
      const { putMessagesResult } = await http.call(
        'putMessages',
        () => client.putMessages({ streamId, putMessagesDetails: { messages: [message] } }),
        { signal },
      )
      // A stream that took nothing still answers 200. A second sending after a lost answer doubles the
      // message; readers of a stream expect that anyway.
      const { failures, entries } = putMessagesResult
      if (failures !== 0 || entries?.length !== 1)
        throw new CodedError('service.unavailable', 'putMessages: the stream did not take the message')
    },
  }
}

/** The data plane does not tell how many partitions a stream has: the first that it refuses ends them. */
export function createStreamReader(
  http: Http,
  client: StreamClient,
  clock: Pick<Clock, 'monotonic' | 'sleep'>,
  streamId: string,
): StreamReader {
  return {
    messages: async function* (signal) {
      for (let partition = 0; ; partition += 1) {
        const first = await horizonOf(http, client, streamId, partition, signal)
        if (first === undefined) return
        for (let cursor = first; ; ) {
          const { items, opcNextCursor } = await http.call(
            'getMessages',
            () => client.getMessages({ streamId, cursor: encodeURIComponent(cursor) }),
            { signal, answerMs: GET_ANSWER_MS },
          )
          const messages = toMessages(items)
          if (messages.length === 0) break
          yield* messages
          cursor = nextCursor(opcNextCursor, 'getMessages')
          await clock.sleep(GET_INTERVAL_MS, signal)
        }
      }
    },
  }
}

/** The oldest message of a partition; undefined if the stream has no such partition. */
async function horizonOf(
  http: Http,
  client: StreamClient,
  streamId: string,
  partition: number,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const type = models.CreateCursorDetails.Type.TrimHorizon
  try {
    const { cursor } = await http.call(
      'createCursor',
      () => client.createCursor({ streamId, createCursorDetails: { partition: String(partition), type } }),
      { signal, meanings: partition === 0 ? [] : BEYOND },
    )
    return cursor.value
  } catch (error) {
    if (partition > 0 && codeOf(error) === 'service.missing') return undefined
    throw error
  }
}

function toMessages(items: unknown): readonly StreamMessage[] {
  return checkShape(Messages, items, 'getMessages answer', 'service.failed').map(
    ({ partition, offset, value }) => ({ partition, offset, value: fromBase64(value, 'message value') }),
  )
}

function nextCursor(value: string | undefined, operation: string): string {
  if (value === undefined || value === '')
    throw new CodedError('service.failed', `${operation} gave no next cursor`)
  return value
}
