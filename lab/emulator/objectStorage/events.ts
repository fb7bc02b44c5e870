/**
 * OCI Events for objects. A change creates a CloudEvent, rules choose functions, and each function is called
 * until it answers 2xx: at least once, in no particular order. Undelivered events are in the store's journal.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import PQueue from 'p-queue'
import { type EmulatorConfig, tenancyOf } from '#lab/emulator/config.ts'
import type { Faults } from '#lab/emulator/faults.ts'
import { callFunction } from '#lab/emulator/functions/call.ts'
import { OciError } from '#lab/emulator/service.ts'
import type { Bucket } from './buckets.ts'
import type { Emission, StoredObject } from './entries.ts'
import { eventIdOf, type Store } from './store.ts'

const CALLS_AT_ONCE = 8
const FIRST_DELAY_MS = 200
const MAX_DELAY_MS = 10_000
/** At this age OCI gives up, and the event is lost. */
const MAX_AGE_MS = 24 * 3_600_000

type ObjectEventType = 'createobject' | 'updateobject' | 'deleteobject'

export type ObjectEvents = {
  /** The event of a change and the rules that match it; undefined if no rule does. */
  readonly emission: (type: ObjectEventType, bucket: Bucket, object: StoredObject) => Emission | undefined
  /** Begins to deliver as soon as the emission is durable. */
  readonly deliver: (emission: Emission | undefined) => void
  readonly close: () => Promise<void>
}

type Rule = EmulatorConfig['eventRules'][number]

export function createObjectEvents(parts: {
  readonly config: EmulatorConfig
  readonly store: Store
  readonly faults: Pick<Faults, 'take'>
  readonly now: () => number
}): ObjectEvents {
  const { config, store, faults, now } = parts
  const closing = new AbortController()
  const calls = new PQueue({ concurrency: CALLS_AT_ONCE })
  const running = new Set<Promise<void>>()

  const call = async (rule: Rule, event: Emission['event']): Promise<boolean> => {
    const target = config.functions.find(({ id }) => id === rule.functionId)
    if (target === undefined) return true
    const options = { contentType: 'application/json', now: now(), signal: closing.signal }
    try {
      const { status } = await callFunction(target, Buffer.from(JSON.stringify(event)), options)
      return status >= 200 && status < 300
    } catch {
      return false
    }
  }

  const deliverTo = async (rule: Rule, event: Emission['event']): Promise<void> => {
    await store.flushed()
    const path = event.data.resourceName
    const fault = faults.take({ service: 'events', method: 'POST', path, principal: undefined })
    if (fault?.latencyMs !== undefined) await sleep(fault.latencyMs, undefined, { signal: closing.signal })
    let owed = 1 + (fault?.duplicateEvent ?? 0)
    const born = now()
    for (let failures = 0; owed > 0; ) {
      if (await calls.add(() => call(rule, event))) {
        owed -= 1
        continue
      }
      if (now() - born > MAX_AGE_MS) break
      const delay = Math.min(FIRST_DELAY_MS * 2 ** failures, MAX_DELAY_MS)
      failures += 1
      await sleep(delay * (0.5 + Math.random() / 2), undefined, { signal: closing.signal })
    }
    await untilRoom(() => store.delivered(eventIdOf(event), rule.id))
  }

  /** Repeats a change while the disk is full. */
  const untilRoom = async (change: () => void): Promise<void> => {
    for (;;) {
      try {
        return change()
      } catch (error) {
        if (!(error instanceof OciError)) throw error
        await sleep(FIRST_DELAY_MS, undefined, { signal: closing.signal })
      }
    }
  }

  return {
    emission: (type, bucket, object) => {
      if (!bucket.objectEvents) return undefined
      const event = eventOf(config, type, bucket, object, now())
      const ruleIds = config.eventRules
        .filter((rule) => isMatched(config, rule, type, bucket, object))
        .map(({ id }) => id)
      return ruleIds.length === 0 ? undefined : { event, ruleIds }
    },
    deliver: (emission) => {
      for (const rule of config.eventRules) {
        if (emission === undefined || !emission.ruleIds.includes(rule.id)) continue
        // It fails only if the emulator closes or the journal fails; then the next start delivers.
        const delivery = deliverTo(rule, emission.event)
          .catch(() => undefined)
          .finally(() => running.delete(delivery))
        running.add(delivery)
      }
    },
    close: async () => {
      closing.abort()
      await Promise.all(running)
    },
  }
}

function eventOf(
  config: EmulatorConfig,
  type: ObjectEventType,
  bucket: Bucket,
  object: StoredObject,
  now: number,
): Emission['event'] {
  const { compartmentId, namespace, name: bucketName, id: bucketId } = bucket
  const compartmentName =
    [...config.compartments, ...config.tenancies].find(({ id }) => id === compartmentId)?.name ?? ''
  return {
    cloudEventsVersion: '0.1',
    eventID: randomUUID(),
    eventType: `com.oraclecloud.objectstorage.${type}`,
    source: 'ObjectStorage',
    eventTypeVersion: '2.0',
    eventTime: new Date(now).toISOString(),
    contentType: 'application/json',
    extensions: { compartmentId },
    data: {
      compartmentId,
      compartmentName,
      resourceName: object.name,
      resourceId: `/n/${namespace}/b/${bucketName}/o/${object.name}`,
      availabilityDomain: 'all',
      additionalDetails: { eTag: object.etag, namespace, bucketName, bucketId, archivalState: 'Available' },
    },
  }
}

/** A rule sees the events of its compartment. A rule in a root compartment sees the whole tenancy. */
function isMatched(
  config: EmulatorConfig,
  rule: Rule,
  type: ObjectEventType,
  bucket: Bucket,
  object: StoredObject,
): boolean {
  const { eventType, data } = rule.condition
  const sees =
    rule.compartmentId === bucket.compartmentId ||
    rule.compartmentId === tenancyOf(config, bucket.compartmentId)
  return (
    sees &&
    eventType.includes(`com.oraclecloud.objectstorage.${type}`) &&
    (data?.resourceName ?? ['*']).some((pattern) => isLike(pattern, object.name)) &&
    (data?.additionalDetails?.bucketName ?? ['*']).some((pattern) => isLike(pattern, bucket.name))
  )
}

function isLike(pattern: string, text: string): boolean {
  const source = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${source.join('.*')}$`, 's').test(text)
}
