/** The native addon: what native/binding*.c defines, as seen from here. Built by native/build.mjs. */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { CodedError } from '#core/errors.ts'

/** native/sev_guest.h: four parties' error numbers; there is an answer only where all of them are 0. */
export type DeviceOutcome = {
  readonly opened: boolean
  /** An errno: of opening the device where `opened` is false, of the request otherwise. */
  readonly error: number
  readonly fwError: number
  readonly vmmError: number
  /** The firmware's status in an answer that arrived (SEV-SNP ABI). */
  readonly status: number
}

export type ReportAnswer = DeviceOutcome & {
  readonly size: number
  readonly report: Buffer
  /** The bytes that the host gave beside the report; empty where none were asked for, or there was an error. */
  readonly table: Buffer
  /** How long a table the host has, where that is why it refused. */
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
   * 1 to 65,536 zeros on pages of their own: locked, in no dump, zeros in a child. Wiped and unmapped when no view is left.
   * Throws an error whose `code` is ERR_SECRET_MEMORY where the system refuses.
   */
  readonly allocateSecret: (bytes: number) => Buffer
  /** Wipes it at once; it and every view of it have no bytes from then on. Throws for what is not such a buffer. */
  readonly releaseSecret: (secret: Buffer) => void
  /** 0 or an errno. */
  readonly notify: (socket: string, state: string) => number
  /**
   * AES-256-GCM over segments, one after the other on libuv's pool. `parts` are, a segment: iv, aad, tag, output, then
   * its pieces of input, as many as its number in `counts` says. True unless a tag does not match on opening. Absent
   * where the Node binary does not export OpenSSL's EVP functions.
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

/** The addon, or why it is not there; decided once a process. */
export function loadAddon(): Addon | CodedError {
  loaded ??= load()
  return loaded
}

function load(): Addon | CodedError {
  try {
    // The one place where the addon's shape is claimed; test/native holds each function to it.
    return createRequire(import.meta.url)(PATH) as Addon
  } catch (cause) {
    return new CodedError(
      'sev.unavailable',
      'the native addon does not load; install a C compiler and the kernel headers, then run "npm run install"',
      { cause },
    )
  }
}
