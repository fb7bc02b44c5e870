/** A client of the emulator's own endpoint: arms faults and reads what calls it served. */
import { z } from 'zod'
import { CodedError } from '#core/errors.ts'

const HTTP_MILLISECONDS = 10_000

const ArmedFaults = z.array(
  z.looseObject({ match: z.looseObject({ principal: z.string().optional() }).optional() }),
)
const Calls = z.array(z.object({ call: z.string(), status: z.int(), count: z.int() }))

export type EmulatorControl = {
  readonly arm: (fault: object) => Promise<void>
  readonly clearFaults: () => Promise<void>
  /** The faults that are armed and not yet used up. */
  readonly armed: () => Promise<z.output<typeof ArmedFaults>>
  /** How often each call was answered with each status. */
  readonly calls: () => Promise<z.output<typeof Calls>>
}

export function createEmulatorControl(endpoint: string): EmulatorControl {
  const call = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`${endpoint}/emulator/${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(HTTP_MILLISECONDS),
    })
    if (!response.ok)
      throw new CodedError('internal.fault', `the emulator answered ${response.status} to ${method} ${path}`)
    return await response.json()
  }
  return {
    arm: async (fault) => {
      await call('POST', 'faults', fault)
    },
    clearFaults: async () => {
      await call('DELETE', 'faults')
    },
    armed: async () => ArmedFaults.parse(await call('GET', 'faults')),
    calls: async () => Calls.parse(await call('GET', 'calls')),
  }
}
