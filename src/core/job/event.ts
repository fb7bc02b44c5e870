/**
 * The event with which OCI Object Storage announces a new object. It is not signed and may arrive more than
 * once. It is a hint: a job is made from it only after a look at the object itself.
 */
import { z } from 'zod'
import { checkShape, parseJson } from '../canonical.ts'
import { CodedError, under } from '../errors.ts'
import { etag, objectName } from '../fields.ts'
import { sealedSize } from '../sealed/object.ts'
import { isMemberName } from '../sealed/set.ts'
import type { UnixSeconds } from '../time.ts'
import { type Job, jobIdOf } from './job.ts'

/** OCI's events are below 2 KiB. */
const MAX_EVENT_BYTES = 16 * 1024

const printable = (max: number) =>
  z.string().regex(new RegExp(`^[\\x21-\\x7e]{1,${max}}$`), 'must be printable')

/**
 * CloudEvents 0.1 as OCI Events sends it. The fields below must be exactly so; further fields may follow, as
 * tags and versions do. An overwritten object (`updateobject`) is refused: outbox objects are written once,
 * so a replacement was not sealed there.
 */
const Schema = z.object({
  cloudEventsVersion: z.literal('0.1'),
  eventID: printable(128),
  eventType: z.literal('com.oraclecloud.objectstorage.createobject'),
  source: z.string().regex(/^objectstorage$/i, 'must be ObjectStorage'),
  eventTypeVersion: z.literal('2.0'),
  contentType: z.literal('application/json'),
  data: z.object({
    resourceName: z.string().min(1).max(1024),
    additionalDetails: z.object({
      eTag: etag,
      namespace: z.string().min(1).max(256),
      bucketName: z.string().min(1).max(256),
    }),
  }),
})

export type ObjectEvent = {
  readonly eventId: string
  readonly namespace: string
  readonly bucket: string
  /** The name in the event: any text. */
  readonly object: string
  readonly etag: string
}

/** An event about an object in a served bucket, under a name of our grammar, that is no member of a set. */
declare const authorised: unique symbol
export type AuthorisedEvent = ObjectEvent & { readonly [authorised]: true }

export type BucketRef = { readonly namespace: string; readonly bucket: string }

/** Throws `event.malformed`. */
export function parseEvent(body: Uint8Array): ObjectEvent {
  if (body.byteLength > MAX_EVENT_BYTES)
    throw new CodedError(
      'event.malformed',
      `the event has ${body.byteLength} bytes, the limit is ${MAX_EVENT_BYTES}`,
    )
  const value = under('event.malformed', () => parseJson(body, 'event'))
  const { eventID, data } = checkShape(Schema, value, 'event', 'event.malformed')
  const { eTag, namespace, bucketName } = data.additionalDetails
  return { eventId: eventID, namespace, bucket: bucketName, object: data.resourceName, etag: eTag }
}

/**
 * Throws `event.unauthorised`, and `event.of-member` for a member of a set: several events must not make
 * several jobs of it. The message names neither bucket nor object: any sender can choose these
 * words.
 */
export function authoriseEvent(event: ObjectEvent, allowed: readonly BucketRef[]): AuthorisedEvent {
  if (!allowed.some(({ namespace, bucket }) => namespace === event.namespace && bucket === event.bucket))
    throw new CodedError('event.unauthorised', 'the bucket of the event is not served')
  if (!objectName.safeParse(event.object).success)
    throw new CodedError('event.unauthorised', 'the name of the object is not a name of a sealed object')
  if (isMemberName(event.object))
    throw new CodedError(
      'event.of-member',
      'the event is about a member of a set: its set record makes the job',
    )
  // The brand has no run-time form; only this line gives it.
  return event as AuthorisedEvent
}

/** Throws `object.malformed` for an object too small to be sealed. `size` comes from object storage. */
export function toJob(
  event: AuthorisedEvent,
  head: { readonly size: number },
  traceparent: string,
  now: UnixSeconds,
): Job {
  const { eventId, namespace, bucket, object, etag: tag } = event
  if (head.size <= sealedSize(0, 0))
    throw new CodedError('object.malformed', `the object has ${head.size} bytes, too few for a sealed object`)
  return {
    v: 1,
    jobId: jobIdOf({ namespace, bucket, object, etag: tag }),
    eventId,
    namespace,
    bucket,
    object,
    etag: tag,
    size: head.size,
    traceparent,
    enqueuedAt: now,
    notBefore: 0,
  }
}
