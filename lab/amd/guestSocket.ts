/**
 * A guest's firmware behind a unix socket, one request per connection. src/adapters/sev/socket.ts describes
 * the wire format. Any process that can connect acts as the guest: the socket's file permissions are the only
 * protection.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { Guest } from './guest.ts'
import { REQUEST_BYTES } from './report.ts'

/** MSG_REPORT_RSP status of the firmware ABI. */
const STATUS = { success: 0, invalidParam: 0x16 } as const
/** A client that sends no request within this time is disconnected. */
const IDLE_MS = 10_000

export function createGuestServer(guest: Guest): Server {
  return createServer((socket) => {
    let request = Buffer.alloc(0)
    socket.setTimeout(IDLE_MS, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      const complete = request.byteLength === REQUEST_BYTES
      request = Buffer.concat([request, chunk.subarray(0, REQUEST_BYTES + 1)])
      if (complete || request.byteLength > REQUEST_BYTES) socket.destroy()
      else if (request.byteLength === REQUEST_BYTES) answer(socket, guest, request)
    })
  })
}

function answer(socket: Socket, guest: Guest, request: Buffer): void {
  const report = guest.report(request)
  if (report === undefined) {
    socket.end(u32(STATUS.invalidParam))
    return
  }
  const certs = guest.certs.map(sized)
  socket.end(Buffer.concat([u32(STATUS.success), sized(report), u32(certs.length), ...certs]))
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([u32(bytes.byteLength), bytes])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
