import { CodedError } from '#core/errors.ts'
import type { Segment, SegmentCipher } from './cipher.ts'
import {
  type FloeParameters,
  FRAME_BYTES,
  FRAME_HEAD_BYTES,
  NOT_FINAL,
  plaintextBytesOf,
  type RandomBytes,
  segmentAad,
  segmentsOf,
  startSealing,
} from './floe.ts'
import { createOutputBuffers, type Ownership } from './outputBuffers.ts'
import { type Chunks, lengthOf, type PieceReader, readPieces } from './pieces.ts'
import { BATCH_SEGMENTS, type Batch, runPipeline } from './pipeline.ts'

export type FloeSealing = {
  /** 32 bytes, the caller's. */
  readonly dek: Uint8Array
  readonly aad: Uint8Array
  /** Kept until sealed, so they must be the stream's to give. */
  readonly chunks: Chunks
  /** Bytes that `chunks` has together. */
  readonly size: number
  readonly cipher: SegmentCipher
  readonly random: RandomBytes
  readonly ownership: Ownership
  readonly parameters: FloeParameters
}

/**
 * The FLOE ciphertext, header first. Throws `input.changed` where `chunks` is shorter or longer than `size`, always before
 * the last bytes are out: what a consumer holds then is no complete ciphertext.
 */
export async function* sealFloe(sealing: FloeSealing): AsyncGenerator<Buffer, void, undefined> {
  const { dek, aad, cipher, random, parameters } = sealing
  const { header, keys } = startSealing(dek, aad, random, parameters)
  const buffers = createOutputBuffers(sealing.ownership)
  const reader = readPieces(sealing.chunks)
  const plaintextBytes = plaintextBytesOf(parameters)
  const segmentCount = segmentsOf(sealing.size, parameters)
  let position = 0

  const read = async (): Promise<Batch | undefined> => {
    if (position === segmentCount) return undefined
    const key = keys.segmentKey(position)
    const inputs: Uint8Array[][] = []
    const first = position
    while (position < segmentCount && inputs.length < BATCH_SEGMENTS && keys.segmentKey(position) === key) {
      const isFinal = ++position === segmentCount
      const bytes = isFinal ? sealing.size - (position - 1) * plaintextBytes : plaintextBytes
      inputs.push(await takeExactly(reader, bytes, isFinal))
    }
    const output = buffers.acquire(lengthOf(inputs.flat()) + inputs.length * FRAME_BYTES)
    const ivs = random(inputs.length * 12)
    let offset = 0
    const segments = inputs.map((input, index) => {
      const isFinal = first + index + 1 === segmentCount
      const bytes = lengthOf(input) + FRAME_BYTES
      const segment = output.subarray(offset, offset + bytes)
      offset += bytes
      segment.writeUInt32BE(isFinal ? bytes : NOT_FINAL)
      segment.set(ivs.subarray(index * 12, index * 12 + 12), 4)
      return frame(segment, input, segmentAad(first + index, isFinal))
    })
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

function frame(segment: Buffer, input: readonly Uint8Array[], aad: Buffer): Segment {
  const tagAt = segment.byteLength - 16
  return {
    iv: segment.subarray(4, FRAME_HEAD_BYTES),
    aad,
    input,
    output: segment.subarray(FRAME_HEAD_BYTES, tagAt),
    tag: segment.subarray(tagAt),
  }
}

async function takeExactly(reader: PieceReader, bytes: number, isFinal: boolean): Promise<Uint8Array[]> {
  const pieces = await reader.take(bytes)
  if (lengthOf(pieces) !== bytes)
    throw new CodedError('input.changed', 'the content is shorter than announced')
  if (isFinal && !(await reader.isAtEnd()))
    throw new CodedError('input.changed', 'the content is longer than announced')
  return pieces
}
