/**
 * Failures on demand, for tests and the demo. The control endpoint arms them; each matching call uses one up.
 */
import { mulberry32 } from '#lab/mulberry32.ts'
import { type Fault, FaultSchema } from './fault.ts'

export type { Fault } from './fault.ts'

type Call = {
  readonly service: string
  readonly method: string
  readonly path: string
  readonly principal: string | undefined
  /** The bytes that a write to the disk adds. */
  readonly bytes?: number
}

export type Faults = {
  /** Throws a ZodError if the value is not a valid fault. */
  readonly arm: (value: unknown) => void
  readonly clear: () => void
  /** The armed faults with the uses, milliseconds and bytes that are left. */
  readonly list: () => readonly Fault[]
  /** The first armed fault that hits the call. Its latency includes the jitter of this call. */
  readonly take: (call: Call) => Fault | undefined
}

/** An armed fault, what is left of it, and its own sequence of random numbers. */
type Armed = {
  readonly fault: Fault
  readonly until: number
  readonly random: () => number
  timesLeft: number
  bytesLeft: number
}

/** `now` is in milliseconds and never goes back, so that no clock jump ends or prolongs a fault. */
export function createFaults(now: () => number = () => performance.now()): Faults {
  let armed: Armed[] = []
  const present = (): readonly Armed[] => {
    armed = armed.filter(({ until, timesLeft }) => until > now() && timesLeft > 0)
    return armed
  }
  return {
    arm: (value) => {
      const fault = FaultSchema.parse(value)
      armed.push({
        fault,
        until: now() + (fault.forMs ?? Number.POSITIVE_INFINITY),
        random: mulberry32(fault.seed ?? 0),
        timesLeft: fault.times ?? Number.POSITIVE_INFINITY,
        bytesLeft: fault.freeBytes ?? 0,
      })
    },
    clear: () => {
      armed = []
    },
    list: () => present().map((each) => left(each, now())),
    take: (call) => {
      for (const each of present()) {
        if (!fits(each.fault, call) || !hits(each, call)) continue
        each.timesLeft -= 1
        return withJitter(each)
      }
      return undefined
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

/** Whether this call belongs to the fault's share, and no longer fits into its free bytes. */
function hits(each: Armed, { bytes = 0 }: Call): boolean {
  if (each.fault.share !== undefined && each.random() >= each.fault.share) return false
  if (bytes > each.bytesLeft || each.fault.freeBytes === undefined) return true
  each.bytesLeft -= bytes
  return false
}

function withJitter({ fault, random }: Armed): Fault {
  const { latencyMs, jitterMs } = fault
  if (jitterMs === undefined) return fault
  return { ...fault, latencyMs: (latencyMs ?? 0) + Math.ceil(random() * jitterMs) }
}

function left({ fault, until, timesLeft, bytesLeft }: Armed, at: number): Fault {
  return {
    ...fault,
    ...(fault.times !== undefined && { times: timesLeft }),
    ...(fault.forMs !== undefined && { forMs: Math.ceil(until - at) }),
    ...(fault.freeBytes !== undefined && { freeBytes: bytesLeft }),
  }
}
