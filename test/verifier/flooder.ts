/**
 * `node flooder.ts FLOOD PORT FILE PART`: one hostile client as a process of its own, until its standard input
 * ends. FILE has the CA, a certificate with its key for each flood, and a well-formed request with a nonce that
 * no Verifier made. PART divides the number of the client's connections. It prints one line when the flood has
 * begun.
 */
import { readFileSync } from 'node:fs'
import { Agent, request as httpsRequest } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { z } from 'zod'

const [flood = '', portText = '', path = '', part = ''] = process.argv.slice(2)
const port = Number(portText)
const File = z.object({
  ca: z.string(),
  identities: z.record(z.string(), z.object({ cert: z.string(), key: z.string() })),
  request: z.looseObject({ jobs: z.string() }),
})
const { ca, identities, request } = File.parse(JSON.parse(readFileSync(path, 'utf8')))
const host = '127.0.0.1'
const MIB = 1024 * 1024
/** Not the address of the good client: what strangers spend is counted by address. */
const localAddress = '127.0.0.2'
const agent = new Agent({ keepAlive: true, localAddress, ca, ...identities[flood] })

/** Runs `once` in so many places, or in PART of them, each again when it is over. */
function forever(places: number, once: () => Promise<void>): void {
  const again = async () => {
    for (;;) await once()
  }
  for (let place = 0; place < places / Number(part); place += 1) void again()
}

const post = (body: string | Buffer, path = '/v1/releases', length = Buffer.byteLength(body)) =>
  new Promise<void>((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': length }
    const sent = httpsRequest({ host, port, path, method: 'POST', headers, agent }, (answer) =>
      answer.resume(),
    )
    sent.on('error', () => {}).on('close', resolve)
    if (Buffer.byteLength(body) < length) sent.write(body)
    else sent.end(body)
  })

const tcp = (bytes: string | Buffer) =>
  new Promise<void>((resolve) => {
    const socket = connectTcp({ host, port, localAddress })
    socket.on('error', () => {}).on('close', () => resolve())
    socket.resume()
    if (bytes.length > 0) socket.write(bytes)
  })

const strangers = () =>
  new Promise<void>((resolve) => {
    const socket = connectTls({ socket: connectTcp({ host, port, localAddress }), ca, host })
    socket.on('error', () => {}).on('close', () => resolve())
    socket.resume()
  })

const unknownKeys = `{${Array.from({ length: 150_000 }, (_, index) => `"k${index}":1`).join(',')}}`
const largeJobs = JSON.stringify({ ...request, jobs: 'A'.repeat(1.7 * MIB) })

const FLOODS: Readonly<Record<string, () => void>> = {
  'idle connections': () => forever(2048, () => tcp('')),
  'unfinished bodies': () => forever(128, () => post('{', '/v1/releases', MIB)),
  nests: () => forever(16, () => post('['.repeat(1.6 * MIB))),
  'unknown keys': () => forever(16, () => post(unknownKeys)),
  'bogus nonces': () => forever(16, () => post(largeJobs)),
  garbage: () => forever(64, () => tcp('GET / HTTP/1.1\r\n\r\n')),
  strangers: () => forever(32, strangers),
  challenges: () => forever(64, () => post('', '/v1/challenges')),
  'oversized bodies': () => forever(16, () => post(Buffer.alloc(2 * MIB, 0x20))),
}

const begin = FLOODS[flood]
if (begin === undefined) throw new Error(`no flood is named "${flood}"`)
begin()
// Whoever started it may end without a word.
process.stdin.resume().once('close', () => process.exit())
process.stdout.write('begun\n')
