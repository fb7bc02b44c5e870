/** Judges reports of real machines, if the folder with them is there. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { renderReport } from '#cli/report/text.ts'
import { type ReportOptions, verifyReportFile } from '#cli/report/verify.ts'
import { judgeCase } from '#core/appraisal/conformanceCase.ts'
import { toBase64url, utf8 } from '#core/bytes.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { showReport } from '#core/snp/shownReport.ts'
import { parseRfc3339 } from '#core/time.ts'

const FOLDER = new URL('../../../../shared/fixtures/snp/', import.meta.url)
const present = existsSync(FOLDER)
const skip = present ? false : 'the folder of real reports is absent'
const path = (name: string) => fileURLToPath(new URL(name, FOLDER))
const has = (name: string) => existsSync(path(name))

const AT = '2026-11-21T00:00:00Z'
const now = parseRfc3339(AT)
/** The cloud provider's key lived for a year. */
const VLEK_AT = '2025-06-01T00:00:00Z'

const GENUINE: Readonly<Record<string, readonly string[]>> = {
  'genoa-v3-azure-aci': [],
  'genoa-v3-azure-trustee': [],
  'genoa-v3-veraison': [],
  'genoa-v5-siena': [],
  'turin-v5-azure-aci': [],
  'turin-v5-openanolis': [],
  'milan-v2-azure-hcl': ['product.excluded'],
  'milan-v2-trustee': ['product.excluded'],
  'milan-v2-virtee': ['product.excluded'],
  'milan-v2-vmpl1-snpguard': ['product.excluded', 'vmpl.violated'],
  'milan-v3-azure-aci': ['product.excluded'],
  'milan-v3-gcp-oak': ['product.excluded'],
  'milan-v3-oldtcb-dstack': ['product.excluded'],
  'milan-v3-vlek-vmpl1-aws': ['signing-key.excluded', 'product.excluded', 'vmpl.violated'],
}

const NOT_AUTHENTIC: Readonly<Record<string, string>> = {
  'milan-v4-gce-nocert': 'chain.missing',
  'neg-reserved-after-signature': 'report.invalid',
  'neg-sig-r-high-bytes': 'report.signature',
  'neg-sig-zero': 'report.signature',
  'neg-tampered-measurement': 'report.signature',
  'neg-tampered-reportdata': 'report.signature',
  'neg-vcek-for-vlek-report': 'chain.kind-mismatch',
  'neg-wrong-chip-cert': 'chain.chip-mismatch',
}

function optionsFor(name: string): ReportOptions {
  const [cert] = ['vcek.der', 'vlek.der'].map((file) => `${name}/${file}`).filter(has)
  return {
    report: path(`${name}/report.bin`),
    cert: cert === undefined ? undefined : path(cert),
    crl: [],
    at: name === 'milan-v3-vlek-vmpl1-aws' ? VLEK_AT : AT,
    authenticOnly: false,
  }
}

const verify = (name: string, change: Partial<ReportOptions> = {}) =>
  verifyReportFile({ ...optionsFor(name), ...change }, now)
const codesOf = ({ result }: Awaited<ReturnType<typeof verify>>) => result.reasons.map(({ code }) => code)

test('every real report has an expected verdict', { skip }, () => {
  const reports = readdirSync(FOLDER).filter((name) => has(`${name}/report.bin`))
  assert.deepEqual(reports.sort(), [...Object.keys(GENUINE), ...Object.keys(NOT_AUTHENTIC)].sort())
})

for (const [name, demanded] of Object.entries(GENUINE)) {
  const verdict = demanded.length === 0 ? 'accepted' : 'refused'
  test(`${name}: authentic; ${verdict} by the built-in reference values`, { skip }, async () => {
    const authentic = await verify(name, { authenticOnly: true })
    assert.deepEqual([authentic.exit, authentic.result.verdict, codesOf(authentic)], [0, 'authentic', []])
    assert.deepEqual(authentic.result.root?.simulated, false)
    const judged = await verify(name)
    assert.deepEqual([judged.exit, judged.result.verdict], [demanded.length === 0 ? 0 : 1, verdict])
    for (const code of demanded)
      assert.ok(
        codesOf(judged).some((given) => given === code),
        code,
      )
    assert.equal(codesOf(judged).length === 0, demanded.length === 0)
    assert.equal(judged.result.roots, 'amd')
    assert.equal(judged.result.revocation, 'not-checked')
    const { report } = JSON.parse(readFileSync(path(`${name}/expected.json`), 'utf8'))
    const { version, measurement, reportData, hostData, chipId, vmpl } = report
    assert.deepEqual(
      { version, measurement, reportData, hostData, chipId, vmpl },
      {
        version: judged.result.report?.version,
        measurement: judged.result.report?.measurement,
        reportData: judged.result.report?.reportData,
        hostData: judged.result.report?.hostData,
        chipId: judged.result.report?.chipId,
        vmpl: judged.result.report?.vmpl,
      },
    )
    assert.match(renderReport(judged.result), new RegExp(`^${verdict.toUpperCase()} `))
  })
}

