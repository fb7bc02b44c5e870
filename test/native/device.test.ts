import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { toHex } from '#core/bytes.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { parseReport } from '#core/snp/report.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { toUnixSeconds } from '#core/time.ts'
import { openGuest } from '#lab/amd/guest.ts'
import { createAmdHost } from '#lab/amd/host.ts'
import { encodeTable, GUIDS, tableEntry } from '../certificateTable.ts'
import { buildFakeDevice } from './fakeDevice.ts'

const PROGRAM = fileURLToPath(new URL('./askDevice.ts', import.meta.url))
const CONTRACT = fileURLToPath(new URL('./deviceContract.ts', import.meta.url))
const HOOK = fileURLToPath(new URL('../../lab/amd/hook.ts', import.meta.url))
const device = buildFakeDevice()
const skip = typeof device === 'string' ? device : false

const Answer = z.object({
  index: z.number(),
  report: z.string().optional(),
  certs: z.array(z.string()).optional(),
  code: z.string().optional(),
  message: z.string().optional(),
  /** errno, fwError, vmmError. */
  numbers: z.array(z.number().nullable()).optional(),
  lost: z.string().optional(),
  log: z.array(
    z.object({
      level: z.string(),
      msg: z.string(),
      code: z.string().optional(),
      because: z.string().optional(),
    }),
  ),
  heldRatio: z.number().optional(),
})

