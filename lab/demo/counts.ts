/**
 * The hospital's view of a worker's log: what the filter kept and withheld, sealed to the hospital's audit
 * key.
 */
import { openCollection } from '#adapters/evidence/collection.ts'
import { parseJson } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { Counts, type Entry, EntryFormat } from '#core/evidence/entry.ts'
import { MAX_TILE_BYTES, parseBundle, parseTileName } from '#core/evidence/tile.ts'
import type { Counts as FilterCounts } from '#core/fhir/filter.ts'
import type { ObjectReader } from '#core/objectReader.ts'
import { openSealed } from '#core/release/jwe.ts'
import { readPrivateKey } from './identities.ts'

/**
 * Opens the counts of a result in a verified collection. Throws `input.unreadable` if no log mentions the
 * result.
 */
export async function openCounts(
  evidenceFolder: string,
  resultId: string,
  auditKeyFile: string,
): Promise<FilterCounts> {
  const key = await readPrivateKey(auditKeyFile)
  for await (const entry of workerEntries(evidenceFolder))
    if (entry.event === 'result.intent' && entry.resultId === resultId) {
      const plaintext = openSealed(entry.counts, key)
      return Counts.parse(parseJson(plaintext, 'counts'))
    }
  throw new CodedError('input.unreadable', `no log in ${evidenceFolder} mentions result ${resultId}`)
}

/** All entries of all workers in a collection. An entry can come more than once, because bundles grow. */
export function workerEntries(evidenceFolder: string): AsyncGenerator<Entry> {
  return entriesOf(openCollection(evidenceFolder).workerLogs)
}

/** The same of all Verifiers. */
export function verifierEntries(evidenceFolder: string): AsyncGenerator<Entry> {
  return entriesOf(openCollection(evidenceFolder).verifierLogs)
}

async function* entriesOf(logs: ObjectReader): AsyncGenerator<Entry> {
  for await (const name of logs.list('')) {
    const tile = parseTileName(name.slice(name.indexOf('/') + 1))
    if (tile?.level !== 'entries') continue
    const bytes = await logs.read(name, MAX_TILE_BYTES)
    if (bytes === undefined) throw new CodedError('input.unreadable', `${name} was listed and is gone`)
    for (const entry of parseBundle(bytes, tile.width)) yield EntryFormat.decode(entry)
  }
}
