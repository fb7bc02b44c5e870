/** What a deployment has put down: messages on its streams, entries in its logs. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openCollection } from '#adapters/evidence/collection.ts'
import { type Entry, EntryFormat } from '#core/evidence/entry.ts'
import { MAX_TILE_BYTES, parseBundle, parseTileName } from '#core/evidence/tile.ts'
import { DeadLetterFormat } from '#core/job/deadLetter.ts'
import { STREAMS } from '#lab/demo/names.ts'
import { StreamEntry } from '#lab/emulator/streaming/entries.ts'
import type { Site } from './systemUnderTest.ts'

/** Everything ever put on a stream, from the emulator's own journal: no principal may read dead letters by its API. */
async function messagesOn({ deployment }: Site, stream: string): Promise<readonly Buffer[]> {
  const journal = await readFile(join(deployment.folders.emulator, 'streaming', 'streams.journal'), 'utf8')
  return journal
    .split('\n')
    .slice(0, -1)
    .map((line) => StreamEntry.parse(JSON.parse(line)))
    .flatMap((entry) =>
      entry.kind === 'put' && entry.stream === stream ? [Buffer.from(entry.value, 'base64')] : [],
    )
}

export async function deadLetters(site: Site) {
  return (await messagesOn(site, STREAMS.deadLetters)).map((value) => DeadLetterFormat.decode(value))
}

/** How often a job was put on the jobs stream. */
export async function timesPublished(site: Site, jobId: string): Promise<number> {
  const messages = await messagesOn(site, STREAMS.jobs)
  return messages.filter((message) => message.includes(`"jobId":"${jobId}"`)).length
}

/** Of all workers, as they were exported; entries may come more than once, as bundles grow. */
export async function workerEntries({ deployment }: Site): Promise<readonly Entry[]> {
  const { workerLogs } = openCollection(deployment.folders.evidence)
  const entries: Entry[] = []
  for await (const name of workerLogs.list('')) {
    const tile = parseTileName(name.slice(name.indexOf('/') + 1))
    if (tile?.level !== 'entries') continue
    const bytes = await workerLogs.read(name, MAX_TILE_BYTES)
    assert.ok(bytes !== undefined)
    for (const entry of parseBundle(bytes, tile.width)) entries.push(EntryFormat.decode(entry))
  }
  return entries
}
