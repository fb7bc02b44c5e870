/**
 * Durable state of a service: a journal of JSON records, one a line, replayed at start.
 *
 * Handlers change their maps in memory and append a record in the same turn, so no two requests interleave; the frame
 * waits for `flushed` before it answers. Records appended while a write is under way share the next one (group commit).
 * A crash can leave a torn last line: it was never acknowledged, and the replay cuts it off.
 */
import { mkdir, open, readFile, rename, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { z } from 'zod'
import { checkShape, parseJson } from '#core/canonical.ts'
import { under } from '#core/errors.ts'

export type Journal<Entry> = {
  /** Begins to write. Throws after a failed write: the state in memory is then ahead of the disk for good. */
  readonly append: (entry: Entry) => void
  /** Resolves when everything appended before is on disk. */
  readonly flushed: () => Promise<void>
  readonly close: () => Promise<void>
}

type Options<Schema extends z.ZodType> = {
  readonly file: string
  /** Of one record; unknown fields refuse the file. */
  readonly schema: Schema
  readonly replay: (entry: z.output<Schema>) => void
  /** The records that make the present state; at start the journal is rewritten to them if it is much longer. */
  readonly snapshot: () => Iterable<z.output<Schema>>
}

const NEWLINE = 0x0a

/** Throws `config.invalid` where the file holds what is not a record of this journal. */
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
    // What the present turn still appends goes with it.
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
    append: (entry) => {
      if (failure !== undefined) throw failure
      pending.push(`${JSON.stringify(entry)}\n`)
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
  const handle = await open(`${file}.new`, 'w')
  try {
    await handle.writeFile(lines.join(''))
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${file}.new`, file)
  await syncFolder(dirname(file))
}

/** A new or renamed file is durable only when its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
