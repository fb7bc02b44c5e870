/**
 * The sealed object v1 (docs/formats/sealed.md): magic, signed header, FLOE ciphertext. Nothing here trusts the header:
 * its signature is verified by whoever decides on it, and the ciphertext opens only beside the very bytes of it.
 */
import { randomBytes } from 'node:crypto'
import { utf8 } from '../bytes.ts'
import { CodedError } from '../errors.ts'
import type { SegmentCipher } from './cipher.ts'
import { FLOE, floeBytes, type RandomBytes, unopened } from './floe.ts'
import { openFloe } from './floeOpen.ts'
import { sealFloe } from './floeSeal.ts'
import { headerDigest } from './header.ts'
import type { Ownership } from './outputBuffers.ts'
import type { Chunks } from './pieces.ts'

const MAGIC = utf8('CWSEAL1\n')
const MAX_HEADER_BYTES = 4096
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const AAD_PREFIX = utf8('confidential-worker/seal/v1\0')

/** As many bytes of an object as `readSealHeader` may need. */
export const SEAL_PREFIX_BYTES = MAGIC.byteLength + 4 + MAX_HEADER_BYTES

/**
 * The header of an object whose first bytes these are, and where its ciphertext starts. Throws `object.malformed` where
 * the magic, the length or the alphabet of the header is wrong, or the header is not all there.
 */
export function readSealHeader(prefix: Uint8Array): { readonly headerJws: string; readonly offset: number } {
  const bytes = Buffer.from(prefix.buffer, prefix.byteOffset, prefix.byteLength)
  const start = MAGIC.byteLength + 4
  if (bytes.byteLength < start || !bytes.subarray(0, MAGIC.byteLength).equals(MAGIC))
    throw malformed('the object does not begin with CWSEAL1')
  const length = bytes.readUInt32BE(MAGIC.byteLength)
  if (length > MAX_HEADER_BYTES)
    throw malformed(`the header has ${length} bytes, the limit is ${MAX_HEADER_BYTES}`)
  const offset = start + length
  if (bytes.byteLength < offset) throw malformed(`the object ends within its header of ${length} bytes`)
  const headerJws = bytes.toString('latin1', start, offset)
  if (!COMPACT_JWS.test(headerJws)) throw malformed('the header is not a compact JWS')
  return { headerJws, offset }
}

/** What stands before the ciphertext. Throws `object.malformed` for a header that could not be read again. */
export function encodeSealHeader(headerJws: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(headerJws.length)
  const encoded = Buffer.concat([MAGIC, length, utf8(headerJws)])
  readSealHeader(encoded)
  return encoded
}

/** Bytes of the whole object. */
export function sealedSize(headerJwsLength: number, plaintextSize: number): number {
  return MAGIC.byteLength + 4 + headerJwsLength + floeBytes(plaintextSize)
}

/**
 * The bytes of the whole object, in constant memory. Throws `input.changed` where `chunks` does not have exactly `size`
 * bytes, before the object is complete. `chunks` are kept until sealed; the caller owns and wipes `dek` (32 bytes).
 */
export async function* sealObject(sealing: {
  readonly headerJws: string
  readonly dek: Uint8Array
  readonly chunks: Chunks
  /** `size` of the header. */
  readonly size: number
  readonly cipher: SegmentCipher
  /** Of what is yielded; `given` unless said. */
  readonly ownership?: Ownership
  readonly random?: RandomBytes
}): AsyncGenerator<Buffer, void, undefined> {
  const { headerJws, ownership = 'given', random = randomBytes } = sealing
  yield encodeSealHeader(headerJws)
  yield* sealFloe({ ...sealing, aad: objectAad(headerJws), ownership, random, parameters: FLOE })
}

/**
 * The plaintext of an object, in constant memory; no byte before its segment is authentic, and whole only when the
 * stream ends without an error. Throws `object.unopened` in every way of not opening, errors of `chunks` as they are.
 * `chunks` are kept until opened; the caller owns and wipes `dek` (32 bytes).
 */
export async function* openObject(opening: {
  readonly headerJws: string
  /** `size` of the verified header. */
  readonly size: number
  readonly dek: Uint8Array
  /** The object from `offset` on. */
  readonly chunks: Chunks
  readonly cipher: SegmentCipher
  /** Of what is yielded; `given` unless said. */
  readonly ownership?: Ownership
}): AsyncGenerator<Buffer, void, undefined> {
  const { headerJws, size, ownership = 'given' } = opening
  let missing = size
  for await (const chunk of openFloe({
    ...opening,
    aad: objectAad(headerJws),
    ownership,
    parameters: FLOE,
  })) {
    missing -= chunk.byteLength
    if (missing < 0) throw unopened('the plaintext is longer than the header says')
    yield chunk
  }
  if (missing > 0) throw unopened('the plaintext is shorter than the header says')
}

/** Binds the ciphertext to the signed header, and keeps it apart from results. */
function objectAad(headerJws: string): Buffer {
  return Buffer.concat([AAD_PREFIX, headerDigest(headerJws)])
}

function malformed(message: string): CodedError {
  return new CodedError('object.malformed', message)
}
