import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { encodeTable, GUIDS } from '../certificateTable.ts'
import { buildFakeDevice } from './fakeDevice.ts'

const PROGRAM = fileURLToPath(new URL('./callAddon.ts', import.meta.url))
/**
 * If every call leaked its job (3 to 25 KB), the process would grow by 12 MB or more. `make stress` makes
 * 100,000.
 */
const CALLS = 4000
const MAX_GROWTH = 6_000_000

const device = buildFakeDevice()
after(() => {
  if (typeof device !== 'string') device.remove()
})

test(`${CALLS} calls of each kind leak no memory`, {
  skip: typeof device === 'string' ? device : false,
}, async () => {
  assert.ok(typeof device !== 'string')
  const table = encodeTable([[GUIDS.vcek, Buffer.alloc(1300, 1)]])
  const { exitCode, stdout, stderr } = await device.run('ok', [process.execPath, PROGRAM, String(CALLS)], {
    table,
  })
  assert.equal(exitCode, 0, stderr)
  const growth = z.record(z.string(), z.number()).parse(JSON.parse(stdout))
  for (const [name, bytes] of Object.entries(growth))
    assert.ok(bytes < MAX_GROWTH, `${name}: ${bytes} bytes more`)
})
