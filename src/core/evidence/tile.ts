/** Tiles (c2sp.org/tlog-tiles): the names of hash tiles and entry bundles, and the encoding of a bundle. */
import { viewOf } from '../bytes.ts'
import { CodedError } from '../errors.ts'

export const TILE_HEIGHT = 8
export const TILE_WIDTH = 256
/** Each level covers 256 times as much. Seven levels cover every size that a number represents exactly. */
const MAX_LEVEL = 6
const LENGTH_BYTES = 2

/**
 * `level` 0 to 6 means a tile of hashes, `entries` a bundle of entries. `width` is 256 unless the tile is
 * partial.
 */
export type Tile = { readonly level: number | 'entries'; readonly index: number; readonly width: number }

const NAME = /^tile\/(0|[1-6]|entries)\/((?:x[0-9]{3}\/)*[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/

/**
 * `tile/<level>/<index>[.p/<width>]`; the index is in groups of three digits, all but the last prefixed with
 * x.
 */
export function tileName({ level, index, width }: Tile): string {
  const digits = String(index)
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0')
  const path = padded.replace(/[0-9]{3}(?=[0-9])/g, 'x$&/')
  return `tile/${level}/${path}${width === TILE_WIDTH ? '' : `.p/${width}`}`
}

/** The tile with this name, or undefined if it is not the canonical name of a tile. */
export function parseTileName(name: string): Tile | undefined {
  const [, level, path, width] = NAME.exec(name) ?? []
  if (level === undefined || path === undefined) return undefined
  const tile: Tile = {
    level: level === 'entries' ? level : Number(level),
    index: Number(path.replace(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  }
  return Number.isSafeInteger(tile.index) && tileName(tile) === name ? tile : undefined
}

/** The bundles, or the tiles of one level, that exist at size `to` but not at `from`. */
function newAtLevel(level: Tile['level'], from: number, to: number, height: number): Tile[] {
  const width = 2 ** height
  const scale = width ** (level === 'entries' ? 0 : level)
  const older = Math.floor(from / scale)
  const newer = Math.floor(to / scale)
  if (older === newer) return []
  const tiles: Tile[] = []
  for (let index = Math.floor(older / width); index * width < newer; index++)
    tiles.push({ level, index, width: Math.min(width, newer - index * width) })
  return tiles
}

/** The hash tiles at a tree's right edge that are not full, lowest level first. */
export function edgeTiles(size: number): Tile[] {
  const tiles: Tile[] = []
  for (let level = 0; level <= MAX_LEVEL; level++) {
    const hashes = Math.floor(size / TILE_WIDTH ** level)
    const width = hashes % TILE_WIDTH
    if (width > 0) tiles.push({ level, index: Math.floor(hashes / TILE_WIDTH), width })
  }
  return tiles
}

export function newBundles(from: number, to: number): Tile[] {
  return newAtLevel('entries', from, to, TILE_HEIGHT)
}

/** Hash tiles, lowest level first. */
export function newHashTiles(from: number, to: number, height = TILE_HEIGHT): Tile[] {
  const tiles: Tile[] = []
  for (let level = 0; level <= MAX_LEVEL; level++) tiles.push(...newAtLevel(level, from, to, height))
  return tiles
}

/**
 * Each entry after its length, u16 big-endian. Throws `evidence.malformed` for an entry of more than 65,535
 * bytes.
 */
export function encodeBundle(entries: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = []
  for (const entry of entries) {
    if (entry.byteLength > 0xffff)
      throw new CodedError('evidence.malformed', `an entry has ${entry.byteLength} bytes, the limit is 65535`)
    parts.push(Uint8Array.of(entry.byteLength >> 8, entry.byteLength & 0xff), entry)
  }
  return Buffer.concat(parts)
}

/** Parses exactly `width` entries with nothing after them. Throws `evidence.malformed`. */
export function parseBundle(bytes: Uint8Array, width: number): Buffer[] {
  const view = viewOf(bytes)
  const entries: Buffer[] = []
  let offset = 0
  for (let i = 0; i < width; i++) {
    if (offset + LENGTH_BYTES > bytes.byteLength) throw cut(i)
    const start = offset + LENGTH_BYTES
    offset = start + view.getUint16(offset)
    if (offset > bytes.byteLength) throw cut(i)
    entries.push(Buffer.from(bytes.buffer, bytes.byteOffset + start, offset - start))
  }
  if (offset !== bytes.byteLength)
    throw new CodedError('evidence.malformed', `a bundle has more than its ${width} entries`)
  return entries
}

/** Limit for any tile or bundle. */
export const MAX_TILE_BYTES = TILE_WIDTH * (LENGTH_BYTES + 0xffff)

function cut(entry: number): CodedError {
  return new CodedError('evidence.malformed', `a bundle ends within its entry ${entry}`)
}
