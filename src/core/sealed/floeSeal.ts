/** Sealing a FLOE ciphertext as a stream. */
import { CodedError } from '../errors.ts'
import { IV_BYTES, type Segment, type SegmentCipher, TAG_BYTES } from './cipher.ts'
import {
  type FloeParameters,
  FRAME_BYTES,
  FRAME_HEAD_BYTES,
  NOT_FINAL,
  plaintextBytesOf,
  type RandomBytes,
  segmentAad,
  segmentsOf,
  segmentsUnderKey,
  startSealing,
} from './floe.ts'
import { createOutputBuffers, type Ownership } from './outputBuffers.ts'
import { type Chunks, cutPieces, lengthOf, readPieces } from './pieces.ts'
import { BATCH_SEGMENTS, type Batch, runPipeline } from './pipeline.ts'

export type FloeSealing = {
  /** 32 bytes; the caller owns and wipes them. */
  readonly dek: Uint8Array
  readonly aad: Uint8Array
  /** Chunks are kept until sealed, so their source must not reuse them. */
  readonly chunks: Chunks
  /** Bytes of all `chunks` together. */
  readonly size: number
  readonly cipher: SegmentCipher
  readonly random: RandomBytes
  readonly ownership: Ownership
  readonly parameters: FloeParameters
}

/**
 * The FLOE ciphertext, header first. Throws `input.changed` if `chunks` is shorter or longer than `size`,
 * always before the last bytes are yielded: the consumer then holds no complete ciphertext.
 */
export async function* sealFloe(sealing: FloeSealing): AsyncGenerator<Buffer, void, undefined> {
  const { dek, aad, cipher, random, parameters } = sealing
  const { header, keys } = startSealing(dek, aad, random, parameters)
  const buffers = createOutputBuffers(sealing.ownership)
  const reader = readPieces(sealing.chunks)
  const plaintextBytes = plaintextBytesOf(parameters)
  const segmentCount = segmentsOf(sealing.size, parameters)
  let position = 0
  let missing = sealing.size

  const read = async (): Promise<Batch | undefined> => {
    const count = Math.min(BATCH_SEGMENTS, segmentsUnderKey(position, parameters), segmentCount - position)
    if (count === 0) return undefined
    const bytes = Math.min(missing, count * plaintextBytes)
    const pieces = await reader.take(bytes)
    if (lengthOf(pieces) !== bytes)
      throw new CodedError('input.changed', 'the content is shorter than announced')
    if (position + count === segmentCount && !(await reader.isAtEnd()))
      throw new CodedError('input.changed', 'the content is longer than announced')
    const cut = cutPieces(pieces)
    const output = buffers.acquire(bytes + count * FRAME_BYTES)
    const ivs = random(count * IV_BYTES)
    const segments = Array.from({ length: count }, (_, index): Segment => {
      const isFinal = position + index + 1 === segmentCount
      const segment = output.subarray(index * parameters.segmentBytes, (index + 1) * parameters.segmentBytes)
      segment.writeUInt32BE(isFinal ? segment.byteLength : NOT_FINAL)
      segment.set(ivs.subarray(index * IV_BYTES, (index + 1) * IV_BYTES), 4)
      const tagAt = segment.byteLength - TAG_BYTES
      return {
        iv: segment.subarray(4, FRAME_HEAD_BYTES),
        aad: segmentAad(position + index, isFinal),
        input: cut(tagAt - FRAME_HEAD_BYTES),
        output: segment.subarray(FRAME_HEAD_BYTES, tagAt),
        tag: segment.subarray(tagAt),
      }
    })
    const key = keys.segmentKey(position)
    position += count
    missing -= bytes
    return { key, segments, output }
  }

  try {
    yield header
    yield* runPipeline({ read, work: ({ key, segments }) => cipher.seal(key, segments), buffers })
  } finally {
    reader.close()
    keys.wipe()
    buffers.close()
  }
}
