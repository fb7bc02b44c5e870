/** Short texts in the pool's state bucket. */
import { codeOf } from '#core/errors.ts'
import type { Boot } from './boot.ts'

/** At most `maxBytes` of the object's beginning; undefined if there is no such object. */
export async function readStateText(
  { store, buckets }: Pick<Boot, 'store' | 'buckets'>,
  name: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const range = { start: 0, end: maxBytes - 1 }
    const bytes = await store.read({ ...buckets.state, name }, range, undefined, signal)
    // Latin-1 takes any byte: what is no text of ours is ignored by its reader, and sets no job aside.
    return bytes.toString('latin1')
  } catch (error) {
    if (codeOf(error) === 'service.missing') return undefined
    throw error
  }
}
