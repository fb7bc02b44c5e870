/**
 * Nonces as admission, where no certificate tells clients apart: each valid nonce admits one body to this
 * process, and without one no byte of a body is read. The MAC is checked first, from a header, for the price
 * of one HMAC. The header is a hint and no part of the request: the report binds the nonce of the runtime
 * data, which must be the same one, and spends it across replicas (nonceMarkers.ts).
 */
import type { IncomingHttpHeaders } from 'node:http'
import { fromBase64url, toBase64url } from '#core/bytes.ts'
import { CodedError, under } from '#core/errors.ts'
import { NONCE_LIFETIME_SECONDS } from '#core/release/nonce.ts'
import type { Clock } from '#ports/clock.ts'

export const NONCE_HEADER = 'nonce'
/** After this a nonce is expired on every clock that accepted it, so that it need not be remembered. */
const FORGET_MILLISECONDS = (NONCE_LIFETIME_SECONDS + 60) * 1000

export type NonceAdmission = {
  /** Throws `nonce.invalid`, `nonce.expired`, or `nonce.spent` if it admitted a body before. */
  readonly read: (header: IncomingHttpHeaders[string]) => Uint8Array
  readonly take: (nonce: Uint8Array) => void
}

/** `check` throws for a nonce that is not ours or too old. */
export function createNonceAdmission(
  check: (nonce: Uint8Array) => void,
  { monotonic }: Pick<Clock, 'monotonic'>,
): NonceAdmission {
  /** When each was taken, in this order. The rate of requests bounds how many there are. */
  const taken = new Map<string, number>()
  const forgetOld = () => {
    for (const [nonce, at] of taken) {
      if (monotonic() - at < FORGET_MILLISECONDS) return
      taken.delete(nonce)
    }
  }
  return {
    read: (header) => {
      if (typeof header !== 'string')
        throw new CodedError(
          'nonce.invalid',
          `the request has no header ${NONCE_HEADER}: the nonce of a challenge`,
        )
      const nonce = under('nonce.invalid', () => fromBase64url(header))
      check(nonce)
      if (taken.has(toBase64url(nonce)))
        throw new CodedError('nonce.spent', 'the nonce has admitted a body before')
      return nonce
    },
    take: (nonce) => {
      forgetOld()
      taken.set(toBase64url(nonce), monotonic())
    },
  }
}
