/**
 * The highest memory of a worker's process on hard objects, compared with the formula of src/worker/memory.ts.
 * Resident memory does not depend on the load of the machine.
 */
import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { loadSegmentCipher } from '#adapters/aead/native.ts'
import { nodeOptionsFor } from '#adapters/system/nodeOptions.ts'
import { sealObject } from '#core/sealed/object.ts'
import { memoryOf } from '../src/worker/memory.ts'
import type { Benchmark, Row } from './benchmark.ts'
import { HARD_DEK, HARD_HEADER, HARD_OBJECTS, type HardObject } from './hardObjects.ts'

const PROGRAM = fileURLToPath(new URL('./memoryProcess.ts', import.meta.url))
const CONCURRENCY = [1, 2, 4] as const

export const memory: Benchmark = {
  name: 'memory',
  what: 'the highest memory of a worker on hard objects, compared with src/worker/memory.ts (20 minutes)',
  run: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cw-bench-memory-'))
    try {
      const rows: Row[] = []
      for (const object of HARD_OBJECTS) {
        const file = join(folder, object.name)
        const size = await seal(object, file)
        for (const count of CONCURRENCY) {
          const { peakMib, endings } = await measure(object, file, size, count)
          rows.push({
            what: `${object.name} × ${count}: ${endings.join(', ')}`,
            unit: 'MiB',
            measured: peakMib,
            against: `memoryOf(${count})`,
            limit: memoryOf(count),
            bar: { atMost: 1 },
          })
        }
        await rm(file)
      }
      return rows
    } finally {
      await rm(folder, { recursive: true })
    }
  },
}

/** Writes the sealed object. Returns the bytes of its plaintext. */
async function seal({ chunks }: HardObject, file: string): Promise<number> {
  let size = 0
  for (const chunk of chunks()) size += chunk.byteLength
  const { cipher } = loadSegmentCipher()
  await pipeline(
    sealObject({ headerJws: HARD_HEADER, dek: HARD_DEK, chunks: chunks(), size, cipher }),
    createWriteStream(file),
  )
  return size
}

type Measured = { readonly peakMib: number; readonly endings: readonly string[] }

/** In a cgroup, Node takes half of the memory as the limit of its heap. */
async function measure(
  { threshold }: HardObject,
  file: string,
  size: number,
  count: number,
): Promise<Measured> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...nodeOptionsFor('src/worker/main.ts'),
    `--max-old-space-size=${Math.floor(memoryOf(count) / 2)}`,
    PROGRAM,
    ...[file, threshold, size, count].map(String),
  ])
  return JSON.parse(stdout)
}
