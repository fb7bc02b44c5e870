/**
 * The content of a result v1 (docs/formats/sealed.md): one FLOE ciphertext over `u64be length ‖ bytes ‖
 * zeros`, padded by Padmé and cut into parts. The length comes first and decides the padding, so it must be
 * known before the first byte. A workload's result is therefore held in memory, up to the `maxBytes` of its
 * contract, or passed with its length.
 */
import { constants, createHash, publicEncrypt, randomBytes } from 'node:crypto'
import { fromHex, isZero, sha256, toBase64url, utf8 } from '../bytes.ts'
import { importJwk, type RsaJwk } from '../jwk.ts'
import { moveInto, type SecretMemory } from '../secretMemory.ts'
import { KEY_BYTES, type SegmentCipher } from './cipher.ts'
import { FLOE, floeBytes, type RandomBytes, unopened } from './floe.ts'
import { openFloe } from './floeOpen.ts'
import { sealFloe } from './floeSeal.ts'
import type { ResultManifest } from './manifest.ts'
import type { Ownership } from './outputBuffers.ts'
import { padmeLength } from './padme.ts'
import { type Chunks, readPieces } from './pieces.ts'

/** The size of every part but the last. */
export const PART_BYTES = 16 * 1024 * 1024
const LENGTH_BYTES = 8
const ZEROS = Buffer.alloc(64 * 1024)
const AAD_PREFIX = utf8('confidential-worker/result/v1\0')

export type ResultPart = {
  /** Counted from 0, as in the part's name. */
  readonly part: number
  readonly bytes: Buffer
  /** SHA-256 of `bytes`. */
  readonly digest: Buffer
  /** SHA-256 over all parts up to this one: after the last, the manifest's `contentDigest`. */
  readonly contentDigest: Buffer
}

export type SealedResult = {
  /** The DEK, RSA-OAEP-256 to the recipient. */
  readonly wrappedDek: Buffer
  /** Read it once and to its end; the DEK is then wiped. */
  readonly parts: AsyncGenerator<ResultPart, void, undefined>
}

/**
 * Seals a result to its recipient under a DEK that is made and wiped here. `parts` throws `input.changed` if
 * `chunks` does not have exactly `size` bytes. One part at a time is in memory.
 */
export function sealResult(sealing: {
  /** Lower-case hex, 32 bytes. */
  readonly resultId: string
  readonly recipient: RsaJwk
  readonly chunks: Chunks
  readonly size: number
  readonly cipher: SegmentCipher
  /** Holds the DEK until the last part is taken. */
  readonly memory: SecretMemory
  readonly random?: RandomBytes
}): SealedResult {
  const { resultId, chunks, size, cipher, memory, random = randomBytes } = sealing
  const dek = moveInto(memory, random(KEY_BYTES))
  const wrappedDek = publicEncrypt(
    {
      key: importJwk(sealing.recipient),
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: 'sha256',
    },
    dek,
  )
  return { wrappedDek, parts: sealParts({ resultId, dek, chunks, size, cipher, memory, random }) }
}

async function* sealParts(sealing: {
  readonly resultId: string
  readonly dek: Buffer
  readonly chunks: Chunks
  readonly size: number
  readonly cipher: SegmentCipher
  readonly memory: SecretMemory
  readonly random: RandomBytes
}): AsyncGenerator<ResultPart, void, undefined> {
  const { resultId, dek, chunks, size, cipher, memory, random } = sealing
  const paddedSize = padmeLength(LENGTH_BYTES + size)
  const content = createHash('sha256')
  const ciphertext = readPieces(
    sealFloe({
      dek,
      aad: resultAad(resultId),
      chunks: padded(chunks, size, paddedSize),
      size: paddedSize,
      cipher,
      random,
      ownership: 'given',
      parameters: FLOE,
    }),
  )
  try {
    let missing = floeBytes(paddedSize)
    for (let part = 0; missing > 0; part++) {
      const bytes = Buffer.concat(await ciphertext.take(PART_BYTES))
      missing -= bytes.byteLength
      content.update(bytes)
      yield { part, bytes, digest: sha256(bytes), contentDigest: content.copy().digest() }
    }
  } finally {
    ciphertext.close()
    memory.free(dek)
  }
}

/**
 * The content of a result, in constant memory. It is complete only if the stream ends without an error.
 * Throws `object.unopened` for every failure to open. The caller owns and wipes `dek` (32 bytes).
 */
export async function* openResult(opening: {
  /** Lower-case hex, 32 bytes. */
  readonly resultId: string
  readonly dek: Uint8Array
  /** The parts in order, in chunks of any size. */
  readonly parts: Chunks
  readonly cipher: SegmentCipher
  /** Ownership of the yielded bytes; `given` by default. */
  readonly ownership?: Ownership
}): AsyncGenerator<Buffer, void, undefined> {
  const { resultId, dek, parts, cipher, ownership = 'given' } = opening
  const aad = resultAad(resultId)
  let start = 0
  let contentEnd = LENGTH_BYTES
  for await (const chunk of openFloe({ dek, aad, chunks: parts, cipher, ownership, parameters: FLOE })) {
    if (start === 0) contentEnd = LENGTH_BYTES + readLength(chunk)
    const split = Math.max(0, Math.min(chunk.byteLength, contentEnd - start))
    if (!isZero(chunk.subarray(split))) throw unopened('the padding is not zero')
    const content = chunk.subarray(start === 0 ? LENGTH_BYTES : 0, split)
    start += chunk.byteLength
    if (content.byteLength > 0) yield content
  }
  if (start !== padmeLength(contentEnd)) throw unopened('the padding has the wrong length')
}

/**
 * Passes on the parts that a manifest names, each only after a check of its size and digest. Throws
 * `object.unopened` if a part differs, is missing or is extra.
 */
export async function* verifyParts(
  { parts, contentDigest }: Pick<ResultManifest, 'parts' | 'contentDigest'>,
  read: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const content = createHash('sha256')
  let count = 0
  for await (const bytes of read) {
    const expected = parts[count++]
    if (bytes.byteLength !== expected?.size || toBase64url(sha256(bytes)) !== expected.digest)
      throw unopened('a part is not the one in the manifest')
    content.update(bytes)
    yield bytes
  }
  if (content.digest('base64url') !== contentDigest)
    throw unopened('the parts are not all parts of the manifest')
}

async function* padded(
  chunks: Chunks,
  size: number,
  paddedSize: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const length = Buffer.alloc(LENGTH_BYTES)
  length.writeBigUInt64BE(BigInt(size))
  yield length
  // sealFloe counts: if the content does not have `size` bytes, the whole does not have `paddedSize`.
  yield* chunks
  let zeros = paddedSize - LENGTH_BYTES - size
  for (; zeros > 0; zeros -= ZEROS.byteLength) yield ZEROS.subarray(0, zeros)
}

function readLength(start: Buffer): number {
  if (start.byteLength < LENGTH_BYTES) throw unopened('the plaintext is shorter than its length field')
  // Beyond 2^53 it is rounded but still longer than any plaintext, so the check of the padding refuses it.
  return Number(start.readBigUInt64BE())
}

/** Binds the ciphertext to the id of its result. The prefix separates results from sealed objects. */
function resultAad(resultId: string): Buffer {
  return Buffer.concat([AAD_PREFIX, fromHex(resultId, 'resultId')])
}
