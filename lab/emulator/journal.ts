/**
 * Durable state of a service: a journal of JSON records, one per line, replayed at start.
 *
 * Handlers append a record and change their maps in memory in the same turn, so no two requests interleave.
 * The request handler waits for `flushed` before it answers. Records appended during a write share the next
 * one (group commit). A crash can leave a torn last line. That line was never acknowledged, so the replay
 * cuts it off.
 */
import { mkdir, open, readFile, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { z } from 'zod'
import { replaceFile, syncFolder } from '#adapters/system/files.ts'
import { checkShape, parseJson } from '#core/canonical.ts'
import { under } from '#core/errors.ts'
import type { ClaimRoom } from './disk.ts'

export type Journal<Entry> = {
  /**
   * Begins to write, all or nothing. Throws if there is no room; the caller changes its memory afterwards.
   * Throws after a failed write, because memory is then ahead of the disk for good.
   */
  readonly append: (...entries: readonly Entry[]) => void
  /** Resolves when everything appended before is on disk. */
  readonly flushed: () => Promise<void>
  readonly close: () => Promise<void>
}

type Options<Schema extends z.ZodType> = {
  readonly file: string
  /** The schema of one record. Strict: a file with an unknown field does not load. */
  readonly schema: Schema
  readonly replay: (entry: z.output<Schema>) => void
  /**
   * The records that make up the present state. A journal that is much longer is rewritten to them at start.
   */
  readonly snapshot: () => Iterable<z.output<Schema>>
  /** Without it there is always room. */
  readonly claim?: ClaimRoom
}

const NEWLINE = 0x0a

/** Throws `config.invalid` if a line of the file is not a record of this journal. */
export async function openJournal<Schema extends z.ZodType>(
  options: Options<Schema>,
): Promise<Journal<z.output<Schema>>> {
  const { file } = options
  await mkdir(dirname(file), { recursive: true })
  const replayed = await replay(options)
  await compact(options, replayed)

  const handle = await open(file, 'a')
  await syncFolder(dirname(file))
  let pending: string[] = []
  let writing: Promise<void> | undefined
  let failure: unknown

  const write = async (): Promise<void> => {
    // Let the present turn append its other records to the same write.
    await undefined
    while (pending.length > 0) {
      const lines = pending
      pending = []
      await handle.appendFile(lines.join(''))
      await handle.datasync()
    }
  }
  const start = (): Promise<void> => {
    writing ??= write()
      .catch((error: unknown) => {
        failure = error
      })
      .finally(() => {
        writing = undefined
      })
    return writing
  }
  const flushed = async (): Promise<void> => {
    while (failure === undefined && (writing !== undefined || pending.length > 0)) await start()
    if (failure !== undefined) throw failure
  }

  return {
    append: (...entries) => {
      if (failure !== undefined) throw failure
      const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`)
      options.claim?.(Buffer.byteLength(lines.join('')))
      pending.push(...lines)
      void start()
    },
    flushed,
    close: async () => {
      await flushed()
      await handle.close()
    },
  }
}

async function replay<Schema extends z.ZodType>(options: Options<Schema>): Promise<number> {
  const { file, schema } = options
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0)
    throw error
  })
  let start = 0
  let records = 0
  for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
    const line = bytes.subarray(start, end)
    const entry = under('config.invalid', () => parseJson(line, 'journal record'))
    options.replay(checkShape(schema, entry, 'journal record', 'config.invalid'))
    start = end + 1
    records += 1
  }
  if (start < bytes.byteLength) await truncate(file, start)
  return records
}

async function compact<Schema extends z.ZodType>(
  { file, snapshot }: Options<Schema>,
  replayed: number,
): Promise<void> {
  const lines = Array.from(snapshot(), (entry) => `${JSON.stringify(entry)}\n`)
  if (replayed < 2 * lines.length + 1000) return
  await replaceFile(file, lines.join(''))
}
