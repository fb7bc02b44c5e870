/**
 * A guest's firmware behind a unix socket, one request per connection. src/adapters/sev/socket.ts describes
 * the wire format. Any process that can connect acts as the guest: the socket's file permissions are the only
 * protection.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault, Faults } from '#lab/emulator/faults.ts'
import type { Guest } from './guest.ts'
import { REQUEST_BYTES } from './report.ts'

/** MSG_REPORT_RSP status of the firmware ABI. */
const STATUS = { success: 0, platformFailure: 0x13, invalidParam: 0x16 } as const
/** Within the report of an answer. */
const MIDDLE = 600
/** A client that sends no request within this time is disconnected. */
const IDLE_MS = 10_000

/** Faults of the device: its path is the guest's name. */
type GuestFaults = { readonly name: string; readonly faults: Pick<Faults, 'take'> | undefined }

export function createGuestServer(guest: Guest, { name, faults }: GuestFaults): Server {
  const next = () => faults?.take({ service: 'device', method: 'REPORT', path: name, principal: undefined })
  return createServer((socket) => {
    let request = Buffer.alloc(0)
    socket.setTimeout(IDLE_MS, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      const complete = request.byteLength === REQUEST_BYTES
      request = Buffer.concat([request, chunk.subarray(0, REQUEST_BYTES + 1)])
      if (complete || request.byteLength > REQUEST_BYTES) socket.destroy()
      else if (request.byteLength === REQUEST_BYTES) void answer(socket, guest, request, next())
    })
  })
}

async function answer(
  socket: Socket,
  guest: Guest,
  request: Buffer,
  fault: Fault | undefined,
): Promise<void> {
  if (fault?.latencyMs !== undefined) await sleep(fault.latencyMs)
  if (fault?.silent) return
  if (fault?.reset !== undefined) {
    socket.destroy()
    return
  }
  if (fault?.status !== undefined) {
    socket.end(u32(STATUS.platformFailure))
    return
  }
  const report = guest.report(request)
  if (report === undefined) {
    socket.end(u32(STATUS.invalidParam))
    return
  }
  const certs = guest.certs.map(sized)
  const whole = Buffer.concat([u32(STATUS.success), sized(report), u32(certs.length), ...certs])
  if (fault?.body === 'corrupted') whole.writeUInt8(whole.readUInt8(MIDDLE) ^ 1, MIDDLE)
  socket.end(fault?.body === 'truncated' ? whole.subarray(0, MIDDLE) : whole)
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([u32(bytes.byteLength), bytes])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
