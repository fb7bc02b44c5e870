/** The types of the native addon, which native/binding*.c defines and native/build.mjs builds. */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { CodedError } from '#core/errors.ts'

/** The error numbers of four parties (native/sev_guest.h). There is an answer only if all of them are 0. */
export type DeviceOutcome = {
  readonly opened: boolean
  /** An errno: of the request, or of opening the device if `opened` is false. */
  readonly error: number
  readonly fwError: number
  readonly vmmError: number
  /** The firmware's status inside an answer that arrived (SEV-SNP ABI). */
  readonly status: number
}

export type ReportAnswer = DeviceOutcome & {
  readonly size: number
  readonly report: Buffer
  /** The host's certificate table. Empty if none was requested or the request failed. */
  readonly table: Buffer
  /** The length of the host's table, if the host refused because of it. */
  readonly tableLength: number
}

export type Addon = {
  readonly getReport: (
    path: string,
    reportData: Uint8Array,
    vmpl: number,
    withTable: boolean,
  ) => Promise<ReportAnswer>
  /**
   * Allocates 1 to 65,536 zeros on pages of their own: locked, in no dump, zeros in a child. They are wiped
   * and unmapped when no view is left. Throws an error with the `code` ERR_SECRET_MEMORY if the system
   * refuses.
   */
  readonly allocateSecret: (bytes: number) => Buffer
  /** Wipes the buffer at once. It and every view of it then have no bytes. Throws for any other buffer. */
  readonly freeSecret: (secret: Buffer) => void
  /** Returns 0 or an errno. */
  readonly notify: (socket: string, state: string) => number
  /**
   * AES-256-GCM over segments, one after the other on libuv's pool. `parts` has, per segment: iv, aad, tag,
   * output, then its pieces of input; `counts` has the number of those pieces. False if a tag does not match
   * on opening. Absent if the Node binary does not export OpenSSL's EVP functions.
   */
  readonly aead?: (
    seal: boolean,
    key: Uint8Array,
    parts: readonly Uint8Array[],
    counts: Uint32Array,
  ) => Promise<boolean>
}

const PATH = fileURLToPath(new URL('../../../native/build/sev_guest.node', import.meta.url))

let loaded: Addon | CodedError | undefined

/** The addon, or the reason for its absence. Decided once per process. */
export function loadAddon(): Addon | CodedError {
  loaded ??= load()
  return loaded
}

function load(): Addon | CodedError {
  try {
    // The only claim about the addon's shape. test/native tests each function against it.
    return createRequire(import.meta.url)(PATH) as Addon
  } catch (cause) {
    return new CodedError(
      'sev.unavailable',
      'the native addon does not load; install a C compiler and the kernel headers, then run "npm run install"',
      { cause },
    )
  }
}
