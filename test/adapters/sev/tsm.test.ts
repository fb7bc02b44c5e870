import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { describe, test } from 'node:test'
import { createFirmwareSource } from '#adapters/sev/firmware.ts'
import { openTsm } from '#adapters/sev/tsm.ts'
import { mint, testAuthority } from '../../amd.ts'
import { encodeTable, GUIDS } from '../../certificateTable.ts'
import { virtualClock } from '../../clock.ts'
import { testReportSource } from '../../contract/reportSource.ts'
import { linesOf } from '../../log.ts'
import { type Blobs, errno, TsmProvider } from './tsmProvider.ts'

const amd = await testAuthority()
const FOLDER = '/sys/kernel/config/tsm/report'
const DATA = Buffer.alloc(64, 0x5a)

const [vcek = Buffer.alloc(0)] = mint(amd).certs
const TABLE = encodeTable([
  [GUIDS.vcek, vcek],
  [GUIDS.ask, amd.askDer],
])
/** SEV-SNP's driver: EINVAL unless REPORT_DATA has 64 bytes. */
const sign = (inblob: Buffer, vmpl: number): Blobs => {
  if (inblob.byteLength !== 64) throw errno('EINVAL')
  return { outblob: mint(amd, {}, { reportData: inblob, vmpl }).bytes, auxblob: TABLE }
}

async function openSource(provider: TsmProvider) {
  const { log, lines } = linesOf()
  const clock = virtualClock()
  const firmware = await openTsm({ folder: FOLDER, clock, log, files: provider })
  const endorsements = { certsFor: async (_report: Buffer, brought: readonly Buffer[]) => brought }
  return { source: createFirmwareSource(firmware, { log, endorsements }), lines, clock }
}

testReportSource('configfs-tsm', async () => (await openSource(new TsmProvider(sign))).source)

