/**
 * The Verifier's challenge (RFC 9334 §10) and its nonce: version(1) ‖ epoch u32be ‖ iat u64be ‖ random(16) ‖
 * HMAC-SHA-256. Every replica holds the MAC key, so any of them can check a nonce without having kept it. The
 * MAC covers the audience: another Verifier refuses the nonce.
 */
import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { sameBytes, utf8, viewOf } from '../bytes.ts'
import { CodedError } from '../errors.ts'
import { audience, base64urlBytes, time } from '../fields.ts'
import { addSeconds, toUnixSeconds, type UnixSeconds } from '../time.ts'

export const NONCE_LIFETIME_SECONDS = 300
export const NONCE_KEY_BYTES = 32
export const NONCE_RANDOM_BYTES = 16
const OFFSET = { version: 0, epoch: 1, iat: 5, random: 13, mac: 29 } as const
export const NONCE_BYTES = OFFSET.mac + 32

export const Challenge = z.strictObject({ nonce: base64urlBytes(NONCE_BYTES), exp: time, aud: audience })
export type Challenge = z.output<typeof Challenge>

/** One epoch of the MAC key: its number (the version of the Vault secret) and 32 bytes. */
export type NonceKey = { readonly epoch: number; readonly key: Uint8Array }

const VERSION = 1
const DOMAIN = utf8('confidential-worker/nonce/v1\0')
/** Replicas' clocks may differ by this much. */
const SKEW_SECONDS = 30

export function mintNonce(
  { epoch, key }: NonceKey,
  audience: string,
  iat: UnixSeconds,
  random: Uint8Array,
): Buffer {
  if (random.byteLength !== NONCE_RANDOM_BYTES)
    throw new CodedError('internal.fault', `a nonce needs ${NONCE_RANDOM_BYTES} random bytes`)
  const nonce = Buffer.alloc(NONCE_BYTES)
  nonce.writeUInt8(VERSION, OFFSET.version)
  nonce.writeUInt32BE(epoch, OFFSET.epoch)
  nonce.writeBigUInt64BE(BigInt(iat), OFFSET.iat)
  nonce.set(random, OFFSET.random)
  nonce.set(macOf(nonce, key, audience), OFFSET.mac)
  return nonce
}

/**
 * Returns the time of minting. Throws `nonce.invalid` unless one of `keys` made the nonce for `audience`, and
 * `nonce.expired` from five minutes on. The MAC is checked first: only our own nonces state a true age.
 */
export function checkNonce(
  nonce: Uint8Array,
  keys: readonly NonceKey[],
  audience: string,
  now: UnixSeconds,
): UnixSeconds {
  if (nonce.byteLength !== NONCE_BYTES || nonce[OFFSET.version] !== VERSION)
    throw new CodedError('nonce.invalid', 'the nonce is not of version 1')
  const epoch = viewOf(nonce).getUint32(OFFSET.epoch)
  const nonceKey = keys.find((key) => key.epoch === epoch)
  if (nonceKey === undefined)
    throw new CodedError('nonce.invalid', `the nonce is of epoch ${epoch}, which is not in force`)
  if (!sameBytes(macOf(nonce, nonceKey.key, audience), nonce.subarray(OFFSET.mac)))
    throw new CodedError('nonce.invalid', 'the nonce was not issued here for this audience')
  const iat = nonceTime(nonce)
  if (iat > addSeconds(now, SKEW_SECONDS))
    throw new CodedError('nonce.invalid', `the nonce was issued ${iat - now} seconds in the future`)
  if (now >= addSeconds(iat, NONCE_LIFETIME_SECONDS))
    throw new CodedError(
      'nonce.expired',
      `the nonce is ${now - iat} seconds old, the limit is ${NONCE_LIFETIME_SECONDS}`,
    )
  return iat
}

/** The time that the nonce states. It is true if the nonce, or a grant for it, was verified. */
export function nonceTime(nonce: Uint8Array): UnixSeconds {
  return toUnixSeconds(Number(viewOf(nonce).getBigUint64(OFFSET.iat)), 'iat of the nonce')
}

function macOf(nonce: Uint8Array, key: Uint8Array, audience: string): Buffer {
  return createHmac('sha256', key)
    .update(DOMAIN)
    .update(nonce.subarray(0, OFFSET.mac))
    .update(utf8(audience))
    .digest()
}
