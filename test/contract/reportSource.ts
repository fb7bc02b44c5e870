/** The contract of the ReportSource port. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { parseReport } from '#core/snp/report.ts'
import type { ReportSource } from '#ports/reportSource.ts'

export function testReportSource(name: string, open: () => Promise<ReportSource> | ReportSource): void {
  const dataOf = (fill: number) => Buffer.alloc(64, fill)

  test(`${name}: a report is about the requested data`, async () => {
    const source = await open()
    for (const fill of [0, 0xff]) {
      const { report } = await source.getReport(dataOf(fill))
      assert.deepEqual(parseReport(report).reportData, dataOf(fill))
    }
  })

  test(`${name}: a source that answers is not lost`, async () => {
    const source = await open()
    assert.equal(source.lost(), undefined)
    await source.getReport(dataOf(1))
    assert.equal(source.lost(), undefined)
  })

  test(`${name}: overlapping calls get a report each`, async () => {
    const source = await open()
    const fills = [1, 2, 3, 4, 5]
    const answers = await Promise.all(fills.map((fill) => source.getReport(dataOf(fill))))
    assert.deepEqual(
      answers.map(({ report }) => parseReport(report).reportData),
      fills.map(dataOf),
    )
  })

  test(`${name}: the data are copied at the call`, async () => {
    const source = await open()
    const data = dataOf(6)
    const [first, second] = [source.getReport(dataOf(7)), source.getReport(data)]
    data.fill(0)
    await first
    assert.deepEqual(parseReport((await second).report).reportData, dataOf(6))
  })

  test(`${name}: certificates are DER, the signing key's first`, async () => {
    const source = await open()
    const { certs } = await source.getReport(dataOf(8))
    const [leaf, ...others] = certs.map((der) => new X509Certificate(der))
    assert.match(leaf?.subject ?? '', /CN=SEV-V[CL]EK$/)
    for (const other of others) assert.match(other.subject, /CN=SEV-(VLEK-)?(Milan|Genoa|Turin)$/)
    for (const [index, der] of certs.entries()) assert.deepEqual(der, [leaf, ...others][index]?.raw)
  })

  test(`${name}: an abort rejects with its reason, and the next call works`, async () => {
    const source = await open()
    const abort = new AbortController()
    abort.abort(new Error('drained'))
    await assert.rejects(source.getReport(dataOf(9), abort.signal), { message: 'drained' })
    assert.deepEqual(parseReport((await source.getReport(dataOf(9))).report).reportData, dataOf(9))
  })

  test(`${name}: REPORT_DATA has 64 bytes`, async () => {
    const source = await open()
    for (const size of [0, 63, 65])
      await assert.rejects(source.getReport(Buffer.alloc(size)), { name: 'RangeError' })
  })
}
