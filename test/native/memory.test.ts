import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { lackOfAddon } from './fakeDevice.ts'

const PROGRAM = fileURLToPath(new URL('./callAddon.ts', import.meta.url))
/** 10,000 calls that each lost their job (3 to 5 KB) would cost 30 to 50 MB. */
const MAX_GROWTH = 12_000_000

test('ten thousand calls of each kind leave nothing behind', { skip: lackOfAddon() ?? false }, () => {
  const output = execFileSync(process.execPath, [PROGRAM], { encoding: 'utf8' })
  const growth = z.record(z.string(), z.number()).parse(JSON.parse(output))
  for (const [name, bytes] of Object.entries(growth))
    assert.ok(bytes < MAX_GROWTH, `${name}: ${bytes} bytes more`)
})
