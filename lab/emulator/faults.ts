/**
 * Failures on demand, for tests and the demo. The control endpoint arms them; each matching call uses one up.
 */
import { z } from 'zod'

const FaultSchema = z.strictObject({
  /** The name of a service, `kds` for AMD's, or `events` for deliveries to functions. */
  service: z.string(),
  /**
   * All given fields must match: the method, a substring of the path (for events: of the object's name), the
   * principal's OCID.
   */
  match: z
    .strictObject({
      method: z.string().optional(),
      path: z.string().optional(),
      principal: z.string().optional(),
    })
    .optional(),
  /** Answers with this status and code instead of serving the call. */
  status: z.int().min(400).max(599).optional(),
  code: z.string().optional(),
  /** Waits before serving. */
  latencyMs: z.int().min(1).max(600_000).optional(),
  /** Cuts the connection: before the call is served, or afterwards, so that only the answer is lost. */
  reset: z.literal(['before', 'after']).optional(),
  /** Only for `kds`: answers with other bytes, too many, an incomplete body, or a redirect. */
  body: z.literal(['garbage', 'oversized', 'stalled', 'redirect']).optional(),
  /** Delivers the event this many additional times. */
  duplicateEvent: z.int().min(1).max(100).optional(),
  times: z.int().min(1).max(1_000_000),
})
export type Fault = z.output<typeof FaultSchema>

type Call = {
  readonly service: string
  readonly method: string
  readonly path: string
  readonly principal: string | undefined
}

export type Faults = {
  /** Throws a ZodError if the value is not a valid fault. */
  readonly arm: (value: unknown) => void
  readonly clear: () => void
  /** The armed faults with the uses that are left. */
  readonly list: () => readonly Fault[]
  readonly take: (call: Call) => Fault | undefined
}

export function createFaults(): Faults {
  let armed: Fault[] = []
  return {
    arm: (value) => {
      armed.push(FaultSchema.parse(value))
    },
    clear: () => {
      armed = []
    },
    list: () => armed,
    take: (call) => {
      const index = armed.findIndex((fault) => fits(fault, call))
      const fault = armed[index]
      if (fault === undefined) return undefined
      if (fault.times === 1) armed.splice(index, 1)
      else armed[index] = { ...fault, times: fault.times - 1 }
      return fault
    },
  }
}

function fits({ service, match }: Fault, call: Call): boolean {
  return (
    service === call.service &&
    (match?.method === undefined || match.method === call.method) &&
    (match?.path === undefined || call.path.includes(match.path)) &&
    (match?.principal === undefined || match.principal === call.principal)
  )
}
