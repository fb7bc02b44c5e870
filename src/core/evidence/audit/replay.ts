/**
 * One log, replayed: its checkpoints in order, each against the entries and tiles under it. What a checkpoint covers is
 * true because its root says so; an object that differs from it was altered, and is named.
 */
import { sameBytes } from '../../bytes.ts'
import type { Checkpoint } from '../checkpoint.ts'
import { GrowingLog } from '../growth.ts'
import { newBundles, newHashTiles, TILE_WIDTH, type Tile, tileName } from '../tile.ts'
import { EMPTY_ROOT, HASH_BYTES, leafHash } from '../tree.ts'
import type { FindingCode, Findings } from './finding.ts'
import { type Bundle, LogObjects, type LogSource } from './logObjects.ts'

export type Replay = {
  /** Entries under the last checkpoint that is true, and its root. */
  readonly size: number
  readonly root: Buffer
  /** Entries behind it. */
  readonly unsealed: number
  /** SHA-256 of the note of each signed checkpoint, and its size: what other documents refer to. */
  readonly checkpoints: ReadonlyMap<string, number>
  readonly roots: ReadonlyMap<number, Buffer>
}

type EntryReader = (index: number, bytes: Buffer | undefined) => void

/** Calls `entry` for each sealed entry in order, with undefined where it is lost. */
export async function replayLog(source: LogSource, findings: Findings, entry: EntryReader): Promise<Replay> {
  const replay = new LogReplay(source, findings, entry)
  for (const size of replay.sizes) await replay.advance(size)
  await replay.finish()
  return replay.outcome
}

class LogReplay {
  readonly #boot: string
  readonly #objects: LogObjects
  readonly #findings: Findings
  readonly #entry: EntryReader

  // #log holds the hashes under the last true checkpoint. #leaves and #contents are those of its open bundle: a
  // bundle's entries are handed on when it is full or the log ends, so that a later copy can replace an altered one.
  #log = new GrowingLog()
  #leaves: Buffer[] = []
  #contents: (Buffer | undefined)[] = []
  #root: Buffer = EMPTY_ROOT
  #unsealed = 0

  constructor(source: LogSource, findings: Findings, entry: EntryReader) {
    this.#boot = source.boot
    this.#objects = new LogObjects(source, findings)
    this.#findings = findings
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

  /** From the last true checkpoint to the one at `size`; stays where it is if that one is not true. */
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
    this.#find('checkpoint.inconsistent', size, `checkpoint ${size} is not over the entries that are there`)
  }

  /** Hands on what is left, and looks at the objects that no checkpoint accounts for. */
  async finish(): Promise<void> {
    const unread = this.#objects.unread
    const bundles = unread.filter(({ level }) => level === 'entries')
    const [within, beyond] = [
      bundles.filter((tile) => endOf(tile) <= this.#log.size),
      bundles.filter((tile) => endOf(tile) > this.#log.size),
    ]
    for (const tile of within)
      this.#find(
        'checkpoint.missing',
        endOf(tile),
        `${tileName(tile)} was written for checkpoint ${endOf(tile)}, which is not there`,
      )
    for (const tile of unread)
      if (typeof tile.level === 'number' && !bundles.some((bundle) => isUnder(tile, endOf(bundle))))
        this.#find('object.unexpected', null, `${tileName(tile)} belongs to no checkpoint`)
    for (const { tile, name, entries } of await this.#objects.readBundles(beyond)) {
      if (entries !== undefined) this.#unsealed = Math.max(this.#unsealed, endOf(tile) - this.#log.size)
      this.#compare(tile, name, entries, this.#leaves)
    }
    this.#handOn(this.#contents.length)
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
    this.#handOn(this.#contents.length - (size % TILE_WIDTH))
  }

  /** Names the bundle if an entry in it is not the one under the checkpoint. `leaves` begin at index `first`. */
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
      this.#find('tile.altered', index, `${name}: not the entries that were logged: ${altered.join(', ')}`)
  }

  #handOn(count: number): void {
    const first = this.#log.size - this.#contents.length
    for (const [i, bytes] of this.#contents.slice(0, count).entries()) {
      if (bytes === undefined) this.#find('entry.lost', first + i, `entry ${first + i} is lost`)
      this.#entry(first + i, bytes)
    }
    this.#contents = this.#contents.slice(count)
    this.#leaves = this.#leaves.slice(count)
  }

  #find(code: FindingCode, index: number | null, text: string): void {
    this.#findings.add(code, this.#boot, index, text)
  }
}

/** The leaves of a tile from index `from` on; undefined for each where the tile cannot be read. */
function cut(tile: Tile, from: number, leaves: readonly Buffer[] | undefined): (Buffer | undefined)[] {
  const known: readonly (Buffer | undefined)[] = leaves ?? Array.from({ length: tile.width }, () => undefined)
  return known.slice(Math.max(0, from - tile.index * TILE_WIDTH))
}

function hashesOf(bytes: Buffer | undefined, width: number): Buffer[] | undefined {
  if (bytes?.byteLength !== width * HASH_BYTES) return undefined
  return Array.from({ length: width }, (_, i) => bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES))
}

/** The size of a log at which a bundle has its width. */
function endOf(bundle: Tile): number {
  return bundle.index * TILE_WIDTH + bundle.width
}

/** Whether a log of `size` has this hash tile in this width. */
function isUnder({ level, index, width }: Tile, size: number): boolean {
  const hashes = Math.floor(size / TILE_WIDTH ** Number(level))
  return Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH) === width
}
