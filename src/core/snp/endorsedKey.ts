/** AMD's statement about the key that a certificate endorses. A VCEK belongs to a chip, a VLEK to a cloud provider. */
import type { Tcb } from './tcb.ts'

export type EndorsedKey = {
  readonly tcb: Tcb
  /** Of the product's length; undefined for a VLEK. */
  readonly hardwareId: Uint8Array | undefined
  /** The cloud provider; undefined for a VCEK. */
  readonly cspId: string | undefined
}
