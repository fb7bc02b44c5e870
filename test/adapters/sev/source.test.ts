import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { createDeviceSource } from '#adapters/sev/device.ts'
import { readEndorsements } from '#adapters/sev/endorsements.ts'
import { createReportSource, ReportSourceConfig } from '#adapters/sev/source.ts'
import { loadAddon } from '#adapters/system/addon.ts'

const folder = mkdtempSync(join(tmpdir(), 'source-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const skip = loadAddon() instanceof Error ? 'the native addon is not built' : false

describe('the configured source', () => {
  test('is a socket only in a simulation', () => {
    const config = ReportSourceConfig.parse({ source: 'socket', path: join(folder, 'socket') })
    assert.equal(createReportSource(config, true).kind, 'socket')
    assert.throws(() => createReportSource(config, false), {
      code: 'sev.unavailable',
      message: /"simulation": true/,
    })
  })

  test('is the device in any worker', { skip }, () => {
    const config = ReportSourceConfig.parse({ source: 'device', path: '/dev/null', endorsements: folder })
    for (const simulation of [true, false])
      assert.equal(createReportSource(config, simulation).kind, 'device')
  })

  for (const [what, config] of [
    ['a device without endorsements', { source: 'device' }],
    ['a relative path', { source: 'socket', path: 'socket' }],
    ['a path with a NUL', { source: 'device', path: '/dev/sev\0', endorsements: '/etc' }],
    ['an unknown source', { source: 'file', path: '/x' }],
    ['an unknown field', { source: 'socket', path: '/x', vmpl: 1 }],
  ] as const)
    test(`refuses ${what}`, () => assert.equal(ReportSourceConfig.safeParse(config).success, false))
})

describe('a device source', { skip }, () => {
  test('does not start without its device', () => {
    assert.throws(() => createDeviceSource({ path: join(folder, 'absent'), endorsements: folder }), {
      code: 'sev.unavailable',
      message: /sev-guest driver/,
    })
  })

  test('does not start over something else', () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    assert.throws(() => createDeviceSource({ path: file, endorsements: folder }), {
      code: 'sev.unavailable',
      message: /not a character device/,
    })
  })

  test('finds for good that another device is none of its kind', async () => {
    const source = createDeviceSource({ path: '/dev/null', endorsements: folder })
    for (let count = 0; count < 2; count++)
      await assert.rejects(source.getReport(Buffer.alloc(64)), { code: 'sev.failed', message: /ENOTTY/ })
  })

  test('refuses REPORT_DATA of another length', async () => {
    const source = createDeviceSource({ path: '/dev/null', endorsements: folder })
    for (const length of [0, 63, 65]) await assert.rejects(source.getReport(Buffer.alloc(length)), RangeError)
  })

  test('gives an aborted caller the reason of its signal', async () => {
    const source = createDeviceSource({ path: '/dev/null', endorsements: folder })
    const reason = new Error('drained')
    await assert.rejects(source.getReport(Buffer.alloc(64), AbortSignal.abort(reason)), reason)
    const controller = new AbortController()
    const waiting = source.getReport(Buffer.alloc(64), controller.signal)
    controller.abort(reason)
    await assert.rejects(waiting, reason)
  })
})

describe('endorsements', () => {
  const put = (files: Readonly<Record<string, number>>): string => {
    const path = mkdtempSync(join(folder, 'endorsements-'))
    for (const [name, bytes] of Object.entries(files))
      writeFileSync(join(path, name), Buffer.alloc(bytes, bytes))
    return path
  }

  for (const [files, sizes] of [
    [{ 'vcek.der': 1300 }, [1300]],
    [{ 'ask.der': 1600, 'vcek.der': 1300 }, [1300, 1600]],
    [{ 'asvk.der': 1700, 'vlek.der': 1400, README: 5 }, [1400, 1700]],
  ] as const)
    test(`${Object.keys(files).join(', ')}: the leaf first`, async () => {
      const certs = await readEndorsements(put(files))
      assert.deepEqual(
        certs.map(({ byteLength }) => byteLength),
        sizes,
      )
    })

  for (const [what, files] of [
    ['no leaf', { 'ask.der': 1600 }],
    ['two leaves', { 'vcek.der': 1300, 'vlek.der': 1300 }],
    ['a leaf that is too large', { 'vcek.der': 4097 }],
  ] as const)
    test(`${what} is sev.unavailable`, async () => {
      await assert.rejects(readEndorsements(put(files)), { code: 'sev.unavailable' })
    })

  test('a folder that is not there has no leaf', async () => {
    await assert.rejects(readEndorsements(join(folder, 'nowhere')), {
      code: 'sev.unavailable',
      message: /KDS/,
    })
  })
})
