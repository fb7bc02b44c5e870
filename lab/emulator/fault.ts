/** The faults that tests and schedules arm, as data: whom a fault hits, what it does, and when it is over. */
import { z } from 'zod'

const MAX_MS = 3_600_000

/**
 * What a fault does. `status`, `latencyMs` and `reset` work for every service; each other field says where it
 * works. A field without effect on a service is ignored there.
 */
const effects = {
  /** Answers with this status and code instead of serving the call. For `device`: the firmware refuses. */
  status: z.int().min(400).max(599).optional(),
  code: z.string().optional(),
  /** Waits before serving, and up to `jitterMs` more. On some of the `events`, the jitter reorders them. */
  latencyMs: z.int().min(1).max(MAX_MS).optional(),
  jitterMs: z.int().min(1).max(MAX_MS).optional(),
  /** Cuts the connection: before the call is served, or afterwards, so that only the answer is lost. */
  reset: z.literal(['before', 'after']).optional(),
  /** Half-open: takes the call, neither serves nor answers it, and keeps the connection. Not for `kds`. */
  silent: z.literal(true).optional(),
  /**
   * Answers 2xx with another body. `truncated`: the announced length, half of the bytes, then a cut.
   * `corrupted`: one bit flipped after a quarter. `slow`: in pieces over ten seconds. `kds` knows others: other
   * bytes (`garbage`), too many, an incomplete body without an end, or a redirect.
   */
  body: z
    .literal(['truncated', 'corrupted', 'slow', 'garbage', 'oversized', 'stalled', 'redirect'])
    .optional(),
  /** Only for `events`: delivers the event this many additional times. */
  duplicateEvent: z.int().min(1).max(100).optional(),
  /** Only for `disk`: this many bytes still fit. Without it, none do. */
  freeBytes: z.int().min(0).optional(),
}

export const FaultSchema = z
  .strictObject({
    /**
     * The name of a service of OCI, `federation`, or a part of the laboratory: `kds` of AMD, `device` of a
     * guest, `events` to functions, `reservations` of consumer groups, `disk` of the emulator.
     */
    service: z.string(),
    /**
     * All given fields must match: the method, a substring of the path (of the object's name for `events`, of
     * the guest's name for `device`, of the file for `disk`), the principal's OCID.
     */
    match: z
      .strictObject({
        method: z.string().optional(),
        path: z.string().optional(),
        principal: z.string().optional(),
      })
      .optional(),
    ...effects,
    /** Hits only this share of the matching calls, chosen by a generator with this seed. */
    share: z.number().gt(0).max(1).optional(),
    seed: z.int().min(0).optional(),
    /** Is over after this many hits, or this many milliseconds, whichever comes first. */
    times: z.int().min(1).max(1_000_000).optional(),
    forMs: z.int().min(1).max(MAX_MS).optional(),
  })
  .refine(({ times, forMs }) => times !== undefined || forMs !== undefined, 'needs times or forMs')
export type Fault = z.output<typeof FaultSchema>
