/** Reads the tiles of one log. One that is absent, unreadable or too large is a finding. */
import type { ObjectReader } from '../../../objectReader.ts'
import { MAX_TILE_BYTES, parseBundle, type Tile, tileName } from '../../tile.ts'
import { type FindInLog, messageOf } from '../finding.ts'

export class LogObjects {
  readonly #boot: string
  readonly #objects: ObjectReader
  readonly #find: FindInLog
  // Reported since the last consistent checkpoint: the next one may need the same tiles.
  #reported = new Set<string>()

  constructor(boot: string, objects: ObjectReader, find: FindInLog) {
    this.#boot = boot
    this.#objects = objects
    this.#find = find
  }

  forgetReported(): void {
    if (this.#reported.size > 0) this.#reported = new Set()
  }

  /** `limit`: of each, in bytes. */
  async readTiles(tiles: readonly Tile[], limit = MAX_TILE_BYTES): Promise<readonly (Buffer | undefined)[]> {
    return await Promise.all(tiles.map((tile) => this.readTile(tile, limit)))
  }

  async readTile(tile: Tile, limit = MAX_TILE_BYTES): Promise<Buffer | undefined> {
    const name = tileName(tile)
    try {
      const maxBytes = Math.max(0, Math.min(limit, MAX_TILE_BYTES))
      const bytes = await this.#objects.read(`${this.#boot}/${name}`, maxBytes)
      if (bytes === undefined) this.#report('tile.missing', name, `${name} is absent`)
      return bytes
    } catch (error) {
      this.#report('tile.altered', name, `${name}: ${messageOf(error)}`)
      return undefined
    }
  }

  /** The entries in a bundle, or in the rest of one. */
  split(tile: Tile, bytes: Uint8Array, count: number): readonly Buffer[] | undefined {
    const name = tileName(tile)
    try {
      return parseBundle(bytes, count)
    } catch (error) {
      this.#report('tile.altered', name, `${name}: ${messageOf(error)}`)
      return undefined
    }
  }

  #report(code: 'tile.missing' | 'tile.altered', name: string, text: string): void {
    if (this.#reported.has(name)) return
    this.#reported.add(name)
    this.#find(code, null, text)
  }
}
