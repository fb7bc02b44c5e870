/** Authorities: the certificates that certify others. */
import type { UnixSeconds } from '../time.ts'
import type { PublicKey } from './publicKey.ts'

/** A verified certificate of an ARK, ASK or ASVK, and its key. */
export type Authority = {
  /** Common name. */
  readonly subject: string
  /** Serial number, lower-case hex. */
  readonly serial: string
  readonly notBefore: UnixSeconds
  readonly notAfter: UnixSeconds
  readonly publicKey: PublicKey
}