describe('requests to the device', { skip, concurrency: 2 }, () => {
  after(() => {
    if (typeof device !== 'string') device.remove()
  })

  const ask = async (answers: string, count: number, mode: readonly string[] = [], host = {}) => {
    assert.ok(typeof device !== 'string')
    const command = [process.execPath, PROGRAM, String(count), ...mode]
    const { exitCode, stdout, stderr } = await device.run(answers, command, host)
    assert.equal(exitCode, 0, stderr)
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => Answer.parse(JSON.parse(line)))
  }
  /** REPORT_DATA is at 0x50 (SEV-SNP ABI); two hex digits per byte. */
  const reportData = (answer: z.output<typeof Answer> | undefined) => answer?.report?.slice(0xa0, 0x120)
  const reported = (index: number) => Buffer.alloc(64, index + 1).toString('hex')

  type Fault = { readonly code: string; readonly message: RegExp; readonly numbers: readonly number[] }
  const lost = (name: string, ...numbers: [errno: number, fwError: number, vmmError: number]): Fault => ({
    code: 'sev.lost',
    message: new RegExp(`gave ${name}, firmware error ${numbers[1]}, hypervisor error ${numbers[2]}$`),
    numbers,
  })
  const failed = (message: RegExp): Fault => ({ code: 'sev.failed', message, numbers: [0, 0, 0] })
  const busy = (name: string, errno: number): Fault => ({
    code: 'sev.busy',
    message: new RegExp(name),
    numbers: [errno, 255, 0],
  })

  const cases: readonly {
    readonly name: string
    readonly answers: string
    readonly expect: readonly ('answer' | Fault)[]
  }[] = [
    { name: 'an answer', answers: 'ok', expect: ['answer', 'answer'] },
    { name: 'an interrupted call is retried', answers: 'errno:4,errno:4,ok', expect: ['answer'] },
    {
      name: 'a call that the driver could not take is retried',
      answers: 'errno:11,errno:11,ok',
      expect: ['answer'],
    },
    {
      name: 'retries end, and later calls may succeed',
      answers: `${Array(8).fill('errno:11').join(',')},ok`,
      expect: [busy('EAGAIN', 11), 'answer'],
    },
    {
      name: "a firmware error ends the guest's key: the first fault is final, and no request follows",
      answers: 'firmware:5,ok',
      expect: Array(3).fill(lost('EIO', 5, 5, 0)),
    },
    {
      name: 'a hypervisor error ends it too',
      answers: 'hypervisor:2,ok',
      expect: Array(2).fill(lost('EIO', 5, 0, 2)),
    },
    {
      name: 'an answer that does not decrypt ends it too',
      answers: 'forged,ok',
      expect: Array(2).fill(lost('EBADMSG', 74, 255, 0)),
    },
    {
      name: "throttling past the driver's retries ends it too",
      answers: 'busy,ok',
      expect: Array(2).fill(lost('ETIMEDOUT', 110, 0, 2)),
    },
    {
      name: 'a key that was gone before the first request is lost too',
      answers: 'errno:25',
      expect: Array(2).fill(lost('ENOTTY', 25, 255, 0)),
    },
    {
      name: 'another error is temporary',
      answers: 'errno:12,ok',
      expect: [{ code: 'sev.failed', message: /ENOMEM/, numbers: [12, 255, 0] }, 'answer'],
    },
    {
      name: "the firmware's status is not an errno",
      answers: 'status:22,status:39,ok',
      expect: [failed(/answered with status 22$/), failed(/answered with status 39$/), 'answer'],
    },
  ]
  for (const { name, answers, expect } of cases)
    test(name, async () => {
      const got = await ask(answers, expect.length)
      assert.equal(got.length, expect.length)
      for (const [index, expected] of expect.entries()) {
        const answer = got[index]
        if (expected === 'answer') {
          assert.equal(answer?.code, undefined, answer?.message)
          assert.equal(reportData(answer), reported(index))
        } else {
          assert.equal(answer?.code, expected.code)
          assert.match(answer?.message ?? '', expected.message)
          assert.deepEqual(answer?.numbers, expected.numbers)
        }
        assert.equal(answer?.lost, answer?.code === 'sev.lost' ? answer?.message : undefined)
      }
    })

  for (const [name, answers, message] of [
    ['a report of another size', 'short,ok', /a report of 100 bytes, not 1184$/],
    ['a report about other data does not reach the caller', 'other,ok', /other data than requested$/],
  ] as const)
    test(name, async () => {
      const [first, second] = await ask(answers, 2)
      assert.equal(first?.code, 'sev.failed')
      assert.match(first?.message ?? '', message)
      assert.equal(reportData(second), reported(1))
    })

  const vcek = Buffer.alloc(1300, 1)
  const ask1 = Buffer.alloc(1600, 2)
  const good = encodeTable([
    [GUIDS.vcek, vcek],
    [GUIDS.ask, ask1],
  ])
  const hex = (...certs: readonly Buffer[]) => certs.map((der) => der.toString('hex'))
  for (const { name, table, certs, warning } of [
    { name: 'no table', table: undefined, certs: [], warning: undefined },
    { name: 'an empty table', table: Buffer.alloc(24), certs: [], warning: undefined },
    { name: 'a table', table: good, certs: hex(vcek, ask1), warning: undefined },
    {
      name: 'a table that fills the buffer',
      table: encodeTable([
        [GUIDS.vlek, vcek],
        [GUIDS.crl, Buffer.alloc(0x4000 - 72 - 1300)],
      ]),
      certs: hex(vcek),
      warning: undefined,
    },
    { name: 'garbage', table: Buffer.alloc(0x4000, 0xa5), certs: [], warning: 'certificate-table.malformed' },
    {
      name: 'an offset that wraps',
      table: Buffer.concat([tableEntry(GUIDS.vcek, 0xffff_fff0, 0x40), Buffer.alloc(64)]),
      certs: [],
      warning: 'certificate-table.malformed',
    },
    {
      name: 'an entry beyond the buffer',
      table: Buffer.concat([tableEntry(GUIDS.vcek, 0x3fff, 2), Buffer.alloc(64)]),
      certs: [],
      warning: 'certificate-table.malformed',
    },
  ])
    test(`the host gives ${name}: the reports are accepted, and a warning comes once`, async () => {
      const got = await ask('ok', 2, [], table === undefined ? {} : { table })
      for (const [index, answer] of got.entries()) {
        assert.equal(reportData(answer), reported(index))
        assert.deepEqual(answer.certs, certs)
      }
      assert.deepEqual(
        got.map(({ log }) => log.map(({ code }) => code)),
        [warning === undefined ? [] : [warning], []],
      )
    })

  for (const [name, answers, host, because] of [
    [
      'the host says that its table is too long',
      'length:20000,ok',
      {},
      "the host's table has 20480 bytes, the driver takes 16384",
    ],
    [
      'the table is too long',
      'ok',
      { table: Buffer.alloc(0x4001, 1) },
      "the host's table has 20480 bytes, the driver takes 16384",
    ],
    ['the driver has no extended request', 'plain', {}, 'its driver has no extended request'],
  ] as const)
    test(`${name}: a report without it, and no second request for it`, async () => {
      const got = await ask(answers, 2, [], host)
      for (const [index, answer] of got.entries()) {
        assert.equal(reportData(answer), reported(index))
        assert.deepEqual(answer.certs, [])
        assert.equal(answer.lost, undefined)
      }
      assert.deepEqual(
        got.map(({ log }) => log.map(({ msg, because }) => [msg, because])),
        [[['the device gives no certificate table', because]], []],
      )
    })

  test('a slow device does not block the event loop', async () => {
    const [answer] = await ask('slow:800', 1)
    assert.equal(reportData(answer), reported(0))
    assert.ok((answer?.heldRatio ?? 1) < 0.5, `the loop was blocked for ${answer?.heldRatio} of the time`)
  })

  test('requests take turns, and a final fault answers those that wait', async () => {
    const got = (await ask('ok,firmware:5', 4, ['together'])).sort((a, b) => a.index - b.index)
    assert.deepEqual(
      got.map(({ code }) => code),
      [undefined, 'sev.lost', 'sev.lost', 'sev.lost'],
    )
    for (const { message } of got.slice(1)) assert.match(message ?? '', /EIO, firmware error 5/)
  })

  describe('with an emulated processor', () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'amd-'))
    after(() => rmSync(stateDir, { recursive: true, force: true }))
    const platform = { measurement: '5a'.repeat(48) }
    const hook = `"${process.execPath}" "${HOOK}" "${stateDir}" guest`
    const host = async () => {
      const { roots } = await createAmdHost({ stateDir, guests: [{ name: 'guest', platform }] })
      const [vcek = Buffer.alloc(0), ask = Buffer.alloc(0)] = (await openGuest(stateDir, 'guest')).certs
      const table = encodeTable([
        [GUIDS.vcek, vcek],
        [GUIDS.ask, ask],
      ])
      return { roots, table }
    }

    test('a signed report verifies with the certificates from the host', async () => {
      const { roots, table } = await host()
      const [answer] = await ask('ok', 1, [], { hook, table })
      const { report = '', certs = [] } = answer ?? {}
      const verified = verifyReport(
        parseReport(Buffer.from(report, 'hex')),
        certs.map((cert) => Buffer.from(cert, 'hex')),
        { roots: new TrustStore(roots), crls: [], at: toUnixSeconds(Math.floor(Date.now() / 1000)) },
      )
      assert.equal(toHex(verified.report.measurement), platform.measurement)
      assert.equal(toHex(verified.report.reportData), reported(0))
      assert.equal(verified.endorsement.simulated, true)
    })

    test('the device keeps the contract of a source', async () => {
      assert.ok(typeof device !== 'string')
      const { table } = await host()
      const { exitCode, stdout } = await device.run(
        'ok',
        [process.execPath, '--test-reporter=tap', CONTRACT],
        { table },
      )
      assert.equal(exitCode, 0, stdout)
      assert.match(stdout, /# pass [1-9]/)
    })
  })
})
