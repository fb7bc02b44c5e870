/** The native addon: what native/binding*.c defines, as seen from here. Built by native/build.mjs. */
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { CodedError } from '#core/errors.ts'

/** native/sev_guest.h: four parties' error numbers, all 0 only where `report` is one. */
export type ReportAnswer = {
  readonly opened: boolean
  /** An errno: of opening the device where `opened` is false, of the request otherwise. */
  readonly error: number
  readonly fwError: number
  readonly vmmError: number
  /** The firmware's status in an answer that arrived (SEV-SNP ABI). */
  readonly status: number
  readonly size: number
  readonly report: Buffer
}

export type Addon = {
  readonly getReport: (path: string, reportData: Uint8Array, vmpl: number) => Promise<ReportAnswer>
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
