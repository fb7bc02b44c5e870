/**
 * A growing log: new entries give the objects that hold them. It is deterministic: a writer that repeats
 * itself writes the same bytes, and an auditor who replays the entries gets the objects that must exist.
 */
import { encodeBundle, newBundles, newHashTiles, TILE_WIDTH, type Tile, tileName } from './tile.ts'
import { EMPTY_ROOT, leafHash, nodeHash, rootOf } from './tree.ts'

export type LogObject = { readonly name: string; readonly bytes: Buffer }

export type Growth = {
  readonly size: number
  readonly root: Buffer
  readonly bundles: readonly LogObject[]
  readonly hashTiles: readonly LogObject[]
}

/** The right edge of a tiled tree: the tiles that are not full, and the entries of the last bundle. */
export class GrowingLog {
  // #edge[level] holds the hashes of that level's rightmost tile, fewer than 256 between two calls. #bundle
  // holds the entries under #edge[0]. Everything to the left of them is full and final.
  readonly #edge: Buffer[][] = [[]]
  #bundle: Uint8Array[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  copy(): GrowingLog {
    const copy = new GrowingLog()
    copy.#edge.splice(0, 1, ...this.#edge.map((hashes) => [...hashes]))
    copy.#bundle = [...this.#bundle]
    copy.#size = this.#size
    return copy
  }

  /**
   * Appends the entries and returns the objects that are new at the new size. `leaves` are the entries'
   * hashes.
   */
  grow(entries: readonly Uint8Array[], leaves: readonly Buffer[] = entries.map(leafHash)): Growth {
    const from = this.#size
    const contents = new Map<string, Buffer>()
    for (const [i, leaf] of leaves.entries()) this.#append(entries[i] ?? new Uint8Array(), leaf, contents)
    this.#keepPartial(contents)
    const objects = (tiles: readonly Tile[]) =>
      tiles.map(tileName).map((name) => ({ name, bytes: contents.get(name) ?? Buffer.alloc(0) }))
    return {
      size: this.#size,
      root: this.#root(),
      bundles: objects(newBundles(from, this.#size)),
      hashTiles: objects(newHashTiles(from, this.#size)),
    }
  }

  #append(entry: Uint8Array, leaf: Buffer, contents: Map<string, Buffer>): void {
    this.#bundle.push(entry)
    this.#edge[0]?.push(leaf)
    this.#size += 1
    let scale = TILE_WIDTH
    for (const [level, hashes] of this.#edge.entries()) {
      if (hashes.length < TILE_WIDTH) break
      const index = this.#size / scale - 1
      contents.set(tileName({ level, index, width: TILE_WIDTH }), Buffer.concat(hashes))
      this.#edge[level + 1] ??= []
      this.#edge[level + 1]?.push(rootOf(hashes))
      this.#edge[level] = []
      scale *= TILE_WIDTH
    }
    if (this.#bundle.length === TILE_WIDTH) {
      const index = this.#size / TILE_WIDTH - 1
      contents.set(tileName({ level: 'entries', index, width: TILE_WIDTH }), encodeBundle(this.#bundle))
      this.#bundle = []
    }
  }

  #keepPartial(contents: Map<string, Buffer>): void {
    let scale = TILE_WIDTH
    for (const [level, hashes] of this.#edge.entries()) {
      const index = Math.floor(this.#size / scale)
      if (hashes.length > 0)
        contents.set(tileName({ level, index, width: hashes.length }), Buffer.concat(hashes))
      scale *= TILE_WIDTH
    }
    const index = Math.floor(this.#size / TILE_WIDTH)
    const width = this.#bundle.length
    if (width > 0) contents.set(tileName({ level: 'entries', index, width }), encodeBundle(this.#bundle))
  }

  /** Folds the complete subtrees, smallest and rightmost first: MTH splits off the largest on the left. */
  #root(): Buffer {
    let root: Buffer | undefined
    for (const hashes of this.#edge) {
      let end = hashes.length
      for (let height = 1; height <= end; height *= 2) {
        if (end % (height * 2) === 0) continue
        const subtree = rootOf(hashes.slice(end - height, end))
        root = root === undefined ? subtree : nodeHash(subtree, root)
        end -= height
      }
    }
    return root ?? EMPTY_ROOT
  }
}
