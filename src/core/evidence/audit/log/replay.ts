/**
 * Replays one log: its checkpoints in order, each compared with the entries and tiles under it. The root of a
 * checkpoint proves what it covers. An object that differs was altered, and is a finding.
 */
import { sameBytes } from '../../../bytes.ts'
import type { ObjectReader } from '../../../objectReader.ts'
import { GrowingTree } from '../../growth.ts'
import { newBundles, newHashTiles, TILE_WIDTH, type Tile, tileName } from '../../tile.ts'
import { EMPTY_ROOT, HASH_BYTES } from '../../tree.ts'
import type { FindInLog } from '../finding.ts'
import type { Checkpoints } from './checkpoints.ts'
import { LogObjects } from './objects.ts'
import { type Batch, OpenBundle } from './openBundle.ts'
import { endOf, isUnder, type LogSurvey } from './survey.ts'

/** No writer signs so many entries at once; a step of them is in memory. */
const MAX_STEP = 65_536
/** Of bundles that a checkpoint needs and that are not in the collection. */
const MAX_ABSENT = 1024

export type ReplaySource = {
  readonly survey: LogSurvey
  readonly checkpoints: Checkpoints
  readonly objects: ObjectReader
}

export class LogReplay {
  readonly #source: ReplaySource
  readonly #objects: LogObjects
  readonly #find: FindInLog
  // Hashes under the last consistent checkpoint, and the entries of its open bundle.
  #tree = new GrowingTree()
  readonly #open: OpenBundle
  #root: Buffer = EMPTY_ROOT
  #unsealed = 0

  constructor(source: ReplaySource, find: FindInLog) {
    this.#source = source
    this.#find = find
    this.#objects = new LogObjects(source.survey.boot, source.objects, find)
    this.#open = new OpenBundle(this.#objects, find)
  }

  /** Number of entries under the last consistent checkpoint. */
  get size(): number {
    return this.#tree.size
  }

  /** Of that checkpoint. */
  get root(): Buffer {
    return this.#root
  }

  /** Number of entries after that checkpoint. */
  get unsealed(): number {
    return this.#unsealed
  }

  /** Every sealed entry in order. */
  async *entries(): AsyncGenerator<Batch> {
    for (const size of this.#source.checkpoints.sizes) {
      await this.#advance(size)
      const batch = this.#open.pass(false)
      if (batch !== undefined) yield batch
    }
    await this.#finish()
    const rest = this.#open.pass(true)
    if (rest !== undefined) yield rest
  }

  /** Advances from the last consistent checkpoint to the one at `size`, unless that one is inconsistent. */
  async #advance(size: number): Promise<void> {
    const from = this.#tree.size
    const { survey, checkpoints } = this.#source
    const needed = Math.ceil((size - from) / TILE_WIDTH)
    if (size - from > MAX_STEP || needed > survey.bundles + MAX_ABSENT) {
      const text = `checkpoint ${size} covers ${size - from} entries more than the one before, and ${survey.bundles} bundles are present`
      this.#find('checkpoint.inconsistent', size, text)
      return
    }
    const expected = newHashTiles(from, size)
    const [stored, bundles] = await Promise.all([
      this.#objects.readTiles(expected),
      this.#open.read(newBundles(from, size), from),
    ])
    const tiles = new Map(expected.map((tile, i) => [tileName(tile), stored[i]]))
    const fromEntries = bundles.flatMap(({ leaves }) => leaves)
    const fromTiles = expected
      .filter(({ level }) => level === 0)
      .flatMap((tile) => hashesOf(tiles.get(tileName(tile)), tile, from))
    const root = checkpoints.rootAt(size)
    // Each source alone, then both together: one of them may have been altered or lost.
    const sources = [
      () => fromEntries,
      () => fromTiles,
      () => fromEntries.map((leaf, i) => leaf ?? fromTiles[i]),
      () => fromTiles.map((leaf, i) => leaf ?? fromEntries[i]),
    ]
    for (const source of sources) {
      const leaves = source()
      if (!isComplete(leaves, size - from)) continue
      const tree = this.#tree.copy()
      const grown = tree.grow(leaves)
      if (root === undefined || !sameBytes(grown.root, root)) continue
      this.#tree = tree
      this.#root = grown.root
      this.#open.accept(bundles, leaves, size)
      this.#objects.forgetReported()
      for (const { name, bytes } of grown.hashTiles) {
        const present = tiles.get(name)
        if (present !== undefined && !sameBytes(present, bytes))
          this.#find('tile.altered', size, `${name} does not hold the hashes under checkpoint ${size}`)
      }
      return
    }
    this.#find('checkpoint.inconsistent', size, `checkpoint ${size} does not cover the present entries`)
  }

  /** Examines the objects that no checkpoint covers. */
  async #finish(): Promise<void> {
    const { strays } = this.#source.survey
    const bundles = strays.filter(({ level }) => level === 'entries')
    for (const tile of bundles)
      if (endOf(tile) <= this.size) {
        const text = `${tileName(tile)} was written for checkpoint ${endOf(tile)}, which is absent`
        this.#find('checkpoint.missing', endOf(tile), text)
      }
    for (const tile of strays)
      if (typeof tile.level === 'number' && !bundles.some((bundle) => isUnder(tile, endOf(bundle))))
        this.#find('object.unexpected', null, `${tileName(tile)} belongs to no checkpoint`)
    for (const tile of bundles.filter((bundle) => endOf(bundle) > this.size))
      if (await this.#open.compareTail(tile, this.size))
        this.#unsealed = Math.max(this.#unsealed, endOf(tile) - this.size)
  }
}

function isComplete(leaves: readonly (Buffer | undefined)[], count: number): leaves is readonly Buffer[] {
  return leaves.length === count && leaves.every((leaf) => leaf !== undefined)
}

/** The hashes in a tile from leaf `from` on; all undefined if the tile is unreadable. */
function hashesOf(bytes: Buffer | undefined, { index, width }: Tile, from: number): (Buffer | undefined)[] {
  const readable = bytes?.byteLength === width * HASH_BYTES ? bytes : undefined
  const start = Math.max(0, from - index * TILE_WIDTH)
  return Array.from({ length: Math.max(0, width - start) }, (_, i) =>
    readable?.subarray((start + i) * HASH_BYTES, (start + i + 1) * HASH_BYTES),
  )
}
