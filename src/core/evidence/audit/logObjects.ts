/** The objects of one log in the collection. An unreadable object is a finding. */
import { fromUtf8 } from '../../bytes.ts'
import { CodedError } from '../../errors.ts'
import type { ObjectReader } from '../../objectReader.ts'
import { type Checkpoint, checkpointName, openCheckpoint, parseCheckpointName } from '../checkpoint.ts'
import { type NoteKey, noteDigest } from '../note.ts'
import { MAX_TILE_BYTES, parseBundle, parseTileName, type Tile, tileName } from '../tile.ts'
import { type FindInLog, messageOf } from './finding.ts'

const MAX_NOTE_BYTES = 16_384

export type LogSource = {
  readonly boot: string
  readonly key: NoteKey
  readonly objects: ObjectReader
  /** All names below `<boot>/`, without that prefix. */
  readonly names: readonly string[]
}

/** `entries` is undefined if the bundle is absent or malformed. */
export type Bundle = {
  readonly tile: Tile
  readonly name: string
  readonly entries: readonly Buffer[] | undefined
}

export class LogObjects {
  readonly #source: LogSource
  readonly #find: FindInLog
  /** Sizes of the checkpoint objects, ascending. */
  readonly sizes: readonly number[]
  /** The size of each signed checkpoint, by the SHA-256 of its note. */
  readonly checkpoints = new Map<string, number>()
  /** The root of each signed checkpoint, by its size. */
  readonly roots = new Map<number, Buffer>()
  // The names of tiles that were not read yet, and of those that were absent when read.
  readonly #unread = new Set<string>()
  readonly #absent = new Set<string>()

  constructor(source: LogSource, find: FindInLog) {
    this.#source = source
    this.#find = find
    const sizes: number[] = []
    for (const name of source.names) {
      const size = parseCheckpointName(name)
      if (size !== undefined) sizes.push(size)
      else if (parseTileName(name) !== undefined) this.#unread.add(name)
      else if (name !== 'key') this.#find('object.unexpected', null, `${name} is not an object of a log`)
    }
    this.sizes = sizes.sort((a, b) => a - b)
  }

  /** The tiles and bundles not read so far. */
  get unread(): readonly Tile[] {
    return [...this.#unread].flatMap((name) => parseTileName(name) ?? [])
  }

  async readCheckpoint(size: number): Promise<Checkpoint | undefined> {
    const { boot, key, objects } = this.#source
    const name = checkpointName(size)
    try {
      const bytes = (await objects.read(`${boot}/${name}`, MAX_NOTE_BYTES)) ?? Buffer.alloc(0)
      const note = fromUtf8(bytes, name)
      const checkpoint = openCheckpoint(note, key)
      if (checkpoint.size !== size)
        throw new CodedError('evidence.inconsistent', `its size is ${checkpoint.size}`)
      this.checkpoints.set(noteDigest(note), size)
      this.roots.set(size, checkpoint.root)
      return checkpoint
    } catch (error) {
      this.#find('checkpoint.invalid', size, `${name}: ${messageOf(error)}`)
      return undefined
    }
  }

  async readBundles(tiles: readonly Tile[]): Promise<Bundle[]> {
    const bundles: Bundle[] = []
    for (const tile of tiles) {
      const name = tileName(tile)
      const bytes = await this.#read(name)
      bundles.push({ tile, name, entries: bytes === undefined ? undefined : this.#split(name, bytes, tile) })
    }
    return bundles
  }

  /** The contents of the tiles that are present, by name. */
  async readHashTiles(tiles: readonly Tile[]): Promise<ReadonlyMap<string, Buffer>> {
    const contents = new Map<string, Buffer>()
    for (const tile of tiles) {
      const name = tileName(tile)
      const bytes = await this.#read(name)
      if (bytes !== undefined) contents.set(name, bytes)
    }
    return contents
  }

  async #read(name: string): Promise<Buffer | undefined> {
    this.#unread.delete(name)
    try {
      const bytes = await this.#source.objects.read(`${this.#source.boot}/${name}`, MAX_TILE_BYTES)
      if (bytes === undefined && !this.#absent.has(name)) {
        this.#absent.add(name)
        this.#find('tile.missing', null, `${name} is absent`)
      }
      return bytes
    } catch (error) {
      this.#find('tile.altered', null, `${name}: ${messageOf(error)}`)
      return undefined
    }
  }

  #split(name: string, bytes: Buffer, tile: Tile): Buffer[] | undefined {
    try {
      return parseBundle(bytes, tile.width)
    } catch (error) {
      this.#find('tile.altered', null, `${name}: ${messageOf(error)}`)
      return undefined
    }
  }
}
