/**
 * The output contract: the limits of a result. Part of a permission, copied into the grant, enforced in the
 * TEE.
 */
import { z } from 'zod'
import { contentType } from '../fields.ts'

export const OutputContract = z.strictObject({
  contentType,
  /** Limit for the whole result, before padding and sealing. */
  maxBytes: z
    .int()
    .min(1)
    .max(16 * 1024 * 1024 * 1024),
  /** Counts from 1 to `minimumCell - 1` are not shown (CMS: 11); 1 shows all. */
  minimumCell: z.int().min(1).max(1_000_000),
})
export type OutputContract = z.output<typeof OutputContract>
