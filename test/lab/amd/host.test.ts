import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createSocketSource } from '#adapters/sev/socket.ts'
import { toHex } from '#core/bytes.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { parseReport } from '#core/snp/report.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { toUnixSeconds } from '#core/time.ts'
import { openAuthority } from '#lab/amd/authority.ts'
import { createAmdHost } from '#lab/amd/host.ts'
import { parseRequest } from '#lab/amd/report.ts'
import { createFaults } from '#lab/emulator/faults.ts'
import { AMD_STATE, MEASUREMENT, platformOf, testAuthority } from '../../amd.ts'

const amd = await testAuthority()
const folder = await mkdtemp(join(tmpdir(), 'cw-amd-host-'))
after(() => rm(folder, { recursive: true }))
const socketOf = (name: string) => join(folder, `${name}.sock`)
const now = () => toUnixSeconds(Math.floor(Date.now() / 1000))
const REPORT_DATA = Buffer.alloc(64, 7)

const host = await createAmdHost({
  stateDir: AMD_STATE,
  guests: [
    { name: 'host-test-a', socketPath: socketOf('a'), platform: { measurement: MEASUREMENT } },
    {
      name: 'host-test-b',
      socketPath: socketOf('b'),
      platform: { measurement: '00'.repeat(48), guestPolicy: { debug: true }, hostData: '11'.repeat(32) },
    },
    { name: 'host-test-c', platform: { measurement: MEASUREMENT, vmpl: 1 } },
  ],
})

test('each guest gets its own reports, and the production verifier accepts them', async () => {
  await host.start()
  try {
    const roots = new TrustStore(host.roots)
    const [a, b] = await Promise.all(
      ['a', 'b'].map(async (name) => {
        const { report, certs } = await createSocketSource(socketOf(name)).getReport(REPORT_DATA)
        assert.equal((await stat(socketOf(name))).mode & 0o777, 0o600)
        return verifyReport(parseReport(report), certs, { roots, crls: [], at: now() })
      }),
    )
    assert.ok(a && b)
    assert.equal(toHex(a.report.measurement), MEASUREMENT)
    assert.deepEqual([a.report.guestPolicy.debug, b.report.guestPolicy.debug], [false, true])
    assert.equal(toHex(b.report.hostData), '11'.repeat(32))
    assert.deepEqual(a.report.reportData, REPORT_DATA)
    assert.notDeepEqual(a.report.reportId, b.report.reportId)
    assert.equal(a.endorsement.simulated, true)
  } finally {
    await host.stop()
  }
})

test('a fault of the device is failed, altered or late for its guest only', async () => {
  const faults = createFaults()
  const guests = ['a', 'b'].map((name) => ({
    name: `host-test-${name}`,
    socketPath: socketOf(name),
    platform: { measurement: MEASUREMENT },
  }))
  const broken = await createAmdHost({ stateDir: AMD_STATE, guests, faults })
  await broken.start()
  const arm = (fault: object) =>
    faults.arm({ service: 'device', match: { path: 'host-test-a' }, times: 1, ...fault })
  const ask = (name: string) => createSocketSource(socketOf(name)).getReport(REPORT_DATA)
  try {
    for (const [fault, code] of [
      [{ reset: 'before' }, 'sev.failed'],
      [{ status: 500 }, 'sev.failed'],
      [{ body: 'truncated' }, 'sev.failed'],
    ] as const) {
      arm(fault)
      await ask('b')
      await assert.rejects(ask('a'), { code }, JSON.stringify(fault))
    }
    arm({ body: 'corrupted' })
    const { report, certs } = await ask('a')
    const roots = new TrustStore(broken.roots)
    assert.throws(() => verifyReport(parseReport(report), certs, { roots, crls: [], at: now() }))
    arm({ latencyMs: 300 })
    const started = performance.now()
    await ask('a')
    assert.ok(performance.now() - started >= 299)
  } finally {
    await broken.stop()
  }
})

test('a host starts over the socket files of a dead host', async () => {
  await host.start()
  await host.stop()
  const again = await createAmdHost({
    stateDir: AMD_STATE,
    guests: [{ name: 'host-test-a', socketPath: socketOf('a'), platform: { measurement: MEASUREMENT } }],
  })
  await again.start()
  try {
    assert.equal((await createSocketSource(socketOf('a')).getReport(REPORT_DATA)).report.byteLength, 1184)
  } finally {
    await again.stop()
  }
})

test('keys are created once and derived the same way again', async () => {
  const again = await openAuthority(AMD_STATE, 'Genoa')
  assert.deepEqual(again.arkDer, amd.arkDer)
  assert.equal(again.hardwareId, amd.hardwareId)
  const { tcb } = platformOf(amd)
  const [one, two] = [amd, again].map((authority) => authority.endorse(amd.hardwareId, tcb.reported).key)
  assert.ok(one && two?.equals(one))
  assert.ok(!amd.endorse(amd.hardwareId, { ...tcb.reported, snp: 1 }).key.equals(one))
})

test('the hook answers as the firmware of a fake device', () => {
  const hook = new URL('../../../lab/amd/hook.ts', import.meta.url).pathname
  const ask = (guest: string, input: Buffer) =>
    spawnSync(process.execPath, [hook, AMD_STATE, guest], { input, timeout: 20_000 })
  const request = Buffer.alloc(96)
  request.fill(7, 0, 64)
  request.writeUInt32LE(1, 64)

  const given = ask('host-test-c', request)
  assert.equal(given.status, 0, given.stderr.toString())
  const report = parseReport(given.stdout)
  assert.deepEqual(report.reportData, REPORT_DATA)
  assert.equal(report.vmpl, 1)
  const { vcekDer } = amd.endorse(amd.hardwareId, platformOf(amd).tcb.reported)
  assert.equal(
    verifyReport(report, [vcekDer], { roots: new TrustStore(host.roots), crls: [], at: now() }).product,
    'Genoa',
  )

  const privileged = ask('host-test-c', Buffer.alloc(96))
  assert.deepEqual([privileged.status, privileged.stdout.byteLength], [1, 0])
  const unknown = ask('unknown', request)
  assert.deepEqual([unknown.status, unknown.stdout.byteLength], [2, 0])
})

const request = (change: (bytes: Buffer) => void = () => undefined) => {
  const bytes = Buffer.alloc(96)
  change(bytes)
  return bytes
}
for (const [name, bytes] of [
  ['95 bytes', Buffer.alloc(95)],
  ['97 bytes', Buffer.alloc(97)],
  ['VMPL 4', request((b) => b.writeUInt32LE(4, 64))],
  ['a reserved byte', request((b) => b.writeUInt8(1, 95))],
] as const)
  test(`the firmware refuses a request with ${name}`, () => {
    assert.equal(parseRequest(bytes, platformOf(amd)), undefined)
  })

for (const [name, guests] of [
  [
    'the same guest twice',
    [
      { name: 'x', platform: { measurement: MEASUREMENT } },
      { name: 'x', platform: { measurement: MEASUREMENT } },
    ],
  ],
  ['a name with a slash', [{ name: '../x', platform: { measurement: MEASUREMENT } }]],
  ['a measurement of 47 bytes', [{ name: 'x', platform: { measurement: '00'.repeat(47) } }]],
  [
    'a chip of Turin on Genoa',
    [{ name: 'x', platform: { measurement: MEASUREMENT, hardwareId: '11'.repeat(8) } }],
  ],
] as const)
  test(`a host with ${name} is config.invalid`, async () => {
    await assert.rejects(createAmdHost({ stateDir: AMD_STATE, guests }), { code: 'config.invalid' })
  })
