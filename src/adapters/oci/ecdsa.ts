/** ECDSA signatures: from the Vault's form (DER, RFC 3279 §2.2.3) to that of JWS (r ‖ s, RFC 7518 §3.4). */
import { CodedError } from '#core/errors.ts'

const SEQUENCE = 0x30
const INTEGER = 0x02

/**
 * Writes r and s in `width` bytes each (48 for P-384). Throws `service.failed` for anything but canonical
 * DER.
 */
export function derToRaw(der: Uint8Array, width: number): Buffer {
  const [body, rest] = readElement(der, SEQUENCE)
  const [r, afterR] = readElement(body, INTEGER)
  const [s, afterS] = readElement(afterR, INTEGER)
  if (rest.byteLength > 0 || afterS.byteLength > 0) throw malformed()
  return Buffer.concat([toWidth(r, width), toWidth(s, width)])
}

/** Reads lengths of one byte, in short or long form. An ECDSA signature up to P-521 needs no others. */
function readElement(bytes: Uint8Array, tag: number): readonly [Uint8Array, Uint8Array] {
  const [found, first = 0, second = 0] = bytes
  const isLong = first === 0x81
  const length = isLong ? second : first
  const start = isLong ? 3 : 2
  if (found !== tag || (isLong && second < 0x80) || (!isLong && first > 0x7f)) throw malformed()
  if (bytes.byteLength < start + length) throw malformed()
  return [bytes.subarray(start, start + length), bytes.subarray(start + length)]
}

/** Pads a positive INTEGER in minimal form on the left. */
function toWidth(integer: Uint8Array, width: number): Uint8Array {
  const [first = 0x80, second = 0] = integer
  const isPadded = first === 0 && integer.byteLength > 1
  if (first >= 0x80 || (isPadded && second < 0x80)) throw malformed()
  const magnitude = isPadded ? integer.subarray(1) : integer
  if (magnitude.byteLength > width) throw malformed()
  return Buffer.concat([Buffer.alloc(width - magnitude.byteLength), magnitude])
}

function malformed(): CodedError {
  return new CodedError('service.failed', 'sign: the signature is not DER')
}
