/**
 * A growing log: new entries give the objects that hold them. It is deterministic: a writer that repeats
 * itself writes the same bytes, and an auditor who replays the entries gets the objects that must exist.
 */
import { CodedError } from '../errors.ts'
import {
  edgeTiles,
  encodeBundle,
  newBundles,
  newHashTiles,
  TILE_HEIGHT,
  TILE_WIDTH,
  tileName,
} from './tile.ts'
import { EMPTY_ROOT, HASH_BYTES, leafHash, nodeHash, rootOf } from './tree.ts'

export type LogObject = { readonly name: string; readonly bytes: Buffer }

export type TreeGrowth = {
  readonly size: number
  readonly root: Buffer
  readonly hashTiles: readonly LogObject[]
}
export type Growth = TreeGrowth & { readonly bundles: readonly LogObject[] }

/** The right edge of a tiled tree. Everything to the left of it is final. */
export class GrowingTree {
  // #edge[level] holds the hashes of that level's rightmost tile, fewer than 256 between two calls.
  // #subtrees[height] is the complete subtree of 2^height leaves that the size has, if it has one: the bits of
  // a binary counter.
  readonly #edge: Buffer[][] = []
  readonly #subtrees: (Buffer | undefined)[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The tree at `size`, from the tiles that `edgeTiles` names. Throws `evidence.malformed`. */
  static resume(size: number, tiles: readonly Uint8Array[]): GrowingTree {
    const tree = new GrowingTree()
    tree.#size = size
    for (const [i, { level, width }] of edgeTiles(size).entries()) {
      const bytes = tiles[i]
      if (bytes?.byteLength !== width * HASH_BYTES || level === 'entries')
        throw new CodedError('evidence.malformed', `a hash tile of level ${level} has not ${width} hashes`)
      const hashes = Array.from({ length: width }, (_, n) =>
        Buffer.from(bytes.subarray(n * HASH_BYTES, (n + 1) * HASH_BYTES)),
      )
      while (tree.#edge.length < level) tree.#edge.push([])
      tree.#edge[level] = hashes
      tree.#resumeSubtrees(level, hashes)
    }
    return tree
  }

  /** The largest subtree is the leftmost. */
  #resumeSubtrees(level: number, hashes: readonly Buffer[]): void {
    let end = hashes.length
    for (let height = 0; end > 0; height += 1) {
      const width = 2 ** height
      if (end % (2 * width) === 0) continue
      this.#subtrees[level * TILE_HEIGHT + height] = rootOf(hashes.slice(end - width, end))
      end -= width
    }
  }

  get root(): Buffer {
    return this.#root()
  }

  /** The root of a full tile of level 0, if the tile of level 1 over it is not full yet. */
  tileHash(index: number): Buffer | undefined {
    const tiles = Math.floor(this.#size / TILE_WIDTH)
    return this.#edge[1]?.[index - (tiles - (tiles % TILE_WIDTH))]
  }

  /** The hash of an entry, if its tile is not full yet. */
  leafAt(index: number): Buffer | undefined {
    return this.#edge[0]?.[index - (this.#size - (this.#size % TILE_WIDTH))]
  }

  copy(): GrowingTree {
    const copy = new GrowingTree()
    copy.#edge.push(...this.#edge.map((hashes) => [...hashes]))
    copy.#subtrees.push(...this.#subtrees)
    copy.#size = this.#size
    return copy
  }

  /** Appends the hashes of entries and returns the hash tiles that are new at the new size. */
  grow(leaves: readonly Buffer[]): TreeGrowth {
    const from = this.#size
    const contents = new Map<string, Buffer>()
    for (const leaf of leaves) this.#append(leaf, contents)
    this.#keepPartial(contents)
    const hashTiles = newHashTiles(from, this.#size)
      .map(tileName)
      .map((name) => ({ name, bytes: contents.get(name) ?? Buffer.alloc(0) }))
    return { size: this.#size, root: this.#root(), hashTiles }
  }

  #append(leaf: Buffer, contents: Map<string, Buffer>): void {
    this.#size += 1
    let height = 0
    let subtree = leaf
    this.#keep(0, leaf, contents)
    for (let left = this.#subtrees[0]; left !== undefined; left = this.#subtrees[height]) {
      subtree = nodeHash(left, subtree)
      this.#subtrees[height] = undefined
      height += 1
      if (height % TILE_HEIGHT === 0) this.#keep(height / TILE_HEIGHT, subtree, contents)
    }
    this.#subtrees[height] = subtree
  }

  #keep(level: number, hash: Buffer, contents: Map<string, Buffer>): void {
    const hashes = this.#edge[level] ?? []
    hashes.push(hash)
    this.#edge[level] = hashes
    if (hashes.length < TILE_WIDTH) return
    const index = this.#size / TILE_WIDTH ** (level + 1) - 1
    contents.set(tileName({ level, index, width: TILE_WIDTH }), Buffer.concat(hashes))
    this.#edge[level] = []
  }

  #keepPartial(contents: Map<string, Buffer>): void {
    for (const [level, hashes] of this.#edge.entries()) {
      const index = Math.floor(this.#size / TILE_WIDTH ** (level + 1))
      if (hashes.length > 0)
        contents.set(tileName({ level, index, width: hashes.length }), Buffer.concat(hashes))
    }
  }

  /** Folds the complete subtrees, smallest and rightmost first: MTH splits off the largest on the left. */
  #root(): Buffer {
    let root: Buffer | undefined
    for (const subtree of this.#subtrees)
      if (subtree !== undefined) root = root === undefined ? subtree : nodeHash(subtree, root)
    return root ?? EMPTY_ROOT
  }
}

/** A tree, and the entries of its last bundle. */
export class GrowingLog {
  readonly #tree = new GrowingTree()
  #bundle: Uint8Array[] = []

  get size(): number {
    return this.#tree.size
  }

  /** Appends the entries and returns the objects that are new at the new size. */
  grow(entries: readonly Uint8Array[]): Growth {
    const from = this.size
    const grown = this.#tree.grow(entries.map(leafHash))
    const first = from - this.#bundle.length
    const known = [...this.#bundle, ...entries]
    const bundles = newBundles(from, grown.size).map((tile) => {
      const start = tile.index * TILE_WIDTH - first
      return { name: tileName(tile), bytes: encodeBundle(known.slice(start, start + tile.width)) }
    })
    this.#bundle = known.slice(known.length - (grown.size % TILE_WIDTH))
    return { ...grown, bundles }
  }
}
