/**
 * Nothing leaked: no canary is in a log, a metric, the exported evidence, a message of a stream or the name of
 * an object.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Traces } from '../traces.ts'
import type { Violation } from '../world.ts'

export async function judgeLeaks({ world, streams, objectNames }: Traces): Promise<readonly Violation[]> {
  const { folders, canaries } = world
  const violations: Violation[] = []
  const search = (subject: string, bytes: Buffer): void => {
    for (const canary of canaries)
      if (bytes.includes(canary)) violations.push({ invariant: 'leak', subject, text: `contains ${canary}` })
  }
  for (const folder of [folders.logs, folders.metrics, folders.evidence])
    for (const file of await filesBelow(folder)) search(file, await readFile(file))
  for (const { stream, partition, offset, bytes } of streams.messages)
    search(`${stream}, partition ${partition}, offset ${offset}`, bytes)
  search('names of objects', Buffer.from(objectNames.join('\n')))
  return violations
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}
