/**
 * What a service of the emulator is: a table of routes over OCI's own wire. The frame (`frame.ts`) does for every
 * route what OCI does before a service sees a request: it verifies the signature, finds the principal, reads a bounded
 * body, asks the policy, and afterwards waits for the service's journal before it answers.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { EmulatorConfig } from './config.ts'
import type { Permission } from './policy/permissions.ts'

/** Who signed the request. `groups` are ids of groups (users) or of matching dynamic groups (instances, functions). */
export type Principal = {
  readonly kind: 'user' | 'instance' | 'function'
  readonly id: string
  readonly tenancyId: string
  readonly compartmentId: string
  readonly groups: readonly string[]
}

/** The permissions that a call demands, all of them, on a resource of a compartment; none: any signed request. */
export type Access = {
  readonly permissions: readonly Permission[]
  /** The other set of permissions that would do as well. */
  readonly or?: readonly Permission[]
  readonly compartmentId: string
  /** Policy variables of the target, such as `target.key.id` or `target.bucket.name`. */
  readonly variables: Readonly<Record<string, string>>
  /** What a principal without the permission is told; OCI's usual 404 `NotAuthorizedOrNotFound` unless given. */
  readonly hiddenAs?: OciError
}

export type ServiceRequest = {
  readonly method: string
  /** Path as sent, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** The `:name` parts of the route's pattern, percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  /** The whole body of a `json` or `bytes` route; empty otherwise. */
  readonly body: Buffer
  /** The body of a `stream` route, to be consumed by the handler; already ended otherwise. */
  readonly stream: Readable
  readonly principal: Principal
  /** Throws unless the principal has the permissions: for what a handler learns only late. */
  readonly demand: (access: Access) => void
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal
}

/** `json` is encoded and sent as application/json; `bytes` and `stream` as they are; none of them is an empty body. */
export type ServiceResponse = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly bytes?: Uint8Array
  readonly stream?: Readable
}

export type Route = {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Segments: literal, `:name` for one segment, `*name` as the last one for the rest of the path. */
  readonly pattern: string
  readonly body: 'none' | 'bytes' | 'stream'
  /** For `bytes`: larger bodies answer 413. */
  readonly maxBodyBytes?: number
  /** OCI leaves the bodies of putObject, uploadPart and putMessages outside the signature; all others are inside. */
  readonly bodyUnsigned?: boolean
  /** Which permissions on which resource. It may throw an `OciError`, for a resource that does not exist. */
  readonly access: (request: ServiceRequest) => Access
  readonly handle: (request: ServiceRequest) => ServiceResponse | Promise<ServiceResponse>
}

export type Service = {
  readonly name: string
  readonly routes: readonly Route[]
  /**
   * Resolves when all that the service changed before the call is on disk. The frame waits for it before every answer,
   * an error's too: nobody is told of a state that a crash could take back.
   */
  readonly flushed: () => Promise<void>
  readonly close: () => Promise<void>
}

/** What a service is made from. `now` is in milliseconds since the epoch, and steerable in tests. */
export type ServiceContext = {
  readonly config: EmulatorConfig
  /** The service's files go here; the folder exists. */
  readonly folder: string
  readonly now: () => number
}

/** Answered as `{"code", "message"}` with this status. */
export class OciError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'OciError'
    this.status = status
    this.code = code
  }
}

export function invalidParameter(message: string): OciError {
  return new OciError(400, 'InvalidParameter', message)
}

/** OCI gives one answer for a resource that does not exist and for one that policy hides. */
export function notAuthorizedOrNotFound(): OciError {
  return new OciError(404, 'NotAuthorizedOrNotFound', 'Authorization failed or requested resource not found.')
}
