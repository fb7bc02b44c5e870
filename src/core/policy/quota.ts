/**
 * The quota of a permission: how much may be released in one window. A policy states all three limits, so
 * none is unlimited by omission.
 */
import { z } from 'zod'

/** A month: the lifecycle rule of 64 days deletes no entry of a window that still runs. */
const MAX_HOURS = 744
/** A replica holds the results that a window was charged for, 64 characters each. */
const MAX_RELEASES = 1_000_000

export const Quota = z.strictObject({
  /** Windows begin at multiples of this many hours since the epoch, UTC. */
  hours: z.int().min(1).max(MAX_HOURS),
  /** Of different work: one question about the same objects counts once per window. */
  releases: z.int().min(1).max(MAX_RELEASES),
  objects: z
    .int()
    .min(1)
    .max(MAX_RELEASES * 64),
  /** Of plaintext, as the seal headers say. */
  bytes: z.int().min(1).max(Number.MAX_SAFE_INTEGER),
})
export type Quota = z.output<typeof Quota>
