import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createSocketSource } from '#adapters/sev/socket.ts'
import { mint, testAuthority } from '../../amd.ts'

const amd = await testAuthority()
const folder = await mkdtemp(join(tmpdir(), 'cw-sev-socket-'))
const servers: Server[] = []
after(async () => {
  for (const server of servers) server.close()
  await rm(folder, { recursive: true })
})

/** A server that can do anything with a connection. */
async function serve(handle: (socket: Socket, request: Buffer) => void): Promise<string> {
  const path = join(folder, `${servers.length}.sock`)
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (request) => handle(socket, request))
  })
  servers.push(server)
  server.listen(path)
  await once(server, 'listening')
  return path
}

const REPORT_DATA = Buffer.alloc(64, 0x5a)
const { bytes: report, certs } = mint(amd, {}, { reportData: REPORT_DATA })
const [vcek = Buffer.alloc(0)] = certs

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const sized = (bytes: Buffer) => Buffer.concat([u32(bytes.byteLength), bytes])
const GOOD = Buffer.concat([u32(0), sized(report), u32(2), sized(vcek), sized(amd.askDer)])

test('asks for its report data at VMPL 0 and returns report and certificates', async () => {
  let asked: Buffer = Buffer.alloc(0)
  const path = await serve((socket, request) => {
    asked = request
    for (const byte of GOOD) socket.write(Buffer.of(byte))
    socket.end()
  })
  const given = await createSocketSource(path).getReport(REPORT_DATA)
  assert.deepEqual(asked, Buffer.concat([REPORT_DATA, Buffer.alloc(32)]))
  assert.deepEqual(given, { report, certs: [vcek, amd.askDer] })
})

test('one request is in flight at a time', async () => {
  let open = 0
  let most = 0
  const path = await serve((socket) => {
    open += 1
    most = Math.max(most, open)
    setImmediate(() => {
      open -= 1
      socket.end(GOOD)
    })
  })
  const source = createSocketSource(path)
  await Promise.all(Array.from({ length: 4 }, () => source.getReport(REPORT_DATA)))
  assert.equal(most, 1)
})

for (const [name, answer] of [
  ['a status', u32(0x16)],
  ['nothing', Buffer.alloc(0)],
  ['a status of three bytes', Buffer.alloc(3)],
  ['a report of 1183 bytes', Buffer.concat([u32(0), sized(report.subarray(1)), u32(0)])],
  [
    'a report of 1185 bytes',
    Buffer.concat([u32(0), sized(Buffer.concat([report, Buffer.alloc(1)])), u32(0)]),
  ],
  ['a report cut short', Buffer.concat([u32(0), u32(1184), report.subarray(1)])],
  ['no count', Buffer.concat([u32(0), sized(report)])],
  ['four certificates', Buffer.concat([u32(0), sized(report), u32(4), ...Array(4).fill(sized(vcek))])],
  ['a count beyond its bytes', Buffer.concat([u32(0), sized(report), u32(2), sized(vcek)])],
  ['a certificate of 2^32 − 1 bytes', Buffer.concat([u32(0), sized(report), u32(1), u32(0xffff_ffff)])],
  ['a byte behind the end', Buffer.concat([GOOD, Buffer.alloc(1)])],
  ['a flood', Buffer.alloc(100_000)],
  [
    'a report about other data',
    Buffer.concat([u32(0), sized(mint(amd, {}, { reportData: Buffer.alloc(64) }).bytes), u32(0)]),
  ],
] as const)
  test(`refuses ${name}`, async () => {
    const path = await serve((socket) => socket.end(answer))
    await assert.rejects(createSocketSource(path).getReport(REPORT_DATA), {
      name: 'CodedError',
      code: 'sev.failed',
    })
  })

test('a host that is absent, or disappears', async () => {
  await assert.rejects(createSocketSource(join(folder, 'none.sock')).getReport(REPORT_DATA), {
    code: 'sev.unavailable',
  })
  const path = await serve((socket) => socket.destroy())
  await assert.rejects(createSocketSource(path).getReport(REPORT_DATA), { name: 'CodedError' })
})

test('an aborted request rejects with its reason, and the next one is served', async () => {
  const abort = new AbortController()
  let silent = true
  const path = await serve((socket) => {
    if (!silent) return void socket.end(GOOD)
    silent = false
    abort.abort(new Error('drained'))
  })
  const source = createSocketSource(path)
  await assert.rejects(source.getReport(REPORT_DATA, abort.signal), { message: 'drained' })
  await assert.rejects(source.getReport(REPORT_DATA, abort.signal), { message: 'drained' })
  assert.deepEqual((await source.getReport(REPORT_DATA)).report, report)
})

test('report data have 64 bytes', async () => {
  await assert.rejects(createSocketSource('/nowhere').getReport(Buffer.alloc(63)), { name: 'RangeError' })
})
