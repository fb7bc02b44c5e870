/**
 * Inclusion and consistency proofs, RFC 9162 §2.1.3 and §2.1.4. Verification needs only the hashes in the
 * proof.
 */
import { sameBytes } from '../bytes.ts'
import { EMPTY_ROOT, HASH_BYTES, nodeHash, rootOf, splitOf } from './tree.ts'

export type TreeHead = { readonly size: number; readonly root: Uint8Array }

/** PATH of §2.1.3.1, for the leaf at `index`. Throws `RangeError` if there is no such leaf. */
export function inclusionProof(leaves: readonly Buffer[], index: number): Buffer[] {
  if (!(index >= 0 && index < leaves.length)) throw new RangeError('no such leaf')
  if (leaves.length === 1) return []
  const split = splitOf(leaves.length)
  const left = leaves.slice(0, split)
  const right = leaves.slice(split)
  return index < split
    ? [...inclusionProof(left, index), rootOf(right)]
    : [...inclusionProof(right, index - split), rootOf(left)]
}

/**
 * PROOF of §2.1.4.1 that the first `size` leaves are a prefix of all. Throws `RangeError` for a larger
 * `size`.
 */
export function consistencyProof(leaves: readonly Buffer[], size: number): Buffer[] {
  if (!(size >= 0 && size <= leaves.length)) throw new RangeError('no such size')
  return size === 0 ? [] : subproof(leaves, size, true)
}

function subproof(leaves: readonly Buffer[], size: number, complete: boolean): Buffer[] {
  if (size === leaves.length) return complete ? [] : [rootOf(leaves)]
  const split = splitOf(leaves.length)
  const left = leaves.slice(0, split)
  const right = leaves.slice(split)
  return size <= split
    ? [...subproof(left, size, complete), rootOf(right)]
    : [...subproof(right, size - split, false), rootOf(left)]
}

/** §2.1.3.2. Returns false for a proof of any other shape and never throws. */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  tree: TreeHead,
  proof: readonly Uint8Array[],
): boolean {
  if (!isSize(index) || !isSize(tree.size) || index >= tree.size) return false
  if (![leaf, tree.root, ...proof].every(isHash)) return false
  const walk = { fn: index, sn: tree.size - 1 }
  let root = leaf
  for (const hash of proof) {
    if (walk.sn === 0) return false
    if (isRight(walk)) {
      root = nodeHash(hash, root)
      climbToRight(walk)
    } else root = nodeHash(root, hash)
    climb(walk)
  }
  return walk.sn === 0 && sameBytes(root, tree.root)
}

/**
 * §2.1.4.2. The empty tree is consistent with every tree, by the empty proof (as in c2sp.org/tlog-witness).
 * The RFC does not cover that case.
 */
export function verifyConsistency(older: TreeHead, newer: TreeHead, proof: readonly Uint8Array[]): boolean {
  if (!isSize(older.size) || !isSize(newer.size) || older.size > newer.size) return false
  if (![older.root, newer.root, ...proof].every(isHash)) return false
  if (older.size === newer.size)
    return proof.length === 0 && sameBytes(older.root, newer.root) && isEmptyIfZero(older)
  if (older.size === 0) return proof.length === 0 && isEmptyIfZero(older)
  const [first, ...rest] = isPowerOfTwo(older.size) ? [older.root, ...proof] : proof
  // A complete older tree is its own first hash, but the proof must still not be empty.
  if (proof.length === 0 || first === undefined) return false
  const walk = { fn: older.size - 1, sn: newer.size - 1 }
  while (walk.fn % 2 === 1) climb(walk)
  let olderRoot = first
  let newerRoot = first
  for (const hash of rest) {
    if (walk.sn === 0) return false
    if (isRight(walk)) {
      olderRoot = nodeHash(hash, olderRoot)
      newerRoot = nodeHash(hash, newerRoot)
      climbToRight(walk)
    } else newerRoot = nodeHash(newerRoot, hash)
    climb(walk)
  }
  return walk.sn === 0 && sameBytes(olderRoot, older.root) && sameBytes(newerRoot, newer.root)
}

/**
 * `fn` and `sn` of the RFC: the index of this node in its level, and of the level's last. Sizes exceed 32
 * bits.
 */
type Walk = { fn: number; sn: number }

function climb(walk: Walk): void {
  walk.fn = Math.floor(walk.fn / 2)
  walk.sn = Math.floor(walk.sn / 2)
}

/** "If LSB(fn) is not set, right-shift both until it is, or fn is 0." */
function climbToRight(walk: Walk): void {
  while (walk.fn % 2 === 0 && walk.fn !== 0) climb(walk)
}

function isRight({ fn, sn }: Walk): boolean {
  return fn % 2 === 1 || fn === sn
}

function isPowerOfTwo(size: number): boolean {
  return Number.isInteger(Math.log2(size))
}

function isEmptyIfZero({ size, root }: TreeHead): boolean {
  return size !== 0 || sameBytes(root, EMPTY_ROOT)
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function isHash(hash: Uint8Array): boolean {
  return hash.byteLength === HASH_BYTES
}
