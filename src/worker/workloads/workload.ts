/**
 * A workload computes a researcher's result from the resources that a grant lets pass. It is a fold: opened
 * once per job, given each projected resource in the order of the object, finished once. It sees nothing
 * else, its memory is bounded, and the same lines give the same bytes.
 */
import type { OutputContract } from '#core/egress/contract.ts'

export type Workload = {
  readonly name: string
  /** SHA-256 of the workload's source file, base64url. Grants and the trust digest list name and digest. */
  readonly digest: string
  readonly contentType: string
  readonly open: (contract: OutputContract) => WorkloadRun
}

/** The export of a source file; its digest is computed from the file. */
export type WorkloadSource = Omit<Workload, 'digest'>

export type WorkloadRun = {
  /** One projected resource; the bytes are valid during the call only. Throws `workload.failed`. */
  readonly add: (line: Uint8Array) => void
  /** The whole result. Throws `workload.failed`. */
  readonly finish: () => Uint8Array
}
