/**
 * Replays one log: its checkpoints in order, each compared with the entries and tiles under it. The root of a
 * checkpoint proves what it covers. An object that differs was altered, and is a finding.
 */
import { sameBytes } from '../../bytes.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { GrowingLog } from '../growth.ts'
import { newBundles, newHashTiles, TILE_WIDTH, type Tile, tileName } from '../tile.ts'
import { EMPTY_ROOT, HASH_BYTES, leafHash } from '../tree.ts'
import type { FindInLog } from './finding.ts'
import { type Bundle, LogObjects, type LogSource } from './logObjects.ts'

export type Replay = {
  /** Number of entries under the last consistent checkpoint, and its root. */
  readonly size: number
  readonly root: Buffer
  /** Number of entries after that checkpoint. */
  readonly unsealed: number
  /** The size of each signed checkpoint, by the SHA-256 of its note, as other documents name it. */
  readonly checkpoints: ReadonlyMap<string, number>
  /** The root of each signed checkpoint, by its size. */
  readonly roots: ReadonlyMap<number, Buffer>
}

type EntryReader = (index: number, bytes: Buffer | undefined) => void

/** Calls `entry` for each sealed entry in order, with undefined for a lost one. */
export async function replayLog(source: LogSource, find: FindInLog, entry: EntryReader): Promise<Replay> {
  const replay = new LogReplay(source, find, entry)
  for (const size of replay.sizes) await replay.advance(size)
  await replay.finish()
  return replay.outcome
}

class LogReplay {
  readonly #objects: LogObjects
  readonly #find: FindInLog
  readonly #entry: EntryReader

  // #log holds the hashes under the last consistent checkpoint. #leaves and #contents belong to its open
  // bundle. The entries of a bundle are passed on only when it is full or the log ends, so that a later copy
  // of the bundle can replace an altered one.
  #log = new GrowingLog()
  #leaves: Buffer[] = []
  #contents: (Buffer | undefined)[] = []
  #root: Buffer = EMPTY_ROOT
  #unsealed = 0

  constructor(source: LogSource, find: FindInLog, entry: EntryReader) {
    this.#objects = new LogObjects(source, find)
    this.#find = find
    this.#entry = entry
  }

  /** Sizes of the checkpoint objects, ascending. */
  get sizes(): readonly number[] {
    return this.#objects.sizes
  }