describe('configfs-tsm', () => {
  test('gives report and certificates through a new entry, and removes the entry', async () => {
    const provider = new TsmProvider(sign)
    const { source } = await openSource(provider)
    assert.deepEqual(provider.calls.splice(0), ['mkdir entry', 'read provider', 'rmdir entry'])
    const entries = new Set<string>()
    provider.before = (call, path) => {
      if (call === 'mkdir') entries.add(path)
    }
    const { report, certs } = await source.getReport(DATA)
    assert.deepEqual(report.subarray(0x50, 0x90), DATA)
    assert.deepEqual(certs, [vcek, amd.askDer])
    assert.deepEqual(provider.calls, [
      'mkdir entry',
      'read provider',
      'read generation',
      'write privlevel',
      'write inblob',
      'read outblob',
      'read auxblob',
      'read generation',
      'rmdir entry',
    ])
    await source.getReport(DATA)
    assert.equal(entries.size, 2)
    assert.equal(provider.entries.size, 0)
    for (const entry of entries) assert.equal(dirname(entry), FOLDER)
  })

  test('asks for VMPL 0, in digits', async () => {
    const provider = new TsmProvider(sign)
    const levels: number[] = []
    provider.make = (inblob, vmpl) => {
      levels.push(vmpl)
      return sign(inblob, vmpl)
    }
    const { source } = await openSource(provider)
    await source.getReport(DATA)
    provider.floor = 1
    await assert.rejects(source.getReport(DATA), {
      code: 'sev.failed',
      message: /privlevel .* EINVAL/,
      errno: 22,
    })
    assert.deepEqual(levels, [0])
    assert.equal(provider.entries.size, 0)
  })

  test('a host without a table, or with garbage in it, does not prevent a report', async () => {
    for (const [auxblob, code] of [
      [Buffer.alloc(0), undefined],
      [Buffer.alloc(100, 1), 'certificate-table.malformed'],
    ] as const) {
      const { source, lines } = await openSource(
        new TsmProvider((inblob, vmpl) => ({ ...sign(inblob, vmpl), auxblob })),
      )
      assert.deepEqual((await source.getReport(DATA)).certs, [])
      assert.equal(lines[0]?.['code'], code)
    }
  })

  for (const [name, at] of [
    ['before the report is read', 'outblob'],
    ['between report and certificates', 'auxblob'],
    ['before the last read of the count', 'generation'],
  ] as const)
    test(`a report is dropped if another program wrote ${name}; a new entry gives the next`, async () => {
      const provider = new TsmProvider(sign)
      const { source } = await openSource(provider)
      let disturbed = 0
      let generations = 0
      provider.before = (call, path) => {
        if (call === 'mkdir') generations = 0
        if (path.endsWith('generation')) generations += 1
        if (disturbed === 2 || !path.endsWith(at) || (at === 'generation' && generations < 2)) return
        disturbed += 1
        void provider.write(`${dirname(path)}/inblob`, Buffer.alloc(64, 0xee))
      }
      const { report } = await source.getReport(DATA)
      assert.deepEqual(report.subarray(0x50, 0x90), DATA)
      assert.equal(disturbed, 2)
      assert.equal(provider.entries.size, 0)
    })

  test('three disturbed requests give sev.busy', async () => {
    const provider = new TsmProvider(sign)
    const { source } = await openSource(provider)
    provider.before = (_call, path) => {
      if (path.endsWith('outblob')) void provider.write(`${dirname(path)}/inblob`, DATA)
    }
    provider.calls.splice(0)
    await assert.rejects(source.getReport(DATA), { code: 'sev.busy', message: /each of 3 requests/ })
    assert.equal(provider.calls.filter((call) => call === 'mkdir entry').length, 3)
    assert.equal(provider.entries.size, 0)
    assert.equal(source.lost(), undefined)
  })

  // The driver's error is the attribute's errno, and there is no other number.
  for (const [name, code] of [
    ['EIO', 'sev.lost'],
    ['ENOTTY', 'sev.lost'],
    ['ETIMEDOUT', 'sev.lost'],
    ['EBADMSG', 'sev.lost'],
    ['EBUSY', 'sev.busy'],
    ['EWOULDBLOCK', 'sev.busy'],
    ['EINTR', 'sev.busy'],
    ['EINVAL', 'sev.failed'],
    ['ENXIO', 'sev.failed'],
    ['ENOMEM', 'sev.failed'],
  ] as const)
    test(`outblob gives ${name}: ${code}, the entry is gone, and the fault is ${code === 'sev.lost' ? '' : 'not '}final`, async () => {
      const provider = new TsmProvider(sign)
      const { source } = await openSource(provider)
      let made = 0
      provider.make = () => {
        made += 1
        throw errno(name)
      }
      const failure = { name: 'CodedError', code, errno: Math.abs(Number(Reflect.get(errno(name), 'errno'))) }
      await assert.rejects(source.getReport(DATA), { ...failure, fwError: undefined, vmmError: undefined })
      assert.equal(provider.entries.size, 0)
      provider.make = (inblob, vmpl) => {
        made += 1
        return sign(inblob, vmpl)
      }
      if (code === 'sev.lost') {
        await assert.rejects(source.getReport(DATA), failure)
        assert.equal(source.lost()?.code, 'sev.lost')
        assert.equal(made, 1)
      } else {
        await source.getReport(DATA)
        assert.equal(source.lost(), undefined)
      }
    })

  for (const [attribute, call] of [
    ['privlevel', 'write'],
    ['inblob', 'write'],
    ['auxblob', 'read'],
    ['generation', 'read'],
    ['provider', 'read'],
  ] as const)
    test(`${attribute} is busy: the entry is gone and the fault names the attribute`, async () => {
      const provider = new TsmProvider(sign)
      const { source } = await openSource(provider)
      provider.before = (now, path) => {
        if (now === call && path.endsWith(`/${attribute}`)) throw errno('EBUSY')
      }
      await assert.rejects(source.getReport(DATA), {
        code: 'sev.busy',
        message: `${attribute} of configfs-tsm gave EBUSY`,
      })
      assert.equal(provider.entries.size, 0)
    })

  test('a report about other data, or of another length, never reaches the caller', async () => {
    const other = new TsmProvider((_inblob, vmpl) => sign(Buffer.alloc(64), vmpl))
    await assert.rejects((await openSource(other)).source.getReport(DATA), {
      code: 'sev.failed',
      message: /other data than requested/,
    })
    for (const size of [0, 1183, 1185, 1184 + 32]) {
      const { source } = await openSource(
        new TsmProvider(() => ({ outblob: Buffer.alloc(size), auxblob: TABLE })),
      )
      await assert.rejects(source.getReport(DATA), {
        code: 'sev.failed',
        message: `outblob has ${size} bytes, not 1184`,
      })
    }
  })

  test('keeps the pace of requests', async () => {
    const { source, clock } = await openSource(new TsmProvider(sign))
    for (let count = 0; count < 4; count++) await source.getReport(DATA)
    assert.deepEqual(clock.slept, [1300, 1300])
  })

  for (const [name, provider, message] of [
    ['no provider', undefined, /takes no request \(ENXIO\); mount configfs/],
    ['another provider', 'tdx_guest', /another provider than sev_guest/],
  ] as const)
    test(`is not opened with ${name}`, async () => {
      const tsm = new TsmProvider(sign)
      tsm.provider = provider
      await assert.rejects(openSource(tsm), { code: 'sev.unavailable', message })
      assert.equal(tsm.entries.size, 0)
    })

  test('a changed provider is noticed at the next request', async () => {
    const provider = new TsmProvider(sign)
    const { source } = await openSource(provider)
    provider.provider = 'tdx_guest'
    await assert.rejects(source.getReport(DATA), { code: 'sev.unavailable' })
  })

  test('an entry that cannot be removed costs no report, and is logged', async () => {
    const provider = new TsmProvider(sign)
    const { source, lines } = await openSource(provider)
    provider.before = (call) => {
      if (call === 'rmdir') throw errno('EBUSY')
    }
    await source.getReport(DATA)
    assert.equal(lines[0]?.msg, 'a request to configfs-tsm cannot be removed')
  })
})
