/**
 * The entries of a log's last bundle, which later flushes write again with more. A copy that begins with the
 * bytes of the one before is not hashed again. The entries that one copy has lost may be in a later copy.
 */
import { sameBytes } from '../../../bytes.ts'
import { TILE_WIDTH, type Tile, tileName } from '../../tile.ts'
import { leafHash } from '../../tree.ts'
import type { FindInLog } from '../finding.ts'
import type { LogObjects } from './objects.ts'

const AT_ONCE = 4
/** A writer keeps at most 32 MiB between two checkpoints, and writes an open bundle of at most 16 MiB again. */
const MAX_STEP_BYTES = 64 * 1024 * 1024

/** Entries in order; undefined for a lost one. */
export type Batch = { readonly first: number; readonly entries: readonly (Buffer | undefined)[] }

/** One copy of a bundle. */
export type Copy = {
  readonly tile: Tile
  readonly bytes: Buffer | undefined
  /** Those before the last consistent checkpoint; empty if the copy begins as the one before it. */
  readonly old: readonly Buffer[]
  /** Those after it, and their hashes; undefined if the copy is unreadable. */
  readonly fresh: readonly (Buffer | undefined)[]
  readonly leaves: readonly (Buffer | undefined)[]
}

export class OpenBundle {
  readonly #objects: LogObjects
  readonly #find: FindInLog
  // Of the open bundle: the hash of each entry, and the bytes of a copy that has all of them.
  #leaves: Buffer[] = []
  #copy: Buffer = Buffer.alloc(0)
  // The entries from #first on that were not passed on yet.
  #entries: (Buffer | undefined)[] = []
  #first = 0

  constructor(objects: LogObjects, find: FindInLog) {
    this.#objects = objects
    this.#find = find
  }

  /** Reads bundles; `from` is the size of the log so far. */
  async read(tiles: readonly Tile[], from: number): Promise<readonly Copy[]> {
    const copies: Copy[] = []
    let budget = MAX_STEP_BYTES
    for (let start = 0; start < tiles.length; start += AT_ONCE) {
      const some = tiles.slice(start, start + AT_ONCE)
      const contents = await this.#objects.readTiles(some, budget)
      for (const bytes of contents) budget -= bytes?.byteLength ?? 0
      copies.push(...some.map((tile, i) => this.#parse(tile, contents[i], from)))
    }
    return copies
  }

  #parse(tile: Tile, bytes: Buffer | undefined, from: number): Copy {
    const known = Math.max(0, from - tile.index * TILE_WIDTH)
    const count = tile.width - known
    const isNext = known > 0 && bytes !== undefined && this.#begins(bytes)
    const entries = isNext
      ? this.#objects.split(tile, bytes.subarray(this.#copy.byteLength), count)
      : bytes && this.#objects.split(tile, bytes, tile.width)
    const fresh = isNext ? entries : entries?.slice(known)
    const lost = () => Array.from({ length: count }, () => undefined)
    return {
      tile,
      bytes: entries && bytes,
      old: isNext ? [] : (entries?.slice(0, known) ?? []),
      fresh: fresh ?? lost(),
      leaves: fresh?.map(leafHash) ?? lost(),
    }
  }

  #begins(bytes: Buffer): boolean {
    const { byteLength } = this.#copy
    return byteLength > 0 && bytes.byteLength > byteLength && this.#copy.equals(bytes.subarray(0, byteLength))
  }

  /** `leaves` are those of the entries up to `size`, under a consistent checkpoint. */
  accept(copies: readonly Copy[], leaves: readonly Buffer[], size: number): void {
    let at = 0
    for (const copy of copies) {
      const { tile, fresh, bytes } = copy
      const proved = leaves.slice(at, at + fresh.length)
      at += fresh.length
      this.#fill(copy)
      const altered = this.#append(copy, proved)
      this.#reportAltered(tile, [...this.#alteredOld(copy), ...altered])
      const whole =
        bytes !== undefined && altered.length === 0 && copy.old.every((entry, i) => this.#isAt(entry, i))
      this.#copy = whole && tile.width < TILE_WIDTH ? bytes : Buffer.alloc(0)
      this.#leaves = tile.width < TILE_WIDTH ? [...this.#leaves, ...proved] : []
    }
    if (size % TILE_WIDTH === 0) this.#leaves = []
  }

  /** A later copy gives the entries that earlier ones had lost. */
  #fill({ old }: Copy): void {
    const end = this.#first + this.#entries.length
    const start = end - this.#leaves.length
    for (const [i, entry] of old.entries()) {
      const place = start + i - this.#first
      if (place >= 0 && this.#entries[place] === undefined && this.#isAt(entry, i))
        this.#entries[place] = entry
    }
  }

  /** Returns the indexes of entries that differ from what is proved. */
  #append({ tile, fresh, leaves }: Copy, proved: readonly Buffer[]): number[] {
    const start = tile.index * TILE_WIDTH + tile.width - fresh.length
    const altered: number[] = []
    for (const [i, leaf] of proved.entries()) {
      const own = leaves[i]
      const isProved = own !== undefined && (own === leaf || sameBytes(own, leaf))
      this.#entries.push(isProved ? fresh[i] : undefined)
      if (own !== undefined && !isProved) altered.push(start + i)
    }
    return altered
  }

  #alteredOld({ tile, old }: Copy): number[] {
    return old.flatMap((entry, i) => (this.#isAt(entry, i) ? [] : [tile.index * TILE_WIDTH + i]))
  }

  #isAt(entry: Buffer, place: number): boolean {
    const leaf = this.#leaves[place]
    return leaf === undefined || sameBytes(leafHash(entry), leaf)
  }

  #reportAltered(tile: Tile, altered: readonly number[]): void {
    const [index] = altered
    const text = `${tileName(tile)}: entries differ from the logged ones: ${altered.join(', ')}`
    if (index !== undefined) this.#find('tile.altered', index, text)
  }

  /** A bundle that reaches beyond the last checkpoint, at `size`, must begin with the sealed entries. */
  async compareTail(tile: Tile, size: number): Promise<boolean> {
    const bytes = await this.#objects.readTile(tile)
    const entries = bytes && this.#objects.split(tile, bytes, tile.width)
    if (entries === undefined) return false
    if (tile.index === Math.floor(size / TILE_WIDTH))
      this.#reportAltered(tile, this.#alteredOld({ tile, bytes, old: entries, fresh: [], leaves: [] }))
    return true
  }

  /**
   * The entries that are known by now, in order. One that is lost is waited for until its bundle is full, or
   * the log has ended.
   */
  pass(ended: boolean): Batch | undefined {
    const first = this.#first
    const total = first + this.#entries.length
    const final = (ended ? total : Math.floor(total / TILE_WIDTH) * TILE_WIDTH) - first
    let count = 0
    for (const entry of this.#entries) {
      if (entry === undefined) {
        if (count >= final) break
        this.#find('entry.lost', first + count, `entry ${first + count} is lost`)
      }
      count += 1
    }
    if (count === 0) return undefined
    const entries = this.#entries.slice(0, count)
    this.#entries = this.#entries.slice(count)
    this.#first += count
    return { first, entries }
  }
}
