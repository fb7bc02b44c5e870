/**
 * Reports from a unix socket, which stands in for the device. Used only in a simulation.
 *
 * The wire. Integers are big-endian, except inside the request and the report. The client sends struct
 * snp_report_req of linux/sev-guest.h: 96 bytes, user_data[64], vmpl u32 little-endian, 28 zeros. The server
 * answers `u32 status`, and after the status 0
 * `u32 length ‖ report ‖ u32 count ‖ count × (u32 length ‖ certificate in DER)`, the VCEK or VLEK first. Then
 * it
 * closes: one request per connection.
 */
import { createConnection, type Socket } from 'node:net'
import PQueue from 'p-queue'
import { sameBytes } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { FIELDS, MAX_CERTIFICATE_BYTES, REPORT_BYTES } from '#core/snp/layout.ts'
import type { ReportSource } from '#ports/reportSource.ts'

const MAX_CERTIFICATES = 3
const MAX_ANSWER_BYTES = 12 + REPORT_BYTES + MAX_CERTIFICATES * (4 + MAX_CERTIFICATE_BYTES)
const TIMEOUT_MS = 10_000

/**
 * `sev.unavailable`: nothing listens at `path`. `sev.busy`: the connection breaks, or the answer takes longer
 * than ten seconds. `sev.failed`: the answer does not have the form above, or the report is about other data.
 */
export function createSocketSource(path: string): ReportSource {
  const queue = new PQueue({ concurrency: 1 })
  return {
    kind: 'socket',
    // A simulated host that stops may start again.
    lost: () => undefined,
    getReport: async (reportData, signal) => {
      const request = encodeRequest(reportData)
      const ask = async () => parseAnswer(await exchange(path, request, signal))
      const answer = await queue.add(ask, signal === undefined ? {} : { signal })
      const { at, size } = FIELDS.reportData
      if (!sameBytes(answer.report.subarray(at, at + size), request.subarray(0, size)))
        throw new CodedError('sev.failed', `${path} gave a report about other data than requested`)
      return answer
    },
  }
}

function encodeRequest(reportData: Uint8Array): Buffer {
  if (reportData.byteLength !== FIELDS.reportData.size)
    throw new RangeError(`REPORT_DATA has ${reportData.byteLength} bytes, not ${FIELDS.reportData.size}`)
  // VMPL 0 and the reserved bytes are zeros.
  return Buffer.concat([reportData, Buffer.alloc(32)])
}

async function exchange(path: string, request: Buffer, signal: AbortSignal | undefined): Promise<Buffer> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const ended = signal === undefined ? timeout : AbortSignal.any([signal, timeout])
  const socket = createConnection({ path })
  const abort = () => socket.destroy()
  ended.addEventListener('abort', abort, { once: true })
  try {
    socket.write(request)
    return await readAll(socket)
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof CodedError) throw cause
    const absent = cause instanceof Error && 'syscall' in cause && cause.syscall === 'connect'
    throw new CodedError(
      absent ? 'sev.unavailable' : 'sev.busy',
      absent ? `nothing listens at ${path}` : `${path} gave no report`,
      { cause },
    )
  } finally {
    ended.removeEventListener('abort', abort)
    socket.destroy()
  }
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of socket) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size > MAX_ANSWER_BYTES)
      throw new CodedError('sev.failed', `an answer has more than ${MAX_ANSWER_BYTES} bytes`)
  }
  return Buffer.concat(chunks)
}

function parseAnswer(answer: Buffer): { readonly report: Buffer; readonly certs: readonly Buffer[] } {
  let at = 0
  const take = (size: number): Buffer => {
    if (size > answer.byteLength - at) throw new CodedError('sev.failed', 'an answer ends too early')
    at += size
    return answer.subarray(at - size, at)
  }
  const u32 = () => take(4).readUInt32BE()

  const status = u32()
  if (status !== 0) throw new CodedError('sev.failed', `the firmware answered with status ${status}`)
  const size = u32()
  if (size !== REPORT_BYTES)
    throw new CodedError('sev.failed', `an answer has a report of ${size} bytes, not ${REPORT_BYTES}`)
  const report = take(size)
  const count = u32()
  if (count > MAX_CERTIFICATES)
    throw new CodedError(
      'sev.failed',
      `an answer has ${count} certificates, the limit is ${MAX_CERTIFICATES}`,
    )
  const certs = Array.from({ length: count }, () => take(u32()))
  if (at !== answer.byteLength) throw new CodedError('sev.failed', 'an answer has bytes behind its end')
  return { report, certs }
}
