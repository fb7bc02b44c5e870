/** Governance documents: signed, put into a bucket or folder, found by their number, hidden from listings. */
import assert from 'node:assert/strict'
import { utf8 } from '#core/bytes.ts'
import type { Signer } from '#core/jws.ts'
import { type GovernanceDocument, type Kind, readDocument, signDocument } from '#core/policy/document.ts'
import { documentPrefix } from '#core/policy/objectName.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { root, signers } from './core/release/releaseWorld.ts'

type Bucket = { readonly namespace: string; readonly bucket: string }

/** A signed document as a bucket would give it back; by default a quorum has signed it. */
export async function documentOf<T extends { readonly seq: number }>(
  kind: Kind<T>,
  content: T,
  by: readonly Signer[] = signers.slice(0, 2),
): Promise<GovernanceDocument<T>> {
  const { name, signed } = await signDocument(kind, content, by)
  return readDocument(kind, name, utf8(JSON.stringify(signed)), root)
}

/** Creates the object of a signed document. Returns its name. */
export async function putDocument<T extends { readonly seq: number }>(
  store: Pick<ObjectStore, 'create'>,
  bucket: Bucket,
  { kind, content, by }: { readonly kind: Kind<T>; readonly content: T; readonly by: readonly Signer[] },
): Promise<string> {
  const { name, signed } = await signDocument(kind, content, by)
  await store.create({ ...bucket, name }, utf8(JSON.stringify(signed)))
  return name
}

/** A store whose listings leave out what is hidden: always, or so many times. */
export function hidingStore(store: ObjectStore) {
  const hidden = new Map<string, number>()
  const shown: ObjectStore = {
    ...store,
    list: async function* (...parameters) {
      for await (const object of store.list(...parameters)) {
        const times = hidden.get(object.name) ?? 0
        if (times === 0) yield object
        else hidden.set(object.name, times - 1)
      }
    },
  }
  return {
    store: shown,
    hide: (name: string, times = Number.POSITIVE_INFINITY) => hidden.set(name, times),
    show: () => hidden.clear(),
  }
}

/** The name of the only document of this number. */
export async function nameOfDocument(
  store: Pick<ObjectStore, 'list'>,
  bucket: Bucket,
  folder: string,
  seq: number,
): Promise<string> {
  const found = await Array.fromAsync(store.list(bucket, documentPrefix(folder, seq)))
  const [document] = found
  assert.ok(document !== undefined && found.length === 1, `${folder} ${seq}: ${found.length} documents`)
  return document.name
}
