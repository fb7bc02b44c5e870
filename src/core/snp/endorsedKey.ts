/** The key that a VCEK or VLEK certificate endorses. */
import type { Tcb } from './tcb.ts'

/** AMD's statements about an endorsed key. A VCEK belongs to a chip, a VLEK to a cloud provider. */
export type EndorsedKey = {
  /** The TCB from which the key was derived. */
  readonly tcb: Tcb
  /** The chip, in the product's length (64 bytes, on Turin 8); undefined for a VLEK. */
  readonly hardwareId: Uint8Array | undefined
  /** The cloud provider; undefined for a VCEK. */
  readonly cspId: string | undefined
}