for (const [name, code] of Object.entries(NOT_AUTHENTIC))
  test(`${name}: ${code}, also with --authentic-only`, { skip }, async () => {
    for (const authenticOnly of [false, true]) {
      const given = await verify(name, { authenticOnly })
      assert.deepEqual([given.exit, given.result.verdict, codesOf(given)], [1, 'refused', [code]])
    }
  })

for (const name of ['neg-vcek-bad-chain-legacy', 'neg-vcek-bad-chain-octets'])
  test(`${name}: chain.untrusted`, { skip }, async () => {
    const given = await verify('milan-v2-virtee', { cert: path(`${name}/vcek.der`) })
    assert.deepEqual([given.exit, codesOf(given)], [1, ['chain.untrusted']])
  })

test('an expired VLEK is refused, a reissued VCEK is not', { skip }, async () => {
  assert.deepEqual(codesOf(await verify('milan-v3-vlek-vmpl1-aws', { at: AT })), ['chain.expired'])
  const cert = path('milan-v3-azure-aci/vcek-reissued.der')
  const { exit, result } = await verify('milan-v3-azure-aci', { cert, authenticOnly: true })
  assert.deepEqual([exit, result.verdict], [0, 'authentic'])
})

test("AMD's own revocation lists name no chain in use, and count until they expire", { skip }, async () => {
  const crl = ['Milan', 'Genoa', 'Turin'].map((product) => path(`amd-roots/${product}/crl-2026-08-19.der`))
  for (const [at, current] of [
    ['2026-09-15T00:00:00Z', true],
    [AT, false],
  ] as const) {
    const { exit, result } = await verify('genoa-v3-azure-aci', { crl, at })
    assert.deepEqual([exit, ...result.reasons.map(({ code }) => code)], current ? [0] : [1, 'crl.stale'])
    assert.ok(typeof result.revocation === 'object')
    assert.deepEqual(
      [result.revocation.thisUpdate.slice(0, 10), result.revocation.nextUpdate.slice(0, 10)],
      ['2026-08-19', '2026-10-04'],
    )
    assert.equal(result.revocation.current, current)
  }
})

test("AMD's roots from a folder give the same verdict, reported as replaced", { skip }, async () => {
  const { exit, result } = await verify('turin-v5-azure-aci', { roots: path('amd-roots') })
  assert.deepEqual([exit, result.roots, result.root?.simulated], [0, 'replaced', false])
})

test('a conformance case gives the same result as the files', { skip }, async () => {
  const amd = new TrustStore(AMD_ROOTS)
  for (const name of [...Object.keys(GENUINE), ...Object.keys(NOT_AUTHENTIC)]) {
    const { report, cert, at } = optionsFor(name)
    const text = JSON.stringify({
      v: 1,
      name,
      report: toBase64url(readFileSync(report)),
      certs: cert === undefined ? [] : [toBase64url(readFileSync(cert))],
      crls: [],
      reference: 'strict',
      at,
    })
    assert.deepEqual(judgeCase(utf8(text), amd), await verify(name))
  }
})

test('every real report is shown', { skip }, () => {
  for (const name of [...Object.keys(GENUINE), 'milan-v4-gce-nocert']) {
    const { problem, product, tcb } = showReport(readFileSync(path(`${name}/report.bin`)))
    const { report, verification } = JSON.parse(readFileSync(path(`${name}/expected.json`), 'utf8'))
    assert.equal(problem, null)
    assert.equal(product, report.version === 2 ? null : verification.product)
    assert.deepEqual(tcb?.reported, { fmc: 0, ...report.tcb.reported })
  }
})
