/** What lies in the buckets, from the emulator's own journal and files. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { linesOf, numberOf, objectOf, parseObject, textOf } from './json.ts'

export type StoredObject = {
  readonly name: string
  /** When it was created, in milliseconds of the emulator's clock. */
  readonly createdAt: number
  readonly bytes: () => Promise<Buffer>
}
export type Bucket = ReadonlyMap<string, StoredObject>

/** The present objects of each of these buckets, in the given order. */
export async function readBuckets(folder: string, buckets: readonly string[]): Promise<readonly Bucket[]> {
  const objects = buckets.map(() => new Map<string, StoredObject>())
  const journal = await readFile(join(folder, 'objectstorage', 'journal.jsonl'), 'utf8')
  for (const line of linesOf(journal)) {
    // One emulator serves many runs: most lines are another's.
    if (!buckets.some((bucket) => line.includes(`.${bucket}"`))) continue
    const entry = parseObject(line) ?? {}
    const index = buckets.findIndex((bucket) => textOf(entry['bucketId']).endsWith(`.${bucket}`))
    const object = objectOf(entry['object'])
    if (entry['op'] === 'put' && object !== undefined)
      objects[index]?.set(textOf(object['name']), storedObject(folder, object))
    if (entry['op'] === 'delete') objects[index]?.delete(textOf(entry['name']))
  }
  return objects
}

function storedObject(folder: string, object: Readonly<Record<string, unknown>>): StoredObject {
  const segments = Array.isArray(object['segments']) ? object['segments'] : []
  const files = segments.map((segment) => textOf(objectOf(segment)?.['file']))
  return {
    name: textOf(object['name']),
    createdAt: numberOf(object['createdAt']),
    bytes: async () =>
      Buffer.concat(
        await Promise.all(files.map((file) => readFile(join(folder, 'objectstorage', 'bodies', file)))),
      ),
  }
}
