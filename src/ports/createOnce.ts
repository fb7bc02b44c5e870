/**
 * Settles a create whose answer may have been lost.
 *
 * An adapter sends a create again if no answer came. The second sending then meets the object that the first
 * one stored, and gives `service.conflict`. A conflict alone therefore says only that the name is taken.
 */
import { sameBytes } from '#core/bytes.ts'
import { codeOf } from '#core/errors.ts'
import type { ObjectRef, ObjectStore } from './objectStore.ts'

/**
 * Creates the object. False if the name is taken: by another writer, or by this call if its answer was lost.
 * Every other error is thrown.
 */
export async function createIfAbsent(
  store: Pick<ObjectStore, 'create'>,
  object: ObjectRef,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    await store.create(object, bytes, signal)
    return true
  } catch (error) {
    if (codeOf(error) === 'service.conflict') return false
    throw error
  }
}

/**
 * Creates the object and, if the name is taken, compares what it holds. `ours`: the object is stored with
 * exactly `bytes`. `foreign`: it holds other bytes.
 *
 * To tell writers apart, `bytes` must be unique to this call: signed or random. Every other error is thrown.
 * So is `service.missing` if the name is taken and the object cannot be seen: neither answer would be proved.
 */
export async function createOnce(
  store: Pick<ObjectStore, 'create' | 'read'>,
  object: ObjectRef,
  bytes: Uint8Array,
  signal?: AbortSignal,
): Promise<'ours' | 'foreign'> {
  if (await createIfAbsent(store, object, bytes, signal)) return 'ours'
  // The range ends one byte behind ours, so a longer object differs, however large it is.
  const stored = await store.read(object, { start: 0, end: bytes.byteLength }, undefined, signal)
  return sameBytes(stored, bytes) ? 'ours' : 'foreign'
}
