/** The signed checkpoints of one log, by size and by digest: what other documents name. */
import { fromBase64url } from '../../../bytes.ts'
import type { ObjectReader } from '../../../objectReader.ts'
import { checkpointName } from '../../checkpoint.ts'
import type { NoteKey } from '../../note.ts'
import { HASH_BYTES } from '../../tree.ts'
import { CompactTable } from '../compactTable.ts'
import { type FindInLog, messageOf } from '../finding.ts'
import type { Compute, OpenedCheckpoint } from '../tasks.ts'
import { lowerBound } from './survey.ts'

const MAX_NOTE_BYTES = 16_384
/** Read, verified and forgotten together. */
const AT_ONCE = 256

export class Checkpoints {
  /** Ascending. A note states its size, so row n of the table is the one checkpoint of sizes[n]. */
  readonly sizes: number[] = []
  readonly #byDigest = new CompactTable(HASH_BYTES, HASH_BYTES)

  get count(): number {
    return this.sizes.length
  }

  add(size: number, { digest, root }: OpenedCheckpoint): void {
    const { row } = this.#byDigest.add(digest)
    this.#byDigest.valueOf(row).set(root)
    this.sizes.push(size)
  }

  rootAt(size: number): Buffer | undefined {
    const row = lowerBound(this.sizes, size)
    return this.sizes[row] === size ? this.#byDigest.valueOf(row) : undefined
  }

  /** The size of the checkpoint whose note has this digest. */
  sizeOf(digest: string): number | undefined {
    const row = this.#byDigest.find(fromBase64url(digest))
    return row === -1 ? undefined : this.sizes[row]
  }
}

/** Reads all checkpoints of a log. One that is not signed by its key, or has another size, is a finding. */
export async function readCheckpoints(
  log: { readonly boot: string; readonly key: NoteKey; readonly objects: ObjectReader },
  sizes: readonly number[],
  { compute, find }: { readonly compute: Compute; readonly find: FindInLog },
): Promise<Checkpoints> {
  const checkpoints = new Checkpoints()
  // The next ones are read while a thread opens these.
  let opening = Promise.resolve()
  for (let start = 0; start < sizes.length; start += AT_ONCE) {
    const notes = await Promise.all(
      sizes.slice(start, start + AT_ONCE).map(async (size) => ({ size, bytes: await read(size) })),
    )
    await opening
    opening = open(notes)
    // Its failure is thrown where it is awaited.
    opening.catch(() => {})
  }
  await opening
  return checkpoints

  async function open(
    notes: readonly { readonly size: number; readonly bytes: Uint8Array }[],
  ): Promise<void> {
    const opened = await compute('checkpoints', { key: log.key, notes })
    for (const [i, { size }] of notes.entries()) {
      const one = opened[i]
      if (one === undefined) continue
      if ('problem' in one) find('checkpoint.invalid', size, `${checkpointName(size)}: ${one.problem}`)
      else checkpoints.add(size, one)
    }
  }

  async function read(size: number): Promise<Uint8Array> {
    try {
      const name = `${log.boot}/${checkpointName(size)}`
      return (await log.objects.read(name, MAX_NOTE_BYTES)) ?? Buffer.alloc(0)
    } catch (error) {
      messageOf(error)
      return Buffer.alloc(0)
    }
  }
}
