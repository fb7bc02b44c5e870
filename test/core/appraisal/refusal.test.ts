import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refusalOf } from '#core/appraisal/refusal.ts'
import { CodedError, EVIDENCE_ERRORS, REPORT_ERRORS, type ReportErrorCode } from '#core/errors/report.ts'
import { certificateUrl } from '#core/snp/certificateUrl.ts'
import { parseReport } from '#core/snp/report.ts'
import { mint, testAuthority } from '../../amd.ts'

const FIELDS = {
  'report.malformed': ['report', '1184 bytes of version 2 to 5'],
  'report.invalid': ['report', 'values that the SEV-SNP ABI allows'],
  'report.signature': ['signature', 'a signature by the endorsed key'],
  'chain.missing': ['certs', 'the certificate of the key that signed the report'],
  'chain.malformed': ['certs', 'certificates in the DER form that AMD issues'],
  'chain.untrusted': ['certs', 'a chain that ends at a trusted root'],
  'chain.expired': ['certs', 'certificates that are valid at this time'],
  'chain.revoked': ['certs', 'an ASK or ASVK that its root has not revoked'],
  'chain.kind-mismatch': ['signingKey', 'a certificate for the kind of key that signed the report'],
  'chain.tcb-mismatch': ['tcb.reported', 'the TCB of the certificate'],
  'chain.chip-mismatch': ['chipId', 'the hardware id of the certificate'],
  'chain.product-mismatch': ['product', 'one product in CPUID, certificate and chain'],
  'crl.malformed': ['crl', 'a revocation list in the DER form that AMD issues'],
  'crl.untrusted': ['crl', 'a revocation list signed by a trusted root'],
  'certificate-table.malformed': ['report', 'an authentic report'],
  'case.malformed': ['case', 'one case of version 1, as docs/conformance.md specifies'],
} as const satisfies Partial<Record<ReportErrorCode, readonly [field: string, expected: string]>>

test('every code that verification throws is here', () => {
  const { 'case.malformed': _, ...rows } = FIELDS
  assert.deepEqual(Object.keys(rows).sort(), Object.keys(EVIDENCE_ERRORS).sort())
})

for (const [name, [field, expected]] of Object.entries(FIELDS)) {
  const code = name as ReportErrorCode // a key of FIELDS
  test(`${code} names its field, what was expected and found, and the remedy of the table`, () => {
    const { remedy } = REPORT_ERRORS[code]
    const error = new CodedError(code, 'what was found')
    assert.deepEqual(refusalOf(error), { code, field, expected, actual: 'what was found', remedy })
    assert.equal(refusalOf(error, 'roots').field, 'roots')
  })
}

const report = parseReport(mint(await testAuthority()).bytes)
const url = certificateUrl(report)
assert.ok(url !== undefined)
const resolved = ['chain.missing', 'chain.tcb-mismatch', 'chain.chip-mismatch']
for (const name of Object.keys(FIELDS)) {
  const code = name as ReportErrorCode // a key of FIELDS
  test(`${code} ${resolved.includes(code) ? 'names' : 'does not name'} the certificate to fetch`, () => {
    const { remedy } = refusalOf(new CodedError(code, 'x'), undefined, report)
    assert.equal(
      remedy,
      resolved.includes(code)
        ? `give the certificate of the signing key, from ${url}`
        : REPORT_ERRORS[code].remedy,
    )
  })
}

test('a report that does not identify its certificate gets the remedy of the table', async () => {
  const unnamed = parseReport(mint(await testAuthority(), { version: 2 }).bytes)
  assert.equal(certificateUrl(unnamed), undefined)
  const { remedy } = refusalOf(new CodedError('chain.missing', 'x'), undefined, unnamed)
  assert.equal(remedy, REPORT_ERRORS['chain.missing'].remedy)
})
