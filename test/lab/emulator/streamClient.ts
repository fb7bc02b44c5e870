/** An SDK client of the jobs stream, for tests of Streaming. */
import type { TestContext } from 'node:test'
import { type AuthenticationDetailsProvider, NoRetryConfigurationDetails } from 'oci-common'
import { StreamClient } from 'oci-streaming'
import type { EmulatorConfig } from '#lab/emulator/config.ts'
import { httpClientOf, instanceProvider } from './clients.ts'
import { CONSUMER, emulatorFor, id, testConfig } from './testEmulator.ts'

export const STREAM = id('stream', 'jobs')
export const base64 = (text: string): string => Buffer.from(text).toString('base64')
export const refused = (message: string) => ({ statusCode: 400, serviceCode: 'InvalidParameter', message })
export const THROTTLED = { statusCode: 429, serviceCode: 'TooManyRequests' }
export const INVALID_CURSOR = refused('The cursor is invalid. Create a new one.')
export const UNRESERVED = refused('Trying to commit unreserved partition')
export const OUTSIDE = refused('The cursor is outside the retention period and is now invalid.')

/** A configuration with two partitions, and workers with every permission on streams. */
export function streamConfig(): EmulatorConfig {
  return testConfig({
    change: (config) => {
      for (const stream of config.streams) if (stream.id === STREAM) stream.partitions = 2
      for (const policy of config.policies)
        if (policy.tenancyId === CONSUMER)
          policy.statements +=
            '\nAllow dynamic-group workers to {STREAM_READ, STREAM_CONSUME, STREAM_PRODUCE} in tenancy\n'
    },
  })
}

/**
 * An emulator whose clock moves only by the test. It starts two minutes late, because clients sign with the
 * real time.
 */
export async function openStream(t: TestContext) {
  const start = Date.now() - 120_000
  const time = { now: start }
  const emulator = await emulatorFor(t, streamConfig(), { now: () => time.now })
  const provider = await instanceProvider(emulator, 'worker-1')
  return { time, endpoint: emulator.endpoint, ...streamClient(emulator.endpoint, provider) }
}

export function streamClient(endpoint: string, provider: AuthenticationDetailsProvider) {
  const client = new StreamClient(
    { httpClient: httpClientOf(provider) },
    { retryConfiguration: NoRetryConfigurationDetails },
  )
  client.endpoint = endpoint
  const streamId = STREAM
  const put = async (...values: readonly string[]) => {
    const messages = values.map((value) => ({ key: base64(value), value: base64(value) }))
    return (await client.putMessages({ streamId, putMessagesDetails: { messages } })).putMessagesResult
  }
  const join = async (instanceName: string, more: object = {}): Promise<string> => {
    const createGroupCursorDetails = {
      type: 'TRIM_HORIZON' as never,
      groupName: 'g',
      instanceName,
      timeoutInMs: 10_000,
      commitOnGet: false,
      ...more,
    }
    return (await client.createGroupCursor({ streamId, createGroupCursorDetails })).cursor.value
  }
  const get = async (cursor: string, limit = 100) => {
    const answer = await client.getMessages({ streamId, cursor: encodeURIComponent(cursor), limit })
    const values = answer.items.map(({ value }) => Buffer.from(value, 'base64').toString())
    return { values, items: answer.items, next: answer.opcNextCursor }
  }
  const commit = async (cursor: string): Promise<string> =>
    (await client.consumerCommit({ streamId, cursor: encodeURIComponent(cursor) })).cursor.value
  const heartbeat = async (cursor: string): Promise<string> =>
    (await client.consumerHeartbeat({ streamId, cursor: encodeURIComponent(cursor) })).cursor.value
  const group = async () => (await client.getGroup({ streamId, groupName: 'g' })).group
  const single = async (details: object): Promise<string> => {
    const createCursorDetails = details as never
    return (await client.createCursor({ streamId, createCursorDetails })).cursor.value
  }
  return { client, put, join, get, commit, heartbeat, group, single }
}

/** Reads until a batch is empty. */
export async function readAll(stream: ReturnType<typeof streamClient>, cursor: string) {
  const values: string[] = []
  for (let next = cursor, empty = false; !empty; ) {
    const batch = await stream.get(next)
    values.push(...batch.values)
    next = batch.next
    empty = batch.values.length === 0
  }
  return values.sort()
}

export const LETTERS = [...'abcdefgh']