  get outcome(): Replay {
    const { checkpoints, roots } = this.#objects
    return { size: this.#log.size, root: this.#root, unsealed: this.#unsealed, checkpoints, roots }
  }

  /** Advances from the last consistent checkpoint to the one at `size`, unless that one is inconsistent. */
  async advance(size: number): Promise<void> {
    const from = this.#log.size
    const bundles = await this.#objects.readBundles(newBundles(from, size))
    const tiles = await this.#objects.readHashTiles(newHashTiles(from, size))
    const checkpoint = await this.#objects.readCheckpoint(size)
    if (checkpoint === undefined) return
    const fromEntries = bundles.flatMap(({ tile, entries }) => cut(tile, from, entries?.map(leafHash)))
    const fromTiles = newHashTiles(from, size)
      .filter(({ level }) => level === 0)
      .flatMap((tile) => cut(tile, from, hashesOf(tiles.get(tileName(tile)), tile.width)))
    const sources = [
      fromEntries,
      fromTiles,
      fromEntries.map((leaf, i) => leaf ?? fromTiles[i]),
      fromTiles.map((leaf, i) => leaf ?? fromEntries[i]),
    ]
    for (const leaves of sources) {
      if (leaves.length !== size - from || !leaves.every((leaf) => leaf !== undefined)) continue
      const log = this.#log.copy()
      const { root, hashTiles } = log.grow([], leaves)
      if (!sameBytes(root, checkpoint.root)) continue
      this.#accept(log, checkpoint, bundles, leaves)
      for (const { name, bytes } of hashTiles) {
        const stored = tiles.get(name)
        if (stored !== undefined && !sameBytes(stored, bytes))
          this.#find('tile.altered', size, `${name} does not hold the hashes under checkpoint ${size}`)
      }
      return
    }
    this.#find('checkpoint.inconsistent', size, `checkpoint ${size} does not cover the present entries`)
  }

  /** Passes on the remaining entries, and examines the objects that no checkpoint covers. */
  async finish(): Promise<void> {
    const unread = this.#objects.unread
    const bundles = unread.filter(({ level }) => level === 'entries')
    const within = bundles.filter((tile) => endOf(tile) <= this.#log.size)
    const beyond = bundles.filter((tile) => endOf(tile) > this.#log.size)
    for (const tile of within) {
      const text = `${tileName(tile)} was written for checkpoint ${endOf(tile)}, which is absent`
      this.#find('checkpoint.missing', endOf(tile), text)
    }
    for (const tile of unread)
      if (typeof tile.level === 'number' && !bundles.some((bundle) => isUnder(tile, endOf(bundle))))
        this.#find('object.unexpected', null, `${tileName(tile)} belongs to no checkpoint`)
    for (const { tile, name, entries } of await this.#objects.readBundles(beyond)) {
      if (entries !== undefined) this.#unsealed = Math.max(this.#unsealed, endOf(tile) - this.#log.size)
      this.#compare(tile, name, entries, this.#leaves)
    }
    this.#passOn(this.#contents.length)
  }

  #accept(
    log: GrowingLog,
    { size, root }: Checkpoint,
    bundles: readonly Bundle[],
    leaves: readonly Buffer[],
  ): void {
    const first = this.#log.size - this.#leaves.length
    const known = [...this.#leaves, ...leaves]
    const contents = [...this.#contents, ...leaves.map(() => undefined)]
    for (const { tile, name, entries } of bundles) {
      this.#compare(tile, name, entries, known, first)
      for (const [i, bytes] of (entries ?? []).entries()) {
        const at = tile.index * TILE_WIDTH + i - first
        const leaf = known[at]
        if (leaf !== undefined && sameBytes(leafHash(bytes), leaf)) contents[at] = bytes
      }
    }
    this.#log = log
    this.#leaves = known
    this.#contents = contents
    this.#root = root
    this.#passOn(this.#contents.length - (size % TILE_WIDTH))
  }

  /**
   * Reports a bundle with an entry other than the one under the checkpoint. `leaves` begin at index `first`.
   */
  #compare(
    tile: Tile,
    name: string,
    entries: readonly Buffer[] | undefined,
    leaves: readonly Buffer[],
    first = this.#log.size - leaves.length,
  ): void {
    const start = tile.index * TILE_WIDTH
    const altered = (entries ?? []).flatMap((bytes, i) => {
      const leaf = leaves[start + i - first]
      return leaf === undefined || sameBytes(leafHash(bytes), leaf) ? [] : [start + i]
    })
    const [index] = altered
    if (index !== undefined)
      this.#find('tile.altered', index, `${name}: entries differ from the logged ones: ${altered.join(', ')}`)
  }

  #passOn(count: number): void {
    const first = this.#log.size - this.#contents.length
    for (const [i, bytes] of this.#contents.slice(0, count).entries()) {
      if (bytes === undefined) this.#find('entry.lost', first + i, `entry ${first + i} is lost`)
      this.#entry(first + i, bytes)
    }
    this.#contents = this.#contents.slice(count)
    this.#leaves = this.#leaves.slice(count)
  }
}

/** The leaves of a tile from index `from` on; all undefined if the tile is unreadable. */
function cut(tile: Tile, from: number, leaves: readonly Buffer[] | undefined): (Buffer | undefined)[] {
  const known: readonly (Buffer | undefined)[] = leaves ?? Array.from({ length: tile.width }, () => undefined)
  return known.slice(Math.max(0, from - tile.index * TILE_WIDTH))
}

function hashesOf(bytes: Buffer | undefined, width: number): Buffer[] | undefined {
  if (bytes?.byteLength !== width * HASH_BYTES) return undefined
  return Array.from({ length: width }, (_, i) => bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES))
}

/** The size of the log for which a bundle was written. */
function endOf(bundle: Tile): number {
  return bundle.index * TILE_WIDTH + bundle.width
}

/** True if a log of `size` has this hash tile with this width. */
function isUnder({ level, index, width }: Tile, size: number): boolean {
  const hashes = Math.floor(size / TILE_WIDTH ** Number(level))
  return Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH) === width
}
