/**
 * Reports of real machines. The tests run only if their folder is present; it is not part of this repository.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { toHex } from '#core/bytes.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { PRODUCTS } from '#core/snp/product.ts'
import { parseReport, type Report } from '#core/snp/report.ts'
import { PINNED_ARKS } from '#core/snp/roots.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { parseRfc3339 } from '#core/time.ts'

const FOLDER = new URL('../../../../shared/fixtures/snp/', import.meta.url)
const present = existsSync(FOLDER)
const skip = present ? false : 'the folder of real reports is absent'
const read = (path: string) => readFileSync(new URL(path, FOLDER))
const has = (path: string) => existsSync(new URL(path, FOLDER))

const NOW = parseRfc3339('2026-11-21T00:00:00Z')
/** A time within the one year in which the cloud provider's key was valid. */
const VLEK_TIME = parseRfc3339('2025-06-01T00:00:00Z')

/** The codes of the reports that are refused. */
const REFUSED: Readonly<Record<string, string>> = {
  'milan-v4-gce-nocert': 'chain.missing',
  'neg-reserved-after-signature': 'report.invalid',
  'neg-sig-r-high-bytes': 'report.signature',
  'neg-sig-zero': 'report.signature',
  'neg-tampered-measurement': 'report.signature',
  'neg-tampered-reportdata': 'report.signature',
  'neg-vcek-for-vlek-report': 'chain.kind-mismatch',
  'neg-wrong-chip-cert': 'chain.chip-mismatch',
  'neg-vcek-bad-chain-legacy': 'chain.untrusted',
  'neg-vcek-bad-chain-octets': 'chain.untrusted',
}

function amdRoots(): TrustStore {
  return new TrustStore(
    PRODUCTS.map((product) => ({
      product,
      ark: read(`amd-roots/${product}/ark.der`),
      ask: read(`amd-roots/${product}/ask.der`),
      asvk: read(`amd-roots/${product}/asvk.der`),
      simulated: false,
    })),
  )
}

function certsOf(name: string): readonly Buffer[] {
  return ['vcek.der', 'vlek.der']
    .filter((file) => has(`${name}/${file}`))
    .map((file) => read(`${name}/${file}`))
}

const names = present ? readdirSync(FOLDER).filter((name) => has(`${name}/note.md`)) : []
const reports = names.filter((name) => has(`${name}/report.bin`))

test('all real reports are present', { skip }, () => {
  assert.equal(reports.filter((name) => !name.startsWith('neg-')).length, 15)
  assert.deepEqual(
    Object.keys(REFUSED).filter((name) => !names.includes(name)),
    [],
  )
})

test("AMD's roots are the pinned ones", { skip }, () => {
  const roots = Object.fromEntries(amdRoots().roots.map(({ product, fingerprint }) => [product, fingerprint]))
  assert.deepEqual(roots, PINNED_ARKS)
})

for (const name of reports.filter((name) => !name.startsWith('neg-')))
  test(`${name}: every field has the value that an independent script reads`, () => {
    const { report } = JSON.parse(read(`${name}/expected.json`).toString())
    assert.deepEqual(described(parseReport(read(`${name}/report.bin`)), report), report)
  })

for (const name of reports)
  test(`${name}: ${REFUSED[name] ?? 'authentic'}`, () => {
    const bytes = read(`${name}/report.bin`)
    const at = name === 'milan-v3-vlek-vmpl1-aws' ? VLEK_TIME : NOW
    const verify = (certs: readonly Buffer[]) =>
      verifyReport(parseReport(bytes), certs, { roots: amdRoots(), crls: [], at })
    const code = REFUSED[name]
    if (code !== undefined) {
      assert.throws(() => verify(certsOf(name)), { name: 'CodedError', code })
      return
    }
    const { verification, report } = JSON.parse(read(`${name}/expected.json`).toString())
    const verified = verify(certsOf(name))
    assert.equal(verified.product, verification.product)
    assert.equal(verified.endorsement.simulated, false)
    assert.equal(verified.endorsement.cspId ?? null, verification.leafCspId)
    for (const [which, tcb] of Object.entries(report.tcb))
      assert.deepEqual(Object.entries(verified.tcb).find(([key]) => key === which)?.[1], {
        fmc: 0,
        ...(tcb as object),
      })
  })

