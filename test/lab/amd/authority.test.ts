import assert from 'node:assert/strict'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { toHex } from '#core/bytes.ts'
import { openCrl } from '#core/snp/crl.ts'
import { REPORT_VERSIONS, SIGNING_KEYS } from '#core/snp/layout.ts'
import { PRODUCTS } from '#core/snp/product.ts'
import { parseReport } from '#core/snp/report.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { toUnixSeconds } from '#core/time.ts'
import { openAuthority } from '#lab/amd/authority.ts'
import { AMD_STATE, crlOf, mint, noon, platformOf, storeOf, testAuthority } from '../../amd.ts'

const folder = await mkdtemp(join(tmpdir(), 'cw-amd-authority-'))
after(() => rm(folder, { recursive: true }))
const YEAR = 31_557_600
const DAY = 86_400

for (const product of PRODUCTS)
  for (const version of REPORT_VERSIONS)
    for (const signingKey of SIGNING_KEYS)
      test(`${product}, version ${version}, signed with a ${signingKey.toUpperCase()}: authentic`, async () => {
        const authority = await testAuthority(product)
        const { bytes, certs } = mint(authority, { version, signingKey })
        const report = parseReport(bytes)
        assert.deepEqual([report.version, report.signingKey], [version, signingKey])
        assert.equal(report.mitigations?.launch, version === 5 ? 7n : undefined)
        assert.equal(
          toHex(report.chipId),
          (signingKey === 'vlek' ? '' : authority.hardwareId).padEnd(128, '0'),
        )
        const verified = verifyReport(report, certs, {
          roots: storeOf(authority),
          crls: [],
          at: noon(authority),
        })
        assert.equal(verified.product, product)
        assert.deepEqual(
          [
            verified.endorsement.hardwareId && toHex(verified.endorsement.hardwareId),
            verified.endorsement.cspId,
          ],
          signingKey === 'vlek'
            ? [undefined, 'CN=cc-region-1.cloud.example']
            : [authority.hardwareId, undefined],
        )
      })

test('every field of the platform is in the report', async () => {
  const authority = await testAuthority('Turin')
  const level = { fmc: 1, bootloader: 3, tee: 2, snp: 5, microcode: 97 }
  const { bytes } = mint(authority, {
    version: 5,
    familyId: '11'.repeat(16),
    imageId: '22'.repeat(16),
    idKeyDigest: '33'.repeat(48),
    authorKeyDigest: '44'.repeat(48),
    authorKeyEnabled: true,
    reportIdMa: '55'.repeat(32),
    guestSvn: 9,
    signingKey: 'vlek',
    chipKeyMasked: true,
    chipIdMasked: true,
    firmware: { major: 1, minor: 58, build: 3 },
    committedFirmware: { major: 1, minor: 57, build: 2 },
    mitigations: { launch: '0000000000000003', current: '8000000000000007' },
    tcb: { ...level, snp: 4 },
    currentTcb: level,
    launchTcb: { ...level, snp: 3 },
    committedTcb: { ...level, snp: 4, tee: 1 },
  })
  const report = parseReport(bytes)
  const hex = (name: 'familyId' | 'imageId' | 'idKeyDigest' | 'authorKeyDigest' | 'reportIdMa' | 'chipId') =>
    toHex(report[name])
  assert.equal(hex('familyId'), '11'.repeat(16))
  assert.equal(hex('imageId'), '22'.repeat(16))
  assert.equal(hex('idKeyDigest'), '33'.repeat(48))
  assert.equal(hex('authorKeyDigest'), '44'.repeat(48))
  assert.equal(hex('reportIdMa'), '55'.repeat(32))
  assert.equal(hex('chipId'), '00'.repeat(64))
  assert.deepEqual([report.authorKeyEnabled, report.chipKeyMasked, report.guestSvn], [true, true, 9])
  assert.deepEqual(report.firmware, {
    current: { major: 1, minor: 58, build: 3 },
    committed: { major: 1, minor: 57, build: 2 },
  })
  assert.deepEqual(report.mitigations, { launch: 3n, current: 0x8000000000000007n })
  const snp = (name: keyof typeof report.tcb) => report.tcb[name][3]
  assert.deepEqual((['reported', 'committed', 'current', 'launch'] as const).map(snp), [4, 4, 5, 3])
})

