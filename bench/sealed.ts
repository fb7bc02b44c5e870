/**
 * Opens and seals objects, compared with AES-256-GCM of the machine's openssl. Both sides count the processor
 * time of all their threads, as `openssl speed` does: megabytes per second of one core, independent of other
 * load.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { loadSegmentCipher } from '#adapters/aead/native.ts'
import { nodeCipher, type SegmentCipher } from '#core/sealed/cipher.ts'
import { openObject, sealObject } from '#core/sealed/object.ts'
import type { Benchmark, Row } from './benchmark.ts'

const SIZE = 64 * 1024 * 1024
/** The chunk size of sockets and file streams. */
const CHUNK_BYTES = 64 * 1024
const MIN_SECONDS = 1.5
const HEADER = 'a.b.c'
const BAR = { atLeast: 0.85 }

export const sealed: Benchmark = {
  name: 'sealed',
  what: 'open and seal an object on one core, compared with openssl speed -evp aes-256-gcm',
  run: async () => {
    const best = loadSegmentCipher()
    const ciphers = [
      { name: 'node:crypto', cipher: nodeCipher },
      ...(best.provider === 'native' ? [{ name: 'native', cipher: best.cipher }] : []),
    ]
    const before = await opensslSpeed()
    const measured: { what: string; value: number; isBest: boolean }[] = []
    for (const { name, cipher } of ciphers) {
      const isBest = cipher === ciphers.at(-1)?.cipher
      const speeds = await measure(cipher)
      measured.push(
        { what: `open, ${name}`, value: speeds.open, isBest },
        { what: `seal, ${name}`, value: speeds.seal, isBest },
      )
    }
    const limit = (before + (await opensslSpeed())) / 2
    return measured.map(({ what, value, isBest }): Row => {
      const row = { what, unit: 'MB/s', measured: value, against: 'openssl speed', limit }
      return isBest ? { ...row, bar: BAR } : row
    })
  },
}

async function measure(cipher: SegmentCipher): Promise<{ readonly open: number; readonly seal: number }> {
  const dek = randomBytes(32)
  const plaintext = randomBytes(SIZE)
  const options = { headerJws: HEADER, dek, size: SIZE, cipher, ownership: 'lent' } as const
  const object: Buffer[] = []
  for await (const chunk of sealObject({ ...options, ownership: 'given', chunks: chunked(plaintext) })) {
    object.push(chunk)
  }
  // Magic, length and header are the first chunk.
  const ciphertext = Buffer.concat(object.slice(1))
  return {
    open: await speedOf(() => openObject({ ...options, chunks: chunked(ciphertext) })),
    seal: await speedOf(() => sealObject({ ...options, chunks: chunked(plaintext) })),
  }
}

/** MB of plaintext per second of processor time, after one warm-up run. */
async function speedOf(start: () => AsyncIterable<Uint8Array>): Promise<number> {
  await drain(start())
  const from = process.cpuUsage()
  let seconds = 0
  let runs = 0
  while (seconds < MIN_SECONDS) {
    await drain(start())
    runs++
    const { user, system } = process.cpuUsage(from)
    seconds = (user + system) / 1e6
  }
  return (runs * SIZE) / 1e6 / seconds
}

async function drain(stream: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of stream) void chunk
}

function* chunked(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.byteLength; start += CHUNK_BYTES)
    yield bytes.subarray(start, start + CHUNK_BYTES)
}

/** MB per second of processor time, in blocks of segment length. */
async function opensslSpeed(): Promise<number> {
  const { stdout } = await promisify(execFile)('openssl', [
    'speed',
    ...['-mr', '-evp', 'aes-256-gcm', '-bytes', '262144', '-seconds', '2'],
  ])
  // "+F:22:AES-256-GCM:3234070528.00", bytes per second
  const speed = Number(/^\+F:\d+:AES-256-GCM:([\d.]+)$/m.exec(stdout)?.[1])
  if (!(speed > 0)) throw new Error('openssl speed printed no figure')
  return speed / 1e6
}
