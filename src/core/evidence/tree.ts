/** The Merkle tree of RFC 9162 §2.1 (the same as in RFC 6962): its hashes, its root and its split. */
import { hash } from 'node:crypto'

const LEAF = 0
const NODE = 1

export const HASH_BYTES = 32
export const EMPTY_ROOT = hash('sha256', '', 'buffer')

// One call of `hash` takes half the time of a Hash object, and a log is almost nothing but hashes. The input
// of a node is filled and hashed without a step between.
const node = Buffer.alloc(1 + 2 * HASH_BYTES, NODE)

export function leafHash(entry: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + entry.byteLength)
  input[0] = LEAF
  input.set(entry, 1)
  return hash('sha256', input, 'buffer')
}

/** Of two hashes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  node.set(left, 1)
  node.set(right, 1 + HASH_BYTES)
  return hash('sha256', node, 'buffer')
}

/** MTH of RFC 9162 §2.1.1 over hashes of leaves, or of complete subtrees of equal height. */
export function rootOf(hashes: readonly Buffer[]): Buffer {
  const [first] = hashes
  if (first === undefined) return EMPTY_ROOT
  if (hashes.length === 1) return first
  const split = splitOf(hashes.length)
  return nodeHash(rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)))
}

/** The largest power of two smaller than `size` (k of RFC 9162 §2.1.1); `size` > 1. */
export function splitOf(size: number): number {
  let split = 1
  while (split * 2 < size) split *= 2
  return split
}
