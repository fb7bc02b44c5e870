/** Reads workers' logs, as they lie in their bucket, for the witness. */

import { sameBytes } from '#core/bytes.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import { GrowingTree, type TreeGrowth } from '#core/evidence/growth.ts'
import {
  edgeTiles,
  MAX_TILE_BYTES,
  newBundles,
  parseBundle,
  TILE_WIDTH,
  tileName,
} from '#core/evidence/tile.ts'
import { leafHash, rootOf } from '#core/evidence/tree.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

export type LogReader = {
  /** The log at a size that was reached by a flush. Throws `checkpoint.unreadable`. */
  readonly open: (boot: string, size: number, signal: AbortSignal) => Promise<GrowingTree>
  /** Grows `log` by the stored entries up to `size`. Throws `checkpoint.unreadable` or `checkpoint.forked`. */
  readonly grow: (boot: string, log: GrowingTree, size: number, signal: AbortSignal) => Promise<Grown>
  /** An entry under the log's root. Throws as `grow`. */
  readonly entryAt: (boot: string, log: GrowingTree, index: number, signal: AbortSignal) => Promise<Buffer>
}

export type Grown = {
  readonly log: GrowingTree
  /** The last ones of those that are new. */
  readonly entries: { readonly from: number; readonly all: readonly Buffer[] }
}

/** Bundles that are in memory at the same time. */
const AT_ONCE = 4

export function createLogReader(
  store: Pick<ObjectStore, 'readAll'>,
  bucket: Omit<ObjectRef, 'name'>,
): LogReader {
  const read = async (boot: string, name: string, signal: AbortSignal): Promise<Buffer> => {
    try {
      return await store.readAll({ ...bucket, name: `${boot}/${name}` }, MAX_TILE_BYTES, signal)
    } catch (cause) {
      signal.throwIfAborted()
      throw new CodedError('checkpoint.unreadable', `${boot}/${name} cannot be read`, { cause })
    }
  }
  const readBundle = async (boot: string, index: number, width: number, signal: AbortSignal) => {
    const name = tileName({ level: 'entries', index, width })
    const bytes = await read(boot, name, signal)
    return forkedUnless(`${boot}/${name}`, () => parseBundle(bytes, width))
  }

  return {
    open: async (boot, size, signal) => {
      const tiles = await Promise.all(edgeTiles(size).map((tile) => read(boot, tileName(tile), signal)))
      return forkedUnless(`the tiles of ${boot} at ${size}`, () => GrowingTree.resume(size, tiles))
    },
    grow: async (boot, log, size, signal) => {
      const tiles = newBundles(log.size, size)
      const leaves: Buffer[] = []
      let last: readonly Buffer[] = []
      for (let at = 0; at < tiles.length; at += AT_ONCE) {
        const bundles = tiles
          .slice(at, at + AT_ONCE)
          .map(({ index, width }) => readBundle(boot, index, width, signal))
        const entries = (await Promise.all(bundles)).flat()
        last = at === 0 ? entries.slice(log.size % TILE_WIDTH) : entries
        for (const entry of last) leaves.push(leafHash(entry))
      }
      const grown = log.copy()
      const growth = grown.grow(leaves)
      await expectTiles(boot, growth, signal)
      return { log: grown, entries: { from: size - last.length, all: last } }
    },
    entryAt: async (boot, log, index, signal) => {
      const tile = Math.floor(index / TILE_WIDTH)
      const width = Math.min(TILE_WIDTH, log.size - tile * TILE_WIDTH)
      const entries = await readBundle(boot, tile, width, signal)
      const leaves = entries.map(leafHash)
      const isUnder =
        width === TILE_WIDTH
          ? log.tileHash(tile)?.equals(rootOf(leaves))
          : log.leafAt(index)?.equals(leaves[index % TILE_WIDTH] ?? Buffer.alloc(0))
      const entry = entries[index % TILE_WIDTH]
      if (isUnder === undefined)
        throw new CodedError('intent.mismatched', `entry ${index} of ${boot} is too far back`)
      if (!isUnder || entry === undefined)
        throw new CodedError('checkpoint.forked', `entry ${index} of ${boot} is not the one under its root`)
      return entry
    },
  }

  /** A log without its hash tiles could not be read by others. */
  async function expectTiles(boot: string, { hashTiles }: TreeGrowth, signal: AbortSignal): Promise<void> {
    await Promise.all(
      hashTiles.map(async ({ name, bytes }) => {
        if (!sameBytes(await read(boot, name, signal), bytes))
          throw new CodedError('checkpoint.forked', `${boot}/${name} is not over the stored entries`)
      }),
    )
  }
}

function forkedUnless<T>(what: string, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (codeOf(cause) !== 'evidence.malformed') throw cause
    throw new CodedError('checkpoint.forked', `${what} cannot be decoded`, { cause })
  }
}
