/** Governance documents in a bucket or folder, found by their number. */
import assert from 'node:assert/strict'
import { documentPrefix } from '#core/policy/objectName.ts'
import type { ObjectStore } from '#ports/objectStore.ts'

/** The name of the only document of this number. */
export async function nameOfDocument(
  store: Pick<ObjectStore, 'list'>,
  bucket: { readonly namespace: string; readonly bucket: string },
  folder: string,
  seq: number,
): Promise<string> {
  const found = await Array.fromAsync(store.list(bucket, documentPrefix(folder, seq)))
  const [document] = found
  assert.ok(document !== undefined && found.length === 1, `${folder} ${seq}: ${found.length} documents`)
  return document.name
}
