/**
 * A workload: what a researcher may have computed over what a grant lets through. It is a fold: opened once for each
 * job, given every projected resource in the order of the object, finished once. It sees nothing else, keeps bounded
 * memory, and gives the same bytes for the same lines.
 */
import type { OutputContract } from '#core/egress/contract.ts'

export type Workload = {
  readonly name: string
  /** SHA-256 of the workload's source file, base64url: with the name, what grants and the trust digest list. */
  readonly digest: string
  readonly contentType: string
  readonly open: (contract: OutputContract) => WorkloadRun
}

/** What a source file exports; its digest is taken from the file itself. */
export type WorkloadSource = Omit<Workload, 'digest'>

export type WorkloadRun = {
  /** One projected resource; the bytes are valid during the call only. Throws `workload.failed`. */
  readonly add: (line: Uint8Array) => void
  /** The whole result. Throws `workload.failed`. */
  readonly finish: () => Uint8Array
}