test('a VLEK belongs to one provider and one TCB and is valid for a year', async () => {
  const authority = await testAuthority('Milan')
  const { tcb } = platformOf(authority)
  const keys = [
    authority.endorseProvider('CN=a', tcb.reported),
    authority.endorseProvider('CN=b', tcb.reported),
    authority.endorseProvider('CN=a', { ...tcb.reported, snp: 1 }),
  ].map(({ key }) => key.export({ format: 'der', type: 'pkcs8' }).toString('hex'))
  assert.equal(new Set(keys).size, 3)
  const { bytes, certs } = mint(authority, { signingKey: 'vlek' })
  const verifyAt = (at: number) =>
    verifyReport(parseReport(bytes), certs, {
      roots: storeOf(authority),
      crls: [],
      at: toUnixSeconds(authority.notBefore + at),
    })
  assert.equal(verifyAt(YEAR).product, 'Milan')
  assert.throws(() => verifyAt(YEAR + 1), { code: 'chain.expired' })
})

test('a revocation list can have any validity and any serial numbers', async () => {
  const authority = await testAuthority('Genoa')
  const { roots } = storeOf(authority)
  const at = noon(authority)
  const many = Array.from({ length: 5000 }, (_, index) => index + 0x8000)
  const crl = openCrl(
    crlOf(authority, { thisUpdate: at, nextUpdate: at + 60, number: 0x1234, revoked: many }),
    roots,
  )
  assert.deepEqual([crl.product, crl.thisUpdate, crl.nextUpdate, crl.number], ['Genoa', at, at + 60, '1234'])
  assert.equal(crl.revoked.size, 5000)
  assert.ok(crl.revoked.has('8000') && crl.revoked.has('9387'))
  const turin = await testAuthority('Turin')
  assert.throws(() => openCrl(crlOf(turin), roots), { code: 'crl.untrusted' })
})

test('the current list: a new number each week, valid for 45 days, nothing revoked', async () => {
  const authority = await testAuthority('Genoa')
  const { roots } = storeOf(authority)
  const listAt = (days: number) => openCrl(authority.crl(authority.notBefore + days * DAY), roots)
  assert.deepEqual(
    [listAt(0).number, listAt(6.9).number, listAt(7).number, listAt(70).number],
    ['01', '01', '02', '0b'],
  )
  const { thisUpdate, nextUpdate, revoked } = listAt(8)
  assert.deepEqual([thisUpdate - authority.notBefore, nextUpdate - thisUpdate], [7 * DAY, 45 * DAY])
  assert.equal(revoked.size, 0)
})

test('a folder without an ASVK gets one, the same for all who open it at once', async () => {
  await testAuthority('Genoa')
  await cp(join(AMD_STATE, 'Genoa'), join(folder, 'Genoa'), { recursive: true })
  for (const name of ['asvk.key', 'asvk.der']) await rm(join(folder, 'Genoa', name))
  const opened = await Promise.all([1, 2, 3].map(() => openAuthority(folder, 'Genoa')))
  assert.equal(new Set(opened.map(({ asvkDer }) => asvkDer.toString('hex'))).size, 1)
  const [first] = opened
  assert.ok(first)
  const { bytes, certs } = mint(first, { signingKey: 'vlek' })
  verifyReport(parseReport(bytes), certs, { roots: storeOf(first), crls: [], at: noon(first) })
  assert.ok((await readdir(join(folder, 'Genoa'))).every((name) => !name.startsWith('.')))
})
