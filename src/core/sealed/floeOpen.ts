/** Opening a FLOE ciphertext as a stream. */
import { viewOf } from '../bytes.ts'
import { type Segment, type SegmentCipher, TAG_BYTES } from './cipher.ts'
import {
  FLOE_HEADER_BYTES,
  type FloeKeys,
  type FloeParameters,
  FRAME_BYTES,
  FRAME_HEAD_BYTES,
  NOT_FINAL,
  segmentAad,
  segmentsUnderKey,
  startOpening,
  unopened,
} from './floe.ts'
import { createOutputBuffers, type OutputBuffers, type Ownership } from './outputBuffers.ts'
import { type Chunks, cutPieces, joinPieces, lengthOf, type PieceReader, readPieces } from './pieces.ts'
import { BATCH_SEGMENTS, type Batch, runPipeline } from './pipeline.ts'

export type FloeOpening = {
  /** 32 bytes; the caller owns and wipes them. */
  readonly dek: Uint8Array
  readonly aad: Uint8Array
  /**
   * The ciphertext from its FLOE header on. Chunks are kept until opened, so their source must not reuse
   * them.
   */
  readonly chunks: Chunks
  readonly cipher: SegmentCipher
  readonly ownership: Ownership
  readonly parameters: FloeParameters
}

/**
 * The plaintext. No byte of a segment is yielded before the segment is authentic. The plaintext is complete
 * only if the stream ends without an error. Throws `object.unopened` if anything was cut, extended, moved or
 * changed.
 */
export async function* openFloe(opening: FloeOpening): AsyncGenerator<Buffer, void, undefined> {
  const { dek, aad, cipher, parameters } = opening
  const reader = readPieces(opening.chunks)
  const buffers = createOutputBuffers(opening.ownership)
  const work = async ({ key, segments }: Batch): Promise<void> => {
    if (!(await cipher.open(key, segments))) throw unopened('a segment is not authentic')
  }
  try {
    const header = joinPieces(await reader.take(FLOE_HEADER_BYTES))
    const keys = startOpening(dek, aad, header, parameters)
    try {
      yield* runPipeline({ read: readBatches(reader, keys, buffers, parameters), work, buffers })
    } finally {
      keys.wipe()
    }
  } finally {
    reader.close()
    buffers.close()
  }
}

/** Reads the segments as their length fields frame them. The tags then prove their positions and the end. */
function readBatches(
  reader: PieceReader,
  keys: FloeKeys,
  buffers: OutputBuffers,
  parameters: FloeParameters,
): () => Promise<Batch | undefined> {
  const { segmentBytes } = parameters
  let position = 0
  let isOver = false
  return async () => {
    if (isOver) return undefined
    const key = keys.segmentKey(position)
    const count = Math.min(BATCH_SEGMENTS, segmentsUnderKey(position, parameters))
    const pieces = await reader.take(count * segmentBytes)
    const cut = cutPieces(pieces)
    let left = lengthOf(pieces)
    const output = buffers.acquire(Math.max(0, left - Math.ceil(left / segmentBytes) * FRAME_BYTES))
    const segments: Segment[] = []
    for (let start = 0; segments.length < count && !isOver; position++) {
      const bytes = Math.min(left, segmentBytes)
      if (bytes < FRAME_BYTES) throw unopened('the ciphertext ends before its final segment')
      const head = joinPieces(cut(FRAME_HEAD_BYTES))
      const marker = viewOf(head).getUint32(0)
      left -= bytes
      isOver = marker !== NOT_FINAL
      if (isOver ? marker !== bytes : bytes !== segmentBytes)
        throw unopened('a segment has another length than its frame says')
      if (isOver && (left > 0 || !(await reader.isAtEnd())))
        throw unopened('the ciphertext continues after its final segment')
      const end = start + bytes - FRAME_BYTES
      segments.push({
        iv: head.subarray(4),
        aad: segmentAad(position, isOver),
        input: cut(end - start),
        output: output.subarray(start, end),
        tag: joinPieces(cut(TAG_BYTES)),
      })
      start = end
    }
    return { key, segments, output }
  }
}
