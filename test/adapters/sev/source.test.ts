import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openDevice } from '#adapters/sev/device.ts'
import { createFirmwareSource } from '#adapters/sev/firmware.ts'
import { createReportSource, ReportSourceConfig } from '#adapters/sev/source.ts'
import { loadAddon } from '#adapters/system/addon.ts'
import { virtualClock } from '../../clock.ts'
import { linesOf } from '../../log.ts'

const folder = mkdtempSync(join(tmpdir(), 'source-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const skip = loadAddon() instanceof Error ? 'the native addon is not built' : false

const socketConfig = ReportSourceConfig.parse({ source: 'socket', path: join(folder, 'socket') })
const around = (simulation = false) => {
  const { log, lines } = linesOf()
  const places = { device: join(folder, 'absent'), tsm: join(folder, 'absent', 'report') }
  return { lines, options: { simulation, clock: virtualClock(), log, places } }
}

describe('the configured source', () => {
  test('is a socket only in a simulation', async () => {
    assert.equal((await createReportSource(socketConfig, around(true).options)).kind, 'socket')
    await assert.rejects(createReportSource(socketConfig, around().options), {
      code: 'sev.unavailable',
      message: /"simulation": true/,
    })
  })

  test('is the device in any worker, and the log says so', { skip }, async () => {
    const config = ReportSourceConfig.parse({ source: 'device', path: '/dev/null', endorsements: { folder } })
    for (const simulation of [true, false]) {
      const { lines, options } = around(simulation)
      assert.equal((await createReportSource(config, options)).kind, 'device')
      assert.deepEqual(lines, [
        {
          level: 'info',
          msg: 'attestation source',
          source: 'device',
          because: 'the configuration names it',
        },
      ])
    }
  })

  test('is the one that the machine has, the device first', { skip }, async () => {
    const config = ReportSourceConfig.parse({ source: 'auto', endorsements: { folder } })
    const { lines, options } = around()
    const places = { ...options.places, device: '/dev/null' }
    assert.equal((await createReportSource(config, { ...options, places })).kind, 'device')
    assert.deepEqual(lines, [
      {
        level: 'info',
        msg: 'attestation source',
        source: 'device',
        because: 'the addon is built and /dev/null can be read',
      },
    ])
  })

  test('is refused if the machine has none, naming everything that is missing', { skip }, async () => {
    const config = ReportSourceConfig.parse({ source: 'auto', endorsements: { folder } })
    const { lines, options } = around()
    await assert.rejects(createReportSource(config, options), {
      code: 'sev.unavailable',
      message:
        /^no source of reports: .*absent cannot be opened; run as an SEV-SNP guest.*; .*absent\/report takes no request \(ENOENT\); mount configfs/,
    })
    assert.deepEqual(lines, [])
  })

  test('asks no key distribution service over plain http', { skip }, async () => {
    const kds = { url: 'http://127.0.0.1:1' }
    const config = ReportSourceConfig.parse({
      source: 'device',
      path: '/dev/null',
      endorsements: { folder, kds },
    })
    await assert.rejects(createReportSource(config, around().options), { code: 'config.invalid' })
    assert.equal((await createReportSource(config, around(true).options)).kind, 'device')
  })

  test('configfs-tsm is refused if it is absent', async () => {
    const config = ReportSourceConfig.parse({ source: 'configfs-tsm', endorsements: { folder } })
    await assert.rejects(createReportSource(config, around().options), {
      code: 'sev.unavailable',
      message: /takes no request \(ENOENT\)/,
    })
  })

  for (const [what, config] of [
    ['a device without endorsements', { source: 'device' }],
    ['any source without endorsements', { source: 'auto' }],
    ['a relative path', { source: 'socket', path: 'socket' }],
    ['endorsements in a relative folder', { source: 'auto', endorsements: { folder: 'x' } }],
    [
      'a key distribution service with a path',
      { source: 'auto', endorsements: { folder: '/etc', kds: { url: 'https://kds.example/x' } } },
    ],
    ['a path with a NUL', { source: 'device', path: '/dev/sev\0', endorsements: { folder: '/etc' } }],
    ['an unknown source', { source: 'file', path: '/x' }],
    ['an unknown field', { source: 'socket', path: '/x', vmpl: 1 }],
    [
      'a device of the automatic choice',
      { source: 'auto', path: '/dev/null', endorsements: { folder: '/etc' } },
    ],
  ] as const)
    test(`refuses ${what}`, () => assert.equal(ReportSourceConfig.safeParse(config).success, false))
})

describe('a device', { skip }, () => {
  const options = (path: string) => ({ path, clock: virtualClock(), log: linesOf().log })
  const openSource = () =>
    createFirmwareSource(openDevice(options('/dev/null')), {
      log: linesOf().log,
      endorsements: { certsFor: async () => [] },
    })

  test('is not opened if it is absent', () => {
    assert.throws(() => openDevice(options(join(folder, 'absent'))), {
      code: 'sev.unavailable',
      message: /sev-guest driver/,
    })
  })

  test('is not opened if it is another kind of file', () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    assert.throws(() => openDevice(options(file)), {
      code: 'sev.unavailable',
      message: /not a character device/,
    })
  })

  test('is lost if it is another kind of device', async () => {
    const source = openSource()
    assert.equal(source.lost(), undefined)
    for (let count = 0; count < 2; count++)
      await assert.rejects(source.getReport(Buffer.alloc(64)), {
        code: 'sev.lost',
        message: /ENOTTY/,
        errno: 25,
      })
    assert.equal(source.lost()?.code, 'sev.lost')
  })

  test('refuses REPORT_DATA of another length', async () => {
    for (const length of [0, 63, 65])
      await assert.rejects(openSource().getReport(Buffer.alloc(length)), RangeError)
  })

  test('rejects an aborted call with the reason of its signal', async () => {
    const source = openSource()
    const reason = new Error('drained')
    await assert.rejects(source.getReport(Buffer.alloc(64), AbortSignal.abort(reason)), reason)
    const controller = new AbortController()
    const waiting = source.getReport(Buffer.alloc(64), controller.signal)
    controller.abort(reason)
    await assert.rejects(waiting, reason)
  })
})
