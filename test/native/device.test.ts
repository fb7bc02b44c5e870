import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { TrustStore } from '#core/snp/chain.ts'
import { parseReport } from '#core/snp/report.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { toUnixSeconds } from '#core/time.ts'
import { openGuest } from '#emulator/amd/guest.ts'
import { createAmdHost } from '#emulator/amd/host.ts'
import { buildFakeDevice } from './fakeDevice.ts'

const PROGRAM = fileURLToPath(new URL('./askDevice.ts', import.meta.url))
const HOOK = fileURLToPath(new URL('../../src/emulator/amd/hook.ts', import.meta.url))
const device = buildFakeDevice()
const skip = typeof device === 'string' ? device : false

const Answer = z.object({
  index: z.number(),
  report: z.string().optional(),
  certs: z.array(z.string()).optional(),
  code: z.string().optional(),
  message: z.string().optional(),
  heldRatio: z.number().optional(),
})

describe('reports from the device', { skip, concurrency: 2 }, () => {
  const endorsements = mkdtempSync(join(tmpdir(), 'endorsements-'))
  writeFileSync(join(endorsements, 'vcek.der'), Buffer.alloc(300))
  after(() => {
    rmSync(endorsements, { recursive: true, force: true })
    if (typeof device !== 'string') device.remove()
  })

  const ask = async (answers: string, count: number, ...rest: string[]) => {
    assert.ok(typeof device !== 'string')
    const command = [process.execPath, PROGRAM, endorsements, String(count), ...rest]
    const { exitCode, stdout, stderr } = await device.run(answers, command)
    assert.equal(exitCode, 0, stderr)
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => Answer.parse(JSON.parse(line)))
  }
  /** REPORT_DATA is at 0x50 (SEV-SNP ABI), two hex digits a byte. */
  const reportData = (answer: z.output<typeof Answer> | undefined) => answer?.report?.slice(0xa0, 0x120)
  const reported = (index: number) => Buffer.alloc(64, index + 1).toString('hex')

  const gone = /ENOTTY, firmware error 255, hypervisor error 0$/
  const cases: readonly {
    readonly name: string
    readonly answers: string
    readonly expect: readonly ('report' | { readonly code: string; readonly message: RegExp })[]
  }[] = [
    { name: 'a report about what was asked', answers: 'ok', expect: ['report', 'report'] },
    { name: 'an interrupted call is made again', answers: 'errno:4,errno:4,ok', expect: ['report'] },
    {
      name: 'a call that could not be taken is made again',
      answers: 'errno:11,errno:11,ok',
      expect: ['report'],
    },
    {
      name: 'but not for ever, and later calls may succeed',
      answers: `${Array(8).fill('errno:11').join(',')},ok`,
      expect: [{ code: 'sev.busy', message: /EAGAIN/ }, 'report'],
    },
    {
      name: "a firmware error ends the guest's key: the first answer stands, and nothing is asked again",
      answers: 'firmware:5',
      expect: Array(3).fill({ code: 'sev.failed', message: /EIO, firmware error 5, hypervisor error 0$/ }),
    },
    {
      name: 'so does an error of the hypervisor',
      answers: 'hypervisor:1,ok',
      expect: Array(2).fill({ code: 'sev.failed', message: /EIO, firmware error 0, hypervisor error 1$/ }),
    },
    {
      name: "so does throttling past the driver's patience",
      answers: 'busy,ok',
      expect: Array(2).fill({
        code: 'sev.failed',
        message: /ETIMEDOUT, firmware error 0, hypervisor error 2$/,
      }),
    },
    {
      name: 'a key that was gone before is for good as well',
      answers: 'errno:25,ok',
      expect: Array(2).fill({ code: 'sev.failed', message: gone }),
    },
    {
      name: "the firmware's own status is not an errno",
      answers: 'status:22,ok',
      expect: [{ code: 'sev.failed', message: /firmware answered with status 22$/ }, 'report'],
    },
    {
      name: 'a report of another size',
      answers: 'short,ok',
      expect: [{ code: 'sev.failed', message: /a report of 100 bytes, not 1184$/ }, 'report'],
    },
    {
      name: 'a report about other data never reaches the caller',
      answers: 'other,ok',
      expect: [{ code: 'sev.failed', message: /other data than was asked for$/ }, 'report'],
    },
  ]
  for (const { name, answers, expect } of cases)
    test(name, async () => {
      const got = await ask(answers, expect.length)
      assert.equal(got.length, expect.length)
      for (const [index, expected] of expect.entries()) {
        const answer = got[index]
        if (expected === 'report') {
          assert.equal(reportData(answer), reported(index))
          assert.equal(answer?.certs?.length, 1)
        } else {
          assert.equal(answer?.code, expected.code)
          assert.match(answer?.message ?? '', expected.message)
        }
      }
    })

  test('a slow device does not hold the event loop', async () => {
    const [answer] = await ask('slow:800', 1)
    assert.equal(reportData(answer), reported(0))
    assert.ok((answer?.heldRatio ?? 1) < 0.5, `the loop was held for ${answer?.heldRatio} of the time`)
  })

  test('requests take turns, and a terminal answer is the answer to those who wait', async () => {
    const got = (await ask('ok,firmware:5', 4, 'together')).sort((a, b) => a.index - b.index)
    assert.deepEqual(
      got.map(({ code }) => code),
      [undefined, 'sev.failed', 'sev.failed', 'sev.failed'],
    )
    for (const { message } of got.slice(1)) assert.match(message ?? '', /EIO, firmware error 5/)
  })

  test('a report signed by a processor of our own verifies as one', async () => {
    assert.ok(typeof device !== 'string')
    const stateDir = mkdtempSync(join(tmpdir(), 'amd-'))
    after(() => rmSync(stateDir, { recursive: true, force: true }))
    const platform = { measurement: '5a'.repeat(48) }
    const { roots } = await createAmdHost({ stateDir, guests: [{ name: 'guest', platform }] })
    const [vcek, ask] = (await openGuest(stateDir, 'guest')).certs
    writeFileSync(join(stateDir, 'vcek.der'), vcek ?? '')
    writeFileSync(join(stateDir, 'ask.der'), ask ?? '')
    const hook = `"${process.execPath}" "${HOOK}" "${stateDir}" guest`
    const { stdout, stderr } = await device.run('ok', [process.execPath, PROGRAM, stateDir, '1'], hook)
    assert.equal(stderr, '')
    const { report = '', certs = [] } = Answer.parse(JSON.parse(stdout))
    const verified = verifyReport(
      parseReport(Buffer.from(report, 'hex')),
      certs.map((cert) => Buffer.from(cert, 'hex')),
      { roots: new TrustStore(roots), crls: [], at: toUnixSeconds(Math.floor(Date.now() / 1000)) },
    )
    assert.equal(verified.report.measurement.toString('hex'), platform.measurement)
    assert.equal(verified.report.reportData.toString('hex'), reported(0))
    assert.equal(verified.endorsement.simulated, true)
  })
})
