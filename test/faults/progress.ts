/** How far the pool is with its work, read from the emulator's own records: no program has to be asked. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { GROUP, STREAMS } from '#lab/demo/names.ts'
import type { Site } from './site.ts'

type Entry = {
  readonly kind: string
  readonly stream: string
  readonly partition: number
  readonly offset: number
  readonly group?: string
  readonly value?: string
}

/** What is left to do, in words; undefined if every event is delivered and every job has ended. */
export async function workLeft(site: Site, jobIds: readonly string[]): Promise<string | undefined> {
  const { endpoint, folders } = site.system.deployment
  const state = await fetch(`${endpoint}/emulator/state`, { signal: AbortSignal.timeout(2000) })
  const { undeliveredEvents } = (await state.json()) as { undeliveredEvents: number }
  if (undeliveredEvents > 0) return `${undeliveredEvents} events are not delivered`
  const journal = await readFile(join(folders.emulator, 'streaming', 'streams.journal'), 'utf8')
  const published = new Set<string>()
  const ends = new Map<number, number>()
  const committed = new Map<number, number>()
  for (const line of journal.split('\n').slice(0, -1)) {
    const entry: Entry = JSON.parse(line)
    const { kind, partition, offset } = entry
    if (entry.stream !== STREAMS.jobs) continue
    if (kind === 'put' || kind === 'end')
      ends.set(partition, Math.max(ends.get(partition) ?? 0, kind === 'put' ? offset + 1 : offset))
    if (kind === 'put') published.add(jobIdIn(entry.value ?? ''))
    if (kind === 'commit' && entry.group === GROUP) committed.set(partition, offset)
  }
  const absent = jobIds.filter((jobId) => !published.has(jobId))
  if (absent.length > 0) return `${absent.length} jobs are not published`
  const behind = [...ends].filter(([partition, end]) => (committed.get(partition) ?? 0) < end)
  if (behind.length === 0) return undefined
  return behind
    .map(([partition, end]) => `partition ${partition} at ${committed.get(partition) ?? 0} of ${end}`)
    .join(', ')
}

function jobIdIn(value: string): string {
  return /"jobId":"([^"]*)"/.exec(Buffer.from(value, 'base64').toString('latin1'))?.[1] ?? ''
}
