/** Reads the end of another boot's log: where it stands, and which releases have no end there. */
import { fromUtf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { checkpointName, openCheckpoint, parseCheckpointName } from '#core/evidence/checkpoint.ts'
import { type Entry, EntryFormat } from '#core/evidence/entry.ts'
import { parseLogKey } from '#core/evidence/logKey.ts'
import { noteDigest } from '#core/evidence/note.ts'
import { MAX_TILE_BYTES, parseBundle, TILE_WIDTH, tileName } from '#core/evidence/tile.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

const MAX_NOTE_BYTES = 16_384
/** One page of a listing. A log that has grown by fewer checkpoints costs one call. */
const PAGE = 1000
/** Far more than a log ever has. */
const MAX_SIZE = 2 ** 40
/**
 * A release ends within a minute of its decision, so an unended one is near the end of its log. The hour is
 * for a clock that was set; the bundles are for the memory of the reader.
 */
const TAIL_SECONDS = 3600
const TAIL_BUNDLES = 256

export type LogTail = {
  /** Of the checkpoint at its end. */
  readonly checkpointDigest: string
  readonly closed: boolean
  /** In the order of their decisions. */
  readonly unended: readonly string[]
}

export type LogTails = {
  /** The size of a log's last checkpoint; `from` if there is none above. */
  readonly sizeOf: (boot: string, from: number, signal?: AbortSignal) => Promise<number>
  /** Throws `evidence.malformed` or `evidence.inconsistent` for a log that is not in order. */
  /** The time of the last entry. Throws as `read`. */
  readonly lastTime: (boot: string, size: number, signal?: AbortSignal) => Promise<number>
  readonly read: (boot: string, size: number, signal?: AbortSignal) => Promise<LogTail>
}

export function createLogTails(store: ObjectStore, bucket: Omit<ObjectRef, 'name'>): LogTails {
  const readAll = (boot: string, name: string, maxBytes: number, signal?: AbortSignal) =>
    store.readAll({ ...bucket, name: `${boot}/${name}` }, maxBytes, signal)

  /** The sizes of checkpoints above `size`, ascending, at most `limit` of them. */
  const above = async (boot: string, size: number, limit: number, signal?: AbortSignal) => {
    const sizes: number[] = []
    const after = `${boot}/${checkpointName(size)}`
    for await (const { name } of store.list(bucket, `${boot}/checkpoint/`, after, signal)) {
      const found = parseCheckpointName(name.slice(boot.length + 1))
      if (found !== undefined && sizes.push(found) === limit) break
    }
    return sizes
  }

  const readCheckpoint = async (boot: string, size: number, signal?: AbortSignal): Promise<string> => {
    const key = parseLogKey(await readAll(boot, 'key', 1024, signal), 'verifier', boot)
    const note = fromUtf8(await readAll(boot, checkpointName(size), MAX_NOTE_BYTES, signal))
    if (openCheckpoint(note, key).size !== size)
      throw new CodedError('evidence.inconsistent', `checkpoint ${size} of ${boot} is of another size`)
    return note
  }

  const readBundle = async (
    boot: string,
    size: number,
    index: number,
    signal?: AbortSignal,
  ): Promise<Entry[]> => {
    const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH)
    const name = tileName({ level: 'entries', index, width })
    const bundle = await readAll(boot, name, MAX_TILE_BYTES, signal)
    return parseBundle(bundle, width).map((bytes) => EntryFormat.decode(bytes))
  }

  return {
    sizeOf: async (boot, from, signal) => {
      const sizes = await above(boot, from, PAGE, signal)
      let last = sizes.at(-1) ?? from
      if (sizes.length < PAGE) return last
      // Names can be listed only upwards. Invariant: there is no checkpoint at `last + 2 * step` or above.
      for (let step = MAX_SIZE; step >= 1; step /= 2)
        last = (await above(boot, last + step - 1, 1, signal))[0] ?? last
      return last
    },

    lastTime: async (boot, size, signal) => {
      await readCheckpoint(boot, size, signal)
      const entries = await readBundle(boot, size, Math.floor((size - 1) / TILE_WIDTH), signal)
      return entries.at(-1)?.time ?? 0
    },

    read: async (boot, size, signal) => {
      const note = await readCheckpoint(boot, size, signal)

      const tail = new TailReader()
      const last = Math.floor((size - 1) / TILE_WIDTH)
      for (let index = last; index >= 0 && index > last - TAIL_BUNDLES && !tail.complete; index--) {
        for (const entry of (await readBundle(boot, size, index, signal)).reverse()) tail.take(entry)
      }
      return { checkpointDigest: noteDigest(note), closed: tail.closed, unended: tail.unended.reverse() }
    },
  }
}

/** Takes the entries of a log from its end backwards. */
class TailReader {
  readonly #ended = new Set<string>()
  #lastAt: number | undefined
  readonly unended: string[] = []
  closed = false
  complete = false

  take(entry: Entry): void {
    if (this.#lastAt === undefined) {
      this.#lastAt = entry.time
      this.closed = entry.event === 'log.closed'
    }
    if (entry.time < this.#lastAt - TAIL_SECONDS) this.complete = true
    if (entry.event === 'release.issued' || entry.event === 'release.failed') this.#ended.add(entry.releaseId)
    if (entry.event === 'release.decided' && !this.#ended.has(entry.releaseId))
      this.unended.push(entry.releaseId)
  }
}
