/** `report take` before an emulated host: what it writes is what `report verify` and `approve` read. */
import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createAmdHost } from '#lab/amd/host.ts'
import { AMD_STATE, MEASUREMENT, testAuthority } from '../../amd.ts'
import { temporaryFolder } from '../../lab/emulator/testEmulator.ts'
import { cli, expectFailure } from '../process.ts'

await testAuthority()

test('takes a report that answers no challenge, with its certificates, into a new folder', async (t) => {
  const folder = await temporaryFolder(t)
  const at = (name: string) => join(folder, name)
  const guest = { name: 'take-test', socketPath: at('guest.sock'), platform: { measurement: MEASUREMENT } }
  const host = await createAmdHost({ stateDir: AMD_STATE, guests: [guest] })
  await host.start()
  t.after(host.stop)
  const config = (simulation: boolean) => ({
    attestation: { source: 'socket', path: guest.socketPath },
    trust: { simulation, client: 'research' },
    batch: {},
  })
  await writeFile(at('worker.json'), JSON.stringify(config(true)))
  await writeFile(at('real.json'), JSON.stringify(config(false)))
  await writeFile(at('none.json'), JSON.stringify({ trust: { simulation: true } }))
  const take = (name: string) => cli('report', 'take', '--config', at(name), '--out', at('machine'))
  expectFailure(await take('none.json'), 'config.invalid', 78)
  expectFailure(await take('real.json'), 'sev.unavailable', 75)
  const { code, stdout, stderr } = await take('worker.json')
  assert.equal(code, 0, stderr)
  const files = ['issuer-1.der', 'leaf.der', 'report.bin']
  assert.deepEqual((await readdir(at('machine'))).sort(), files)
  assert.deepEqual(stdout.trimEnd().split('\n').sort(), files.map((name) => join(at('machine'), name)).sort())
  expectFailure(await take('worker.json'), 'output.exists', 2)

  const judged = await cli(
    ...['report', 'verify', '--report', at('machine/report.bin'), '--certs', at('machine')],
    ...['--roots', AMD_STATE, '--json'],
  )
  const { verdict, report } = JSON.parse(judged.stdout)
  assert.deepEqual([verdict, report.measurement], ['accepted', MEASUREMENT])
  assert.equal(report.reportData, '00'.repeat(64))
})
