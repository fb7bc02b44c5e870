/**
 * Object Storage, as much of it as this project relies on.
 *
 * - A write is durable and visible to every later read and list once it returns.
 * - `create` is atomic: of any number of racing creates of one name, exactly one succeeds and the others get
 *   `service.conflict`. A create whose answer was lost may have succeeded: read before concluding.
 * - Reads pin a version by `etag`; a version that is gone gives `object.changed`.
 * - Absent and invisible are one answer, `service.missing`.
 * - Throttling and outages give `service.unavailable` after the adapter's own bounded retries; a refused permission
 *   on a write gives `service.denied` where the service tells it apart from absence.
 */
export type ObjectRef = { readonly namespace: string; readonly bucket: string; readonly name: string }

export type ObjectHead = {
  readonly etag: string
  readonly size: number
  readonly contentType: string | undefined
}

export type ObjectBody = ObjectHead & {
  /** Consume it or call `return()`; the socket is held until then. Chunks are of any size. */
  readonly chunks: AsyncIterable<Uint8Array>
}

export type ListedObject = { readonly name: string; readonly size: number; readonly etag: string }

export type ObjectStore = {
  readonly head: (object: ObjectRef, etag?: string, signal?: AbortSignal) => Promise<ObjectHead>
  /** Bytes `start` to `end` inclusive, fewer where the object ends before. */
  readonly read: (
    object: ObjectRef,
    range: { readonly start: number; readonly end: number },
    etag?: string,
    signal?: AbortSignal,
  ) => Promise<Buffer>
  readonly stream: (
    object: ObjectRef,
    options: { readonly etag: string; readonly start?: number; readonly signal?: AbortSignal },
  ) => Promise<ObjectBody>
  /** The whole of a small object; `service.failed` where it is larger than `maxBytes`. */
  readonly readAll: (object: ObjectRef, maxBytes: number, signal?: AbortSignal) => Promise<Buffer>
  /** Writes a new object and returns its etag; never overwrites (`service.conflict`). */
  readonly create: (
    object: ObjectRef,
    bytes: Uint8Array,
    signal?: AbortSignal,
  ) => Promise<{ readonly etag: string }>
  /** A large new object from a stream of known size, in constant memory; never overwrites. */
  readonly createFrom: (
    object: ObjectRef,
    chunks: AsyncIterable<Uint8Array>,
    size: number,
    signal?: AbortSignal,
  ) => Promise<{ readonly etag: string }>
  /** All names with the prefix, in ascending order of UTF-8 bytes; `after` starts behind a name. */
  readonly list: (
    bucket: { readonly namespace: string; readonly bucket: string },
    prefix: string,
    after?: string,
    signal?: AbortSignal,
  ) => AsyncIterable<ListedObject>
}
