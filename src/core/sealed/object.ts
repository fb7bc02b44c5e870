/**
 * The sealed object v1 (docs/formats/sealed.md): magic, signed header, FLOE ciphertext. Nothing here trusts
 * the header. The Verifier checks its signature, and the ciphertext opens only with exactly the same header
 * bytes.
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

/** The number of bytes that `readSealHeader` needs at most. */
export const SEAL_PREFIX_BYTES = MAGIC.byteLength + 4 + MAX_HEADER_BYTES

/**
 * Reads the header from the first bytes of an object, and the offset of the ciphertext. Throws
 * `object.malformed` if the magic, the length or the alphabet of the header is wrong, or if the header is
 * incomplete.
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

/** The bytes before the ciphertext. Throws `object.malformed` for a header that could not be read again. */
export function encodeSealHeader(headerJws: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(headerJws.length)
  const encoded = Buffer.concat([MAGIC, length, utf8(headerJws)])
  readSealHeader(encoded)
  return encoded
}

/** The size of the whole object. */
export function sealedSize(headerJwsLength: number, plaintextSize: number): number {
  return MAGIC.byteLength + 4 + headerJwsLength + floeBytes(plaintextSize)
}

/**
 * The bytes of the whole object, in constant memory. Throws `input.changed` if `chunks` does not have exactly
 * `size` bytes, before the object is complete. `chunks` are kept until sealed. The caller owns and wipes
 * `dek` (32 bytes).
 */
export async function* sealObject(sealing: {
  readonly headerJws: string
  readonly dek: Uint8Array
  readonly chunks: Chunks
  /** `size` of the header. */
  readonly size: number
  readonly cipher: SegmentCipher
  /** Ownership of the yielded bytes; `given` by default. */
  readonly ownership?: Ownership
  readonly random?: RandomBytes
}): AsyncGenerator<Buffer, void, undefined> {
  const { headerJws, dek, chunks, size, cipher, ownership = 'given', random = randomBytes } = sealing
  const aad = objectAad(headerJws)
  yield encodeSealHeader(headerJws)
  yield* sealFloe({ dek, aad, chunks, size, cipher, random, ownership, parameters: FLOE })
}

/**
 * The plaintext of an object, in constant memory. No byte is yielded before its segment is authentic, and the
 * plaintext is complete only if the stream ends without an error. Throws `object.unopened` for every failure
 * to open; errors of `chunks` pass unchanged. `chunks` are kept until opened. The caller owns and wipes `dek`
 * (32 bytes).
 */
export async function* openObject(opening: {
  readonly headerJws: string
  /** `size` of the verified header. */
  readonly size: number
  readonly dek: Uint8Array
  /** The object from `offset` on. */
  readonly chunks: Chunks
  readonly cipher: SegmentCipher
  /** Ownership of the yielded bytes; `given` by default. */
  readonly ownership?: Ownership
}): AsyncGenerator<Buffer, void, undefined> {
  const { headerJws, size, dek, chunks, cipher, ownership = 'given' } = opening
  const aad = objectAad(headerJws)
  let missing = size
  for await (const chunk of openFloe({ dek, aad, chunks, cipher, ownership, parameters: FLOE })) {
    missing -= chunk.byteLength
    if (missing < 0) throw unopened('the plaintext is longer than the header says')
    yield chunk
  }
  if (missing > 0) throw unopened('the plaintext is shorter than the header says')
}

/** Binds the ciphertext to the signed header. The prefix separates objects from results. */
function objectAad(headerJws: string): Buffer {
  return Buffer.concat([AAD_PREFIX, headerDigest(headerJws)])
}

function malformed(message: string): CodedError {
  return new CodedError('object.malformed', message)
}
