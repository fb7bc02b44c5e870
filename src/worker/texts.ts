/** Objects that hold a text. */
import { fromUtf8 } from '#core/bytes.ts'
import { codeOf } from '#core/errors.ts'
import type { ObjectRef, ObjectStore } from '#ports/objectStore.ts'

/** Undefined if there is no such object. */
export async function readText(
  store: Pick<ObjectStore, 'readAll'>,
  object: ObjectRef,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return fromUtf8(await store.readAll(object, maxBytes, signal), object.name)
  } catch (error) {
    if (codeOf(error) === 'service.missing') return undefined
    throw error
  }
}
