/** The objects of one log, as they lie in the collection; whatever cannot be read is named. */
import { fromUtf8 } from '../../bytes.ts'
import { CodedError } from '../../errors.ts'
import { type Checkpoint, checkpointName, openCheckpoint, parseCheckpointName } from '../checkpoint.ts'
import { type NoteKey, noteDigest } from '../note.ts'
import { MAX_TILE_BYTES, parseBundle, parseTileName, type Tile, tileName } from '../tile.ts'
import type { Shelf } from './collection.ts'
import type { FindingCode, Findings } from './finding.ts'

const MAX_NOTE_BYTES = 16_384

export type LogSource = {
  readonly boot: string
  readonly key: NoteKey
  readonly shelf: Shelf
  /** All names below `<boot>/`, without it. */
  readonly names: readonly string[]
}

/** `entries` is undefined where the bundle is absent or malformed. */
export type Bundle = {
  readonly tile: Tile
  readonly name: string
  readonly entries: readonly Buffer[] | undefined
}

export class LogObjects {
  readonly #source: LogSource
  readonly #findings: Findings
  /** Sizes of the checkpoint objects, ascending. */
  readonly sizes: readonly number[]
  /** Of each signed checkpoint: the SHA-256 of its note with its size, and its size with its root. */
  readonly checkpoints = new Map<string, number>()
  readonly roots = new Map<number, Buffer>()
  // #unread: names of tiles that were not asked for yet; #absent: those that were asked for in vain.
  readonly #unread = new Set<string>()
  readonly #absent = new Set<string>()

  constructor(source: LogSource, findings: Findings) {
    this.#source = source
    this.#findings = findings
    const sizes: number[] = []
    for (const name of source.names) {
      const size = parseCheckpointName(name)
      if (size !== undefined) sizes.push(size)
      else if (parseTileName(name) !== undefined) this.#unread.add(name)
      else if (name !== 'key') this.#find('object.unexpected', null, `${name} is no part of a log`)
    }
    this.sizes = sizes.sort((a, b) => a - b)
  }

  /** The tiles and bundles that nobody has read. */
  get unread(): readonly Tile[] {
    return [...this.#unread].flatMap((name) => parseTileName(name) ?? [])
  }

  async readCheckpoint(size: number): Promise<Checkpoint | undefined> {
    const { boot, key, shelf } = this.#source
    const name = checkpointName(size)
    try {
      const bytes = (await shelf.read(`${boot}/${name}`, MAX_NOTE_BYTES)) ?? Buffer.alloc(0)
      const note = fromUtf8(bytes, name)
      const checkpoint = openCheckpoint(note, key)
      if (checkpoint.size !== size)
        throw new CodedError('evidence.inconsistent', `it is of size ${checkpoint.size}`)
      this.checkpoints.set(noteDigest(note), size)
      this.roots.set(size, checkpoint.root)
      return checkpoint
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      this.#find('checkpoint.invalid', size, `${name}: ${error.message}`)
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

  /** By name, those that are there. */
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
      const bytes = await this.#source.shelf.read(`${this.#source.boot}/${name}`, MAX_TILE_BYTES)
      if (bytes === undefined && !this.#absent.has(name)) {
        this.#absent.add(name)
        this.#find('tile.missing', null, `${name} is not there`)
      }
      return bytes
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      this.#find('tile.altered', null, `${name}: ${error.message}`)
      return undefined
    }
  }

  #split(name: string, bytes: Buffer, tile: Tile): Buffer[] | undefined {
    try {
      return parseBundle(bytes, tile.width)
    } catch (error) {
      if (!(error instanceof CodedError)) throw error
      this.#find('tile.altered', null, `${name}: ${error.message}`)
      return undefined
    }
  }

  #find(code: FindingCode, index: number | null, text: string): void {
    this.#findings.add(code, this.#source.boot, index, text)
  }
}
