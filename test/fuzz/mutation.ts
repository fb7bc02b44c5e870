/** Changes to bytes of any format: bits, ranges and numbers at the edges of their types. */
import type { Random } from './random.ts'

const EDGES = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x100n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x1_0000n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffe0n,
  0xffff_fffen,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_ffff_ffff_ffffn,
]

/** A number at or next to an edge, or any number: `size` bytes, little-endian unless `big`. */
export function edgeNumber(size: number, random: Random, big = random.oneIn(4)): Buffer {
  const bytes = Buffer.alloc(Math.max(size, 8))
  const near = random.oneIn(8)
    ? BigInt(random.u32()) << BigInt(random.below(33))
    : random.pick(EDGES) + BigInt(random.below(3)) - 1n
  bytes.writeBigUInt64LE(BigInt.asUintN(64, near))
  const number = bytes.subarray(0, size)
  return big ? number.reverse() : number
}

type Change = (bytes: Buffer, random: Random) => Buffer

const CHANGES: readonly Change[] = [
  // Twice, since a parser of fields overlooks a single bit most easily.
  flipBit,
  flipBit,
  (bytes, random) => overwrite(bytes, random.bytes(1), random),
  (bytes, random) => overwrite(bytes, edgeNumber(random.pick([1, 2, 4, 8]), random), random),
  (bytes, random) => overwrite(bytes, Buffer.alloc(random.few(64), random.pick([0, 0xff, 0x80])), random),
  (bytes, random) => overwrite(bytes, rangeOf(bytes, random), random),
  (bytes, random) => bytes.subarray(0, random.below(bytes.byteLength + 1)),
  (bytes, random) => bytes.subarray(random.few(bytes.byteLength + 1)),
  (bytes, random) => Buffer.concat([bytes, random.bytes(random.few(32))]),
  (bytes, random) => insert(bytes, random.bytes(random.few(16)), random),
  (bytes, random) => insert(bytes, rangeOf(bytes, random), random),
  remove,
]

/** Makes one to three changes in a copy of the bytes. */
export function mutate(bytes: Buffer, random: Random): Buffer {
  let mutated = bytes
  for (let left = random.few(3); left > 0; left -= 1) mutated = random.pick(CHANGES)(mutated, random)
  return mutated
}

function flipBit(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes)
  const at = random.below(copy.byteLength)
  const byte = copy[at]
  if (byte !== undefined) copy[at] = byte ^ (1 << random.below(8))
  return copy
}

function overwrite(bytes: Buffer, value: Uint8Array, random: Random): Buffer {
  const copy = Buffer.from(bytes)
  copy.set(
    value.subarray(0, copy.byteLength),
    random.below(Math.max(1, copy.byteLength - value.byteLength + 1)),
  )
  return copy
}

function insert(bytes: Buffer, value: Uint8Array, random: Random): Buffer {
  const at = random.below(bytes.byteLength + 1)
  return Buffer.concat([bytes.subarray(0, at), value, bytes.subarray(at)])
}

function remove(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.byteLength + 1)
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.few(64))])
}

function rangeOf(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.byteLength + 1)
  return bytes.subarray(at, at + random.few(256))
}
