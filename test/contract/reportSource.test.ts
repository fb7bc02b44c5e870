import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { createSocketSource } from '#adapters/sev/socket.ts'
import { createAmdHost } from '#lab/amd/host.ts'
import { AMD_STATE, MEASUREMENT } from '../amd.ts'
import { testReportSource } from './reportSource.ts'

const folder = await mkdtemp(join(tmpdir(), 'cw-report-source-'))
const socketPath = join(folder, 'guest.sock')
const host = await createAmdHost({
  stateDir: AMD_STATE,
  guests: [{ name: 'contract', socketPath, platform: { measurement: MEASUREMENT } }],
})
await host.start()
after(async () => {
  await host.stop()
  await rm(folder, { recursive: true })
})

testReportSource('socket', () => createSocketSource(socketPath))
