/** The Merkle tree of RFC 9162 §2.1 (the same as in RFC 6962): its hashes, its root and its split. */
import { sha256 } from '../bytes.ts'

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)

export const HASH_BYTES = 32
export const EMPTY_ROOT = sha256()

export function leafHash(entry: Uint8Array): Buffer {
  return sha256(LEAF, entry)
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return sha256(NODE, left, right)
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
