/**
 * Nothing leaked: no word of a patient and no data key is in a log, a metric, the exported evidence, a message
 * of a stream or the name of an object.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Traces } from '../traces.ts'
import type { Violation } from '../world.ts'

export async function judgeLeaks({ world, streams, objectNames }: Traces): Promise<readonly Violation[]> {
  const { folders, canaries, uploads } = world
  const keys = uploads.flatMap(({ name, dek }) =>
    dek === undefined ? [] : formsOf(`the key of ${name}`, dek),
  )
  const violations: Violation[] = []
  const search = (subject: string, bytes: Buffer): void => {
    for (const canary of canaries)
      if (bytes.includes(canary)) violations.push({ invariant: 'leak', subject, text: `contains ${canary}` })
    for (const { what, form } of keys)
      if (bytes.includes(form)) violations.push({ invariant: 'leak', subject, text: `contains ${what}` })
  }
  for (const folder of [folders.logs, folders.metrics, folders.evidence])
    for (const file of await filesBelow(folder)) search(file, await readFile(file))
  for (const { stream, partition, offset, bytes } of streams.messages)
    search(`${stream}, partition ${partition}, offset ${offset}`, bytes)
  search('names of objects', Buffer.from(objectNames.join('\n')))
  return violations
}

/** A key as it may have been written. The padding of base64 depends on what follows the key. */
function formsOf(what: string, key: Buffer): readonly { readonly what: string; readonly form: Buffer }[] {
  const texts = (['hex', 'base64', 'base64url'] as const).map((encoding) => ({
    what: `${what} in ${encoding}`,
    form: Buffer.from(key.toString(encoding).replace(/=+$/, '')),
  }))
  return [{ what: `${what}, raw`, form: key }, ...texts]
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}
