/**
 * The names of one log's objects, taken as a stream: the sizes of its checkpoints, and the tiles that belong to
 * none of them.
 */
import { parseCheckpointName } from '../../checkpoint.ts'
import { parseTileName, TILE_WIDTH, type Tile, tileName } from '../../tile.ts'
import type { FindInLog } from '../finding.ts'

/** A writer that dies leaves the tiles of one flush. What is beyond is a finding at once. */
const MAX_STRAYS = 1024

export class LogSurvey {
  readonly boot: string
  /** Of the checkpoint objects, ascending. */
  readonly sizes: number[] = []
  /** Tiles under no checkpoint object. */
  readonly strays: Tile[] = []
  /** Number of bundles and tiles of leaf hashes. No honest checkpoint covers many more. */
  bundles = 0
  objects = 0
  readonly #find: FindInLog

  constructor(boot: string, find: FindInLog) {
    this.boot = boot
    this.#find = find
  }

  /** `name` is below `<boot>/`. Names come in ascending order, so those of checkpoints are before the tiles. */
  add(name: string): void {
    this.objects += 1
    const size = parseCheckpointName(name)
    const tile = size === undefined ? parseTileName(name) : undefined
    if (size !== undefined) this.sizes.push(size)
    else if (tile !== undefined) this.#addTile(tile)
    else if (name !== 'key') this.#find('object.unexpected', null, `${name} is not an object of a log`)
  }

  #addTile(tile: Tile): void {
    if (tile.level === 'entries' || tile.level === 0) this.bundles += 1
    if (this.#belongs(tile)) return
    if (this.strays.length < MAX_STRAYS) this.strays.push(tile)
    else this.#find('object.unexpected', null, `${tileName(tile)} belongs to no checkpoint`)
  }

  /** True if a log of one of the sizes has this tile with this width. */
  #belongs({ level, index, width }: Tile): boolean {
    const scale = TILE_WIDTH ** (level === 'entries' ? 0 : level)
    const first = (index * TILE_WIDTH + width) * scale
    const next = this.sizes[lowerBound(this.sizes, first)]
    return next !== undefined && (width === TILE_WIDTH || next < first + scale)
  }
}

/** The index of the first number that is not below `least`; the length if there is none. */
export function lowerBound(ascending: readonly number[], least: number): number {
  let low = 0
  let high = ascending.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ascending[middle] ?? 0) < least) low = middle + 1
    else high = middle
  }
  return low
}

/** The size of the log for which a bundle was written. */
export function endOf(bundle: Tile): number {
  return bundle.index * TILE_WIDTH + bundle.width
}

/** True if a log of `size` has this hash tile with this width. */
export function isUnder({ level, index, width }: Tile, size: number): boolean {
  const hashes = Math.floor(size / TILE_WIDTH ** Number(level))
  return Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH) === width
}
