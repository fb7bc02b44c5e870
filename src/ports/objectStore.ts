/**
 * The part of Object Storage that this project relies on.
 *
 * - Durability: a write is durable, and visible to every later read and list, when it returns.
 * - Atomicity: an object appears whole or not at all. Of any number of racing creates of one name exactly one
 *   succeeds; the others get `service.conflict`. Nothing is ever overwritten.
 * - Lost answers: the adapter sends a small create again, so `service.conflict` may be about our own object.
 *   `createOnce` tells by reading. After `service.unavailable` the object may exist or not: create it again.
 * - Versions: a read with an `etag` reads that version or throws `object.changed`.
 * - `service.missing`: the object or bucket is absent, or policy hides it; OCI does not tell them apart.
 * - `service.denied`: policy forbids the write, if the service tells that apart from absence.
 * - `service.unavailable`: throttling or an outage, after the adapter's bounded retries.
 * - An abort rejects with the signal's reason.
 */
export type ObjectRef = { readonly namespace: string; readonly bucket: string; readonly name: string }

export type ObjectHead = {
  readonly etag: string
  readonly size: number
  readonly contentType: string | undefined
}

export type ObjectBody = ObjectHead & {
  /**
   * The bytes, in chunks of any size. A connection that breaks is resumed in the same version. Consume it, or
   * call `return()`: the socket is held until then.
   */
  readonly chunks: AsyncIterable<Uint8Array>
}

export type ListedObject = { readonly name: string; readonly size: number; readonly etag: string }

export type ObjectStore = {
  readonly head: (object: ObjectRef, etag?: string, signal?: AbortSignal) => Promise<ObjectHead>
  /** Bytes `start` to `end` inclusive; fewer, or none, if the object ends before. */
  readonly read: (
    object: ObjectRef,
    range: { readonly start: number; readonly end: number },
    etag?: string,
    signal?: AbortSignal,
  ) => Promise<Buffer>
  /** The object from byte `start` to its end. */
  readonly stream: (
    object: ObjectRef,
    options: { readonly etag: string; readonly start?: number; readonly signal?: AbortSignal },
  ) => Promise<ObjectBody>
  /** A small object, whole. Throws `service.failed` if it has more than `maxBytes`. */
  readonly readAll: (object: ObjectRef, maxBytes: number, signal?: AbortSignal) => Promise<Buffer>
  /** Writes a new object. Throws `service.conflict` if the name is taken. */
  readonly create: (
    object: ObjectRef,
    bytes: Uint8Array,
    signal?: AbortSignal,
  ) => Promise<{ readonly etag: string }>
  /**
   * Writes a new object of any size in constant memory. Throws `service.conflict` if the name is taken, and
   * `internal.fault` if the chunks do not have `size` bytes in all; then nothing is visible.
   */
  readonly createFrom: (
    object: ObjectRef,
    chunks: AsyncIterable<Uint8Array>,
    size: number,
    signal?: AbortSignal,
  ) => Promise<{ readonly etag: string }>
  /**
   * All objects whose name begins with `prefix`, in ascending order of the name's UTF-8 bytes. With `after`,
   * only names behind it, whether or not an object has that name.
   */
  readonly list: (
    bucket: { readonly namespace: string; readonly bucket: string },
    prefix: string,
    after?: string,
    signal?: AbortSignal,
  ) => AsyncIterable<ListedObject>
}
