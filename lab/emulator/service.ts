/**
 * The interface of a service: a table of routes over OCI's own wire protocol. The request handler does for
 * every route what OCI does before a service sees a request: it verifies the signature, finds the principal,
 * reads a bounded body and checks the policy. Afterwards it waits for the service's journal before it
 * answers.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { EmulatorConfig } from './config.ts'
import type { Faults } from './faults.ts'
import type { Permission } from './policy/permissions.ts'

/**
 * The signer of a request. `groups` are ids of groups (users) or of matching dynamic groups (instances,
 * functions).
 */
export type Principal = {
  readonly kind: 'user' | 'instance' | 'function'
  readonly id: string
  readonly tenancyId: string
  readonly compartmentId: string
  readonly groups: readonly string[]
}

/**
 * The permissions that a call needs, all of them, on a resource of a compartment. If empty, any signed
 * request will do.
 */
export type Access = {
  readonly permissions: readonly Permission[]
  /** An alternative set of permissions. */
  readonly or?: readonly Permission[]
  readonly compartmentId: string
  /** Policy variables of the target, such as `target.key.id` or `target.bucket.name`. */
  readonly variables: Readonly<Record<string, string>>
  /**
   * The answer to a principal without the permission. Defaults to OCI's usual 404 `NotAuthorizedOrNotFound`.
   */
  readonly hiddenAs?: OciError
}

export type ServiceRequest = {
  readonly method: string
  /** The path as sent, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** The `:name` parts of the route's pattern, percent-decoded. */
  readonly params: Readonly<Record<string, string>>
  /** The whole body of a `bytes` route; empty otherwise. */
  readonly body: Buffer
  /** The body of a `stream` route, which the handler must consume; already ended otherwise. */
  readonly stream: Readable
  readonly principal: Principal
  /** Throws unless the principal has the permissions. For handlers that learn late what they need. */
  readonly demand: (access: Access) => void
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal
}

/**
 * `json` is encoded and sent as application/json, `bytes` and `stream` as they are. Without any of them the
 * body is empty.
 */
export type ServiceResponse = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly bytes?: Uint8Array
  readonly stream?: Readable
}

export type Route = {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** Segments: a literal, `:name` for one segment, or a last `*name` for the rest of the path. */
  readonly pattern: string
  readonly body: 'none' | 'bytes' | 'stream'
  /** For `bytes`: a larger body gets 413. */
  readonly maxBodyBytes?: number
  /**
   * True if the signature does not cover the body: in OCI only for putObject, uploadPart, putMessages and
   * InvokeFunction.
   */
  readonly bodyUnsigned?: boolean
  /** The permissions needed, and on which resource. Throws an `OciError` if the resource does not exist. */
  readonly access: (request: ServiceRequest) => Access
  readonly handle: (request: ServiceRequest) => ServiceResponse | Promise<ServiceResponse>
}

export type Service = {
  readonly name: string
  readonly routes: readonly Route[]
  /**
   * Gives a key or secret a new version, as its administrator would. Returns the version's name; undefined if
   * this service has no such key or secret.
   */
  readonly rotate?: (id: string) => string | undefined
  /**
   * Resolves when every change that the service made before the call is on disk. The request handler waits
   * for it before every answer, including errors: no client learns of a state that a crash could undo.
   */
  readonly flushed: () => Promise<void>
  readonly close: () => Promise<void>
}

/** The parts that a service is built from. `now` is in milliseconds since the epoch; tests control it. */
export type ServiceContext = {
  readonly config: EmulatorConfig
  /** The folder for the service's files. It exists. */
  readonly folder: string
  readonly now: () => number
  readonly faults: Pick<Faults, 'take'>
}

/** Sent to the client as `{"code", "message"}` with this status. */
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
