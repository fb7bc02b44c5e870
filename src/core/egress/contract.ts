/**
 * The output contract: the limits of a result. Part of a permission, copied into the grant, enforced in the
 * TEE.
 */
import { z } from 'zod'
import { contentType } from '../fields.ts'

/** What keeps a result from telling about single persons. */
export const Disclosure = z.discriminatedUnion('form', [
  /** Every cell is shown. */
  z.strictObject({ form: z.literal('exact') }),
  z.strictObject({
    form: z.literal('threshold'),
    /** A cell of fewer persons is not shown (CMS: 11). */
    k: z.int().min(2).max(1_000_000),
    /** The most that one person may add to a cell. Null: no limit, the only value of this version. */
    cap: z.null(),
  }),
])
export type Disclosure = z.output<typeof Disclosure>

export const OutputContract = z.strictObject({
  contentType,
  /** Limit for the whole result, before padding and sealing. */
  maxBytes: z
    .int()
    .min(1)
    .max(16 * 1024 * 1024 * 1024),
  disclosure: Disclosure,
})
export type OutputContract = z.output<typeof OutputContract>

/** The persons that a cell must have to be shown. */
export function leastPersons(disclosure: Disclosure): number {
  return disclosure.form === 'exact' ? 1 : disclosure.k
}
