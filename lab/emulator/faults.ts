/** Failures on demand, for tests and the demo: an unsigned endpoint on loopback arms them, a matching call takes one. */
import { z } from 'zod'

const FaultSchema = z.strictObject({
  /** A service's name, `kds` for AMD's, or `events` for deliveries to functions. */
  service: z.string(),
  /** All given parts must fit: the method; a part of the path (of the object's name for events); the principal's OCID. */
  match: z
    .strictObject({
      method: z.string().optional(),
      path: z.string().optional(),
      principal: z.string().optional(),
    })
    .optional(),
  /** Answers this status and code instead of serving the call. */
  status: z.int().min(400).max(599).optional(),
  code: z.string().optional(),
  /** Waits before serving. */
  latencyMs: z.int().min(1).max(600_000).optional(),
  /** Cuts the connection: before the call is served, or after, so that only the answer is lost. */
  reset: z.literal(['before', 'after']).optional(),
  /** Of `kds`: answers other bytes, too many, not all of them, or with another address. */
  body: z.literal(['garbage', 'oversized', 'stalled', 'redirect']).optional(),
  /** Delivers the event this many times more. */
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
  /** Throws a ZodError where the value is no fault. */
  readonly arm: (value: unknown) => void
  readonly clear: () => void
  /** What is armed, with how many times are left. */
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
