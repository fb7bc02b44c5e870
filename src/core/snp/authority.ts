/** A verified certificate of an ARK, ASK or ASVK, and its key. */
import type { UnixSeconds } from '../time.ts'
import type { PublicKey } from './publicKey.ts'

export type Authority = {
  /** Common name. */
  readonly subject: string
  /** Lower-case hex. */
  readonly serial: string
  readonly notBefore: UnixSeconds
  readonly notAfter: UnixSeconds
  readonly publicKey: PublicKey
}
