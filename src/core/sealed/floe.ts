/**
 * FLOE (c2sp.org/FLOE, ePrint 2025/2275): random access authenticated encryption in segments, here always
 * AES-256-GCM with HKDF-Expand-SHA-384. This file holds its parameters, its header and its keys. Names in
 * capitals are those of the specification.
 */
import { createHmac } from 'node:crypto'
import { sameBytes } from '../bytes.ts'
import { CodedError } from '../errors.ts'
import { IV_BYTES, KEY_BYTES, TAG_BYTES } from './cipher.ts'

export type FloeParameters = {
  /** ENC_SEG_LEN: bytes of one encrypted segment, frame included. */
  readonly segmentBytes: number
  /** AEAD_ROTATION_MASK: a new segment key every 2^n segments; not in the header. */
  readonly rotationMask: number
}

/** The parameters of this project. */
export const FLOE: FloeParameters = { segmentBytes: 262_144, rotationMask: 20 }

/** PARAM_ENCODE ‖ FLOE IV ‖ header tag. */
export const FLOE_HEADER_BYTES = 10 + 32 + 32
/** Length or marker ‖ AEAD IV: the bytes before the ciphertext of a segment. */
export const FRAME_HEAD_BYTES = 4 + IV_BYTES
/** The overhead of a segment. */
export const FRAME_BYTES = FRAME_HEAD_BYTES + TAG_BYTES
/** The marker of every segment but the final one, which has its length instead. */
export const NOT_FINAL = 0xffff_ffff

export type RandomBytes = (bytes: number) => Buffer

/** The keys of one message. The caller that started the message wipes them. */
export type FloeKeys = {
  /** DERIVE_KEY, 32 bytes; the same buffer for every segment of a rotation. */
  readonly segmentKey: (position: number) => Buffer
  readonly wipe: () => void
}

/** startEncryption. Throws `key.unopened` for a key that is not 32 bytes. */
export function startSealing(
  key: Uint8Array,
  aad: Uint8Array,
  random: RandomBytes,
  parameters: FloeParameters,
): { readonly header: Buffer; readonly keys: FloeKeys } {
  const prefix = Buffer.concat([encodeParameters(parameters), random(32)])
  const kdf = floeKdf(prefix, aad)
  const header = Buffer.concat([prefix, kdf(checkKey(key), ['HEADER_TAG:'], 32)])
  return { header, keys: messageKeys(kdf, key, parameters) }
}

/**
 * startDecryption. Throws `object.unopened` for a header that is cut, has other parameters, or was made under
 * another key or other associated data.
 */
export function startOpening(
  key: Uint8Array,
  aad: Uint8Array,
  header: Uint8Array,
  parameters: FloeParameters,
): FloeKeys {
  const encoded = encodeParameters(parameters)
  if (!sameBytes(header.subarray(0, encoded.byteLength), encoded))
    throw unopened('the header has other parameters')
  // The header tag commits to the key: a ciphertext opens under at most one key.
  const kdf = floeKdf(header.subarray(0, 42), aad)
  if (!sameBytes(kdf(checkKey(key), ['HEADER_TAG:'], 32), header.subarray(42)))
    throw unopened('the header tag does not match')
  return messageKeys(kdf, key, parameters)
}

export function plaintextBytesOf({ segmentBytes }: FloeParameters): number {
  return segmentBytes - FRAME_BYTES
}

/** The number of segments of a plaintext. The final one is empty only if the whole plaintext is. */
export function segmentsOf(plaintextBytes: number, parameters: FloeParameters): number {
  return Math.max(1, Math.ceil(plaintextBytes / plaintextBytesOf(parameters)))
}

/** The size of header and segments together. */
export function floeBytes(plaintextBytes: number, parameters: FloeParameters = FLOE): number {
  return FLOE_HEADER_BYTES + segmentsOf(plaintextBytes, parameters) * FRAME_BYTES + plaintextBytes
}

/** The number of segments from `position` on that share its key. */
export function segmentsUnderKey(position: number, { rotationMask }: FloeParameters): number {
  const rotation = 2 ** rotationMask
  return rotation - (position % rotation)
}

/** I2BE(position, 8) ‖ final: binds a segment to its position and to the end. */
export function segmentAad(position: number, isFinal: boolean): Buffer {
  const aad = Buffer.allocUnsafe(9)
  aad.writeUInt32BE(Math.floor(position / 2 ** 32))
  aad.writeUInt32BE(position % 2 ** 32, 4)
  aad.writeUInt8(isFinal ? 1 : 0, 8)
  return aad
}

/** The one error for every ciphertext that does not open. The reason is only in its cause. */
export function unopened(seen: string): CodedError {
  return new CodedError('object.unopened', 'the ciphertext does not open', { cause: new Error(seen) })
}

type FloeKdf = (key: Uint8Array, purpose: readonly (string | Uint8Array)[], bytes: number) => Buffer

/** FLOE_KDF: HKDF-Expand (RFC 5869 §2.3) of one block over PARAM_ENCODE ‖ iv ‖ purpose ‖ aad. */
function floeKdf(prefix: Uint8Array, aad: Uint8Array): FloeKdf {
  return (key, purpose, bytes) => {
    const hmac = createHmac('sha384', key).update(prefix)
    for (const part of purpose) hmac.update(part)
    return hmac.update(aad).update(Uint8Array.of(1)).digest().subarray(0, bytes)
  }
}

function messageKeys(kdf: FloeKdf, key: Uint8Array, { rotationMask }: FloeParameters): FloeKeys {
  const messageKey = kdf(key, ['MESSAGE_KEY:'], 48)
  const segmentKeys = new Map<number, Buffer>()
  return {
    segmentKey: (position) => {
      const first = position - (position % 2 ** rotationMask)
      const known = segmentKeys.get(first)
      if (known !== undefined) return known
      const number = Buffer.alloc(8)
      number.writeBigUInt64BE(BigInt(first))
      const segmentKey = kdf(messageKey, ['DEK:', number], KEY_BYTES)
      segmentKeys.set(first, segmentKey)
      return segmentKey
    },
    wipe: () => {
      messageKey.fill(0)
      for (const segmentKey of segmentKeys.values()) segmentKey.fill(0)
    },
  }
}

/** PARAM_ENCODE: AEAD_ID 0 (AES-256-GCM) ‖ KDF_ID 0 (HKDF-Expand-SHA-384) ‖ ENC_SEG_LEN ‖ FLOE_IV_LEN. */
function encodeParameters({ segmentBytes }: FloeParameters): Buffer {
  const encoded = Buffer.alloc(10)
  encoded.writeUInt32BE(segmentBytes, 2)
  encoded.writeUInt32BE(32, 6)
  return encoded
}

function checkKey(key: Uint8Array): Uint8Array {
  if (key.byteLength !== KEY_BYTES)
    throw new CodedError('key.unopened', `the DEK has ${key.byteLength} bytes, expected ${KEY_BYTES}`)
  return key
}
