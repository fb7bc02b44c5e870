/**
 * Issues revocation lists in AMD's form: version 2, PSS, with number and key identifier, no critical
 * extension.
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { amdScheme, authorityKeyIdentifier, extension, nameOf, type SignatureScheme } from './certificate.ts'
import { bits, explicit, integer, sequence, time } from './der.ts'

export type CrlRequest = {
  /** Common name of the ARK. */
  readonly issuer: string
  /** Seconds since the epoch. */
  readonly thisUpdate: number
  readonly nextUpdate: number
  readonly revoked: readonly { readonly serial: number; readonly at: number }[]
  /** Made by `crlExtensions`, or malformed for a test. */
  readonly extensions: readonly Buffer[]
}

/** Returns DER. If nothing is revoked, the list of entries is absent (RFC 5280 §5.1.2.6). */
export function issueCrl(request: CrlRequest, scheme: SignatureScheme): Buffer {
  const { issuer, thisUpdate, nextUpdate, revoked, extensions } = request
  const entries = revoked.map(({ serial, at }) => sequence(integer(serial), time(at)))
  const tbs = sequence(
    integer(1),
    scheme.algorithm,
    nameOf(issuer),
    time(thisUpdate),
    time(nextUpdate),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    explicit(0, sequence(...extensions)),
  )
  return sequence(tbs, scheme.algorithm, bits(scheme.sign(tbs)))
}

/** AuthorityKeyIdentifier and CRLNumber. */
export function crlExtensions(issuerKey: KeyObject, number: number): readonly Buffer[] {
  return [authorityKeyIdentifier(issuerKey), extension('2.5.29.20', integer(number))]
}

const PERIOD_SECONDS = 7 * 86_400
const LIFE_SECONDS = 45 * 86_400

/**
 * The list of an ARK that is current at `at`. A new list with the next number appears each week from
 * `notBefore` on and is valid for 45 days, as AMD did in 2026. Times are in seconds since the epoch.
 */
export function currentCrl(
  ark: { readonly issuer: string; readonly key: KeyObject; readonly notBefore: number },
  at: number,
  revoked: readonly number[],
): Buffer {
  const { issuer, key, notBefore } = ark
  const weeks = Math.max(0, Math.floor((at - notBefore) / PERIOD_SECONDS))
  const thisUpdate = notBefore + weeks * PERIOD_SECONDS
  return issueCrl(
    {
      issuer,
      thisUpdate,
      nextUpdate: thisUpdate + LIFE_SECONDS,
      revoked: revoked.map((serial) => ({ serial, at: notBefore })),
      extensions: crlExtensions(createPublicKey(key), weeks + 1),
    },
    amdScheme(key),
  )
}
