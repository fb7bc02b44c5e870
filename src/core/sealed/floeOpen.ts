import type { Segment, SegmentCipher } from './cipher.ts'
import {
  FLOE_HEADER_BYTES,
  type FloeParameters,
  FRAME_BYTES,
  FRAME_HEAD_BYTES,
  NOT_FINAL,
  segmentAad,
  startOpening,
  unopened,
} from './floe.ts'
import { createOutputBuffers, type Ownership } from './outputBuffers.ts'
import { type Chunks, lengthOf, type PieceReader, readPieces, splitEnd } from './pieces.ts'
import { BATCH_SEGMENTS, type Batch, runPipeline } from './pipeline.ts'

export type FloeOpening = {
  /** 32 bytes, the caller's. */
  readonly dek: Uint8Array
  readonly aad: Uint8Array
  /** The ciphertext from its FLOE header on; kept until opened, so they must be the stream's to give. */
  readonly chunks: Chunks
  readonly cipher: SegmentCipher
  readonly ownership: Ownership
  readonly parameters: FloeParameters
}

type Frame = { readonly iv: Buffer; readonly rest: Uint8Array[]; readonly isFinal: boolean }

/**
 * The plaintext; no byte of a segment before the segment is authentic. It is whole only when the stream ends without an
 * error: `object.unopened` for whatever was cut, extended, moved or changed.
 */
export async function* openFloe(opening: FloeOpening): AsyncGenerator<Buffer, void, undefined> {
  const { dek, aad, cipher, parameters } = opening
  const reader = readPieces(opening.chunks)
  const buffers = createOutputBuffers(opening.ownership)
  try {
    const header = Buffer.concat(await reader.take(FLOE_HEADER_BYTES))
    const keys = startOpening(dek, aad, header, parameters)
    try {
      let position = 0
      let isOver = false
      const read = async (): Promise<Batch | undefined> => {
        if (isOver) return undefined
        const key = keys.segmentKey(position)
        const first = position
        const frames: Frame[] = []
        while (!isOver && frames.length < BATCH_SEGMENTS && keys.segmentKey(position) === key) {
          const frame = await readFrame(reader, parameters.segmentBytes)
          frames.push(frame)
          isOver = frame.isFinal
          position++
        }
        const bytes = frames.reduce((sum, { rest }) => sum + lengthOf(rest) - 16, 0)
        const output = buffers.acquire(bytes)
        let offset = 0
        const segments = frames.map(({ iv, rest, isFinal }, index): Segment => {
          const { head, end } = splitEnd(rest, 16)
          const start = offset
          offset += lengthOf(head)
          return {
            iv,
            aad: segmentAad(first + index, isFinal),
            input: head,
            output: output.subarray(start, offset),
            tag: end,
          }
        })
        return { key, segments, output }
      }
      const work = async ({ key, segments }: Batch): Promise<void> => {
        if (!(await cipher.open(key, segments))) throw unopened('a segment is not authentic')
      }
      yield* runPipeline({ read, work, buffers })
    } finally {
      keys.wipe()
    }
  } finally {
    reader.close()
    buffers.close()
  }
}

/** One segment as its length field frames it; its place and its end are the tag's to prove. */
async function readFrame(reader: PieceReader, segmentBytes: number): Promise<Frame> {
  const head = Buffer.concat(await reader.take(FRAME_HEAD_BYTES))
  const rest = await reader.take(segmentBytes - FRAME_HEAD_BYTES)
  const bytes = head.byteLength + lengthOf(rest)
  if (bytes < FRAME_BYTES) throw unopened('the ciphertext ends before its final segment')
  const marker = head.readUInt32BE()
  const isFinal = marker !== NOT_FINAL
  if (isFinal ? marker !== bytes : bytes !== segmentBytes) throw unopened('a segment is not of its length')
  if (isFinal && !(await reader.isAtEnd())) throw unopened('the ciphertext goes on after its final segment')
  return { iv: head.subarray(4), rest, isFinal }
}
