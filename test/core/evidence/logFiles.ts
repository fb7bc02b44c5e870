import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import { utf8 } from '#core/bytes.ts'
import { checkpointName, signCheckpoint } from '#core/evidence/checkpoint.ts'
import { GrowingLog } from '#core/evidence/growth.ts'
import { type NoteKey, noteKey } from '#core/evidence/note.ts'
import { type Ed25519Jwk, exportJwk } from '#core/jwk.ts'
import type { ObjectReader } from '#core/objectReader.ts'

export type Log = {
  readonly boot: string
  readonly key: KeyObject
  readonly jwk: Ed25519Jwk
  readonly note: NoteKey
}

/** Reads a bucket in memory. */
export function readerOf(files: ReadonlyMap<string, Buffer>): ObjectReader {
  return {
    async *list(prefix) {
      for (const name of [...files.keys()].sort()) if (name.startsWith(prefix)) yield name
    },
    read: async (name) => files.get(name),
  }
}

export function newLog(): Log {
  const key = generateKeyPairSync('ed25519').privateKey
  const jwk = exportJwk(key)
  if (jwk.kty !== 'OKP') throw new Error('no Ed25519 key')
  const boot = bootOf(jwk)
  return { boot, key, jwk, note: noteKey(logOrigin('worker', boot), jwk) }
}

/** The objects of a writer without a schema: any bytes as entries, with a checkpoint after each group. */
export function writeLog(
  { boot, key, note }: Log,
  groups: readonly (readonly Uint8Array[])[],
): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  const log = new GrowingLog()
  for (const entries of groups) {
    const { size, root, bundles, hashTiles } = log.grow(entries)
    for (const { name, bytes } of [...bundles, ...hashTiles]) files.set(`${boot}/${name}`, bytes)
    files.set(`${boot}/${checkpointName(size)}`, utf8(signCheckpoint({ origin: note.name, size, root }, key)))
  }
  return files
}