for (const name of names.filter((name) => !has(`${name}/report.bin`) && name in REFUSED))
  test(`${name}: ${REFUSED[name]}`, () => {
    assert.throws(() => amdRoots().endorse(certsOf(name), 'vcek', NOW), { code: REFUSED[name] })
  })

test('a VLEK is refused once it has expired', { skip }, () => {
  const certs = certsOf('milan-v3-vlek-vmpl1-aws')
  assert.throws(() => amdRoots().endorse(certs, 'vlek', NOW), { code: 'chain.expired' })
})

test('another certificate of the same key is accepted too: leaves are never pinned', { skip }, () => {
  const report = parseReport(read('milan-v3-azure-aci/report.bin'))
  const certs = [read('milan-v3-azure-aci/vcek-reissued.der')]
  assert.equal(verifyReport(report, certs, { roots: amdRoots(), crls: [], at: NOW }).product, 'Milan')
})

test("AMD's own ARK is refused as a simulated root and as the root of another product", { skip }, () => {
  const ark = read('amd-roots/Genoa/ark.der')
  assert.throws(() => new TrustStore([{ product: 'Genoa', ark, simulated: true }]), {
    code: 'chain.untrusted',
  })
  assert.throws(() => new TrustStore([{ product: 'Milan', ark, simulated: false }]), {
    code: 'chain.untrusted',
  })
})

/**
 * A report in the form of expected.json. Values that no report contains (digest, TCB) are taken from there.
 */
function described(report: Report, expected: { readonly sha256: string; readonly tcb: unknown }): unknown {
  const { guestPolicy, platformBits, firmware, mitigations } = report
  const hex64 = (value: bigint) => `0x${value.toString(16).padStart(16, '0')}`
  const triple = ({ major, minor, build }: typeof firmware.current) => [major, minor, build]
  return {
    sha256: expected.sha256,
    version: report.version,
    guestSvn: report.guestSvn,
    policy: hex64(report.policy),
    policyBits: {
      abiMinor: report.abi.minor,
      abiMajor: report.abi.major,
      smt: guestPolicy.smt,
      reserved17: true,
      migrateMa: guestPolicy.migrateMa,
      debug: guestPolicy.debug,
      singleSocket: guestPolicy.singleSocket,
      cxlAllow: guestPolicy.cxl,
      memAes256Xts: guestPolicy.aes256Xts,
      raplDis: guestPolicy.raplDisabled,
      ciphertextHidingDram: guestPolicy.ciphertextHiding,
      pageSwapDisable: guestPolicy.pageSwapDisabled,
    },
    familyId: toHex(report.familyId),
    imageId: toHex(report.imageId),
    vmpl: report.vmpl,
    signatureAlgo: 1,
    platformInfo: hex64(report.platformInfo),
    platformBits: {
      smtEn: platformBits.smt,
      tsmeEn: platformBits.tsme,
      eccEn: platformBits.ecc,
      raplDis: platformBits.raplDisabled,
      ciphertextHidingDramEn: platformBits.ciphertextHiding,
      aliasCheckComplete: platformBits.aliasCheck,
      bit6_iommuWriteSafe: platformBits.iommuWriteSafe,
      tioEn: platformBits.tio,
    },
    signerInfo: {
      raw: report.signingKey === 'vlek' ? 4 : 0,
      authorKeyEn: report.authorKeyEnabled,
      maskChipKey: report.chipKeyMasked,
      signingKey: report.signingKey.toUpperCase(),
    },
    reportData: toHex(report.reportData),
    measurement: toHex(report.measurement),
    hostData: toHex(report.hostData),
    idKeyDigest: toHex(report.idKeyDigest),
    authorKeyDigest: toHex(report.authorKeyDigest),
    reportId: toHex(report.reportId),
    reportIdMa: toHex(report.reportIdMa),
    cpuid: report.cpuid ?? null,
    chipId: toHex(report.chipId),
    tcb: expected.tcb,
    firmware: { current: triple(firmware.current), committed: triple(firmware.committed) },
    mitVectors:
      mitigations === undefined
        ? null
        : { launch: hex64(mitigations.launch), current: hex64(mitigations.current) },
  }
}
