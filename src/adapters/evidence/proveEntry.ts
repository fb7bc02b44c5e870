/** Makes the proof of one entry from a folder with copies of the buckets. */
import { registrationName } from '#core/boot/registration.ts'
import { fromUtf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import type { Collection } from '#core/evidence/audit/collection.ts'
import { checkpointName, parseCheckpointName } from '#core/evidence/checkpoint.ts'
import { type EntryProof, MAX_KEYS, proofOf } from '#core/evidence/entryProof.ts'
import { MAX_TILE_BYTES, newBundles, parseBundle, tileName } from '#core/evidence/tile.ts'
import { leafHash } from '#core/evidence/tree.ts'
import type { ObjectReader } from '#core/objectReader.ts'
import { maxStoredBytes } from '#core/policy/document.ts'
import { VERIFIER_KEYS } from '#core/policy/verifierKeys.ts'
import { openCollection } from './collection.ts'

const MAX_SMALL_BYTES = 64 * 1024

export type WantedEntry = {
  readonly boot: string
  readonly index: number
  /** Under the checkpoint of this size. By default under the newest. */
  readonly size?: number | undefined
}

/**
 * Nothing is verified here: who checks the proof verifies all of it. Throws `input.unreadable` for a boot, an
 * entry or a checkpoint that is not in the folder.
 */
export async function proveEntry(dir: string, { boot, index, size }: WantedEntry): Promise<EntryProof> {
  const collection = openCollection(dir)
  const { role, log } = await logOf(collection, boot)
  const covering = size ?? (await newestSize(log, boot))
  if (index >= covering)
    throw new CodedError(
      'input.unreadable',
      `checkpoint ${covering} of ${boot} does not cover entry ${index}`,
    )
  const checkpoint = await textOf(log, `${boot}/${checkpointName(covering)}`)
  const entries = await entriesOf(log, boot, covering)
  return {
    v: 1,
    role,
    boot,
    checkpoint,
    ...proofOf(entries[index] ?? Buffer.alloc(0), entries.map(leafHash), index),
    registration: await textOf(collection.verifierLogs, registrationName(boot)),
    verifierKeys: await verifierKeysOf(collection),
  }
}

async function logOf({ verifierLogs, workerLogs }: Collection, boot: string) {
  for (const [role, log] of [
    ['verifier', verifierLogs],
    ['worker', workerLogs],
  ] as const)
    if ((await log.read(`${boot}/key`, MAX_SMALL_BYTES)) !== undefined) return { role, log }
  throw new CodedError('input.unreadable', `the folder has no log of the boot ${boot}`)
}

async function newestSize(log: ObjectReader, boot: string): Promise<number> {
  let newest = 0
  for await (const name of log.list(`${boot}/checkpoint/`))
    newest = Math.max(newest, parseCheckpointName(name.slice(boot.length + 1)) ?? 0)
  return newest
}

async function entriesOf(log: ObjectReader, boot: string, size: number): Promise<readonly Buffer[]> {
  const entries: Buffer[] = []
  for (const tile of newBundles(0, size)) {
    const name = `${boot}/${tileName(tile)}`
    const bytes = await log.read(name, MAX_TILE_BYTES)
    if (bytes === undefined) throw absent(name)
    entries.push(...parseBundle(bytes, tile.width))
  }
  return entries
}

async function verifierKeysOf({ governance }: Collection): Promise<EntryProof['verifierKeys']> {
  const documents: EntryProof['verifierKeys'][number][] = []
  for await (const name of governance.list(`${VERIFIER_KEYS.folder}/`))
    documents.push({ name, signed: await textOf(governance, name, maxStoredBytes(VERIFIER_KEYS)) })
  return documents.slice(-MAX_KEYS)
}

async function textOf(reader: ObjectReader, name: string, maxBytes = MAX_SMALL_BYTES): Promise<string> {
  const bytes = await reader.read(name, maxBytes)
  if (bytes === undefined) throw absent(name)
  return fromUtf8(bytes, name)
}

function absent(name: string): CodedError {
  return new CodedError('input.unreadable', `${name} is not in the folder`)
}
