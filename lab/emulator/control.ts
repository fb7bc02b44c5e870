/** The emulator's own endpoint, unsigned and on loopback only: arms faults and shows state that OCI hides. */
import type { IncomingMessage } from 'node:http'
import { ZodError, z } from 'zod'
import { parseJson } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { ocid } from '#core/fields.ts'
import { readBody } from './exchange.ts'
import type { Faults } from './faults.ts'
import { notAuthorizedOrNotFound, OciError, type ServiceResponse } from './service.ts'

export const CONTROL_PREFIX = '/emulator/'
const RotationSchema = z.strictObject({ id: ocid })
const ClockSchema = z.strictObject({ offsetSeconds: z.int().min(-86_400).max(86_400) })
const MAX_BODY_BYTES = 64 * 1024
/** Calls are counted by the first segments of the path; the rest only names one object or message. */
const PATH_HEAD = /^(?:\/[^/?]*){1,5}/

/** Counts calls by their status. */
export type Calls = {
  readonly count: (request: IncomingMessage, status: number) => void
  readonly list: () => readonly { readonly call: string; readonly status: number; readonly count: number }[]
}

export function createCalls(): Calls {
  const counts = new Map<string, number>()
  return {
    count: ({ method = '', url = '' }, status) => {
      const key = `${status} ${method} ${PATH_HEAD.exec(url)?.[0] ?? ''}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    },
    list: () =>
      [...counts].map(([key, count]) => ({ call: key.slice(4), status: Number(key.slice(0, 3)), count })),
  }
}

export async function answerControl(
  parts: {
    readonly faults: Faults
    readonly calls: Calls
    /** Moves the emulator's clock, with its dates and its checks, this far from the machine's. */
    readonly setClock: (offsetSeconds: number) => void
    /** Gives a key or secret a new version, durably. Undefined if there is no such one. */
    readonly rotate: (id: string) => Promise<string | undefined>
    readonly inspect: () => Readonly<Record<string, unknown>>
  },
  method: string,
  path: string,
  request: IncomingMessage,
): Promise<ServiceResponse> {
  const { faults, calls, setClock, rotate, inspect } = parts
  switch (`${method} ${path.slice(CONTROL_PREFIX.length)}`) {
    case 'GET faults':
      return { status: 200, json: faults.list() }
    case 'POST faults':
      armFault(faults, await readBody(request, MAX_BODY_BYTES))
      return { status: 200, json: faults.list() }
    case 'DELETE faults':
      faults.clear()
      return { status: 200, json: [] }
    case 'POST clock':
      setClock(read(ClockSchema, await readBody(request, MAX_BODY_BYTES), 'clock').offsetSeconds)
      return { status: 200, json: {} }
    case 'POST versions': {
      const { id } = read(RotationSchema, await readBody(request, MAX_BODY_BYTES), 'key or secret')
      const version = await rotate(id)
      if (version === undefined) throw notAuthorizedOrNotFound()
      return { status: 200, json: { id, version } }
    }
    case 'GET calls':
      return { status: 200, json: calls.list() }
    case 'GET state':
      return { status: 200, json: inspect() }
    default:
      throw new OciError(404, 'NotFound', 'no such path in the emulator')
  }
}

function read<Schema extends z.ZodType>(schema: Schema, body: Buffer, what: string): z.output<Schema> {
  try {
    return schema.parse(parseJson(body, what))
  } catch (error) {
    if (error instanceof ZodError || error instanceof CodedError)
      throw new OciError(400, 'InvalidParameter', `the ${what} is malformed`)
    throw error
  }
}

function armFault(faults: Faults, body: Buffer): void {
  try {
    faults.arm(parseJson(body, 'fault'))
  } catch (error) {
    if (error instanceof ZodError || error instanceof CodedError)
      throw new OciError(400, 'InvalidParameter', 'the fault is malformed')
    throw error
  }
}
