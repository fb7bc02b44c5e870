/** The Merkle tree hash of RFC 9162 §2.1.1, as the recursion that it is defined by. */
import { createHash } from 'node:crypto'

const LEAF = Buffer.from([0])
const NODE = Buffer.from([1])

export function rootOf(entries: readonly Buffer[]): Buffer {
  const [only] = entries
  if (only === undefined) return sha256()
  if (entries.length === 1) return sha256(LEAF, only)
  let half = 1
  while (half * 2 < entries.length) half *= 2
  return sha256(NODE, rootOf(entries.slice(0, half)), rootOf(entries.slice(half)))
}

export function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
