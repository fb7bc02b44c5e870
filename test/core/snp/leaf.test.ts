import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { FIELDS } from '#core/snp/layout.ts'
import { isAuthorityOf, isLeafOf, wantedLeavesOf } from '#core/snp/leaf.ts'
import { parseReport } from '#core/snp/report.ts'
import type { AmdAuthority } from '#lab/amd/authority.ts'
import { amdScheme, issueCertificate } from '#lab/amd/certificate.ts'
import type { PlatformInput } from '#lab/amd/platform.ts'
import { vcekRequest } from '#lab/amd/vcek.ts'
import { mint, platformOf, testAuthority } from '../../amd.ts'

const genoa = await testAuthority('Genoa')
const turin = await testAuthority('Turin')

function minted(authority: AmdAuthority, input: Partial<PlatformInput> = {}) {
  const { bytes, certs } = mint(authority, input)
  const report = parseReport(bytes)
  const [leaf] = certs
  const [wanted] = wantedLeavesOf(report)
  assert.ok(leaf && wanted)
  return { report, leaf, wanted }
}

describe('the certificate that a report needs', () => {
  for (const { name, authority, input, expected } of [
    { name: 'Genoa', authority: genoa, input: {}, expected: ['Genoa vcek 64'] },
    { name: 'Turin', authority: turin, input: {}, expected: ['Turin vcek 8'] },
    { name: 'a VLEK', authority: genoa, input: { signingKey: 'vlek' }, expected: ['Genoa vlek none'] },
    { name: 'a masked chip', authority: genoa, input: { chipIdMasked: true }, expected: ['Genoa vcek none'] },
    {
      name: 'version 2 of Genoa: Milan has the same layout, Turin another',
      authority: genoa,
      input: { version: 2 },
      expected: ['Milan vcek 64', 'Genoa vcek 64'],
    },
    {
      name: 'version 2 of Turin, whose levels do not fit the other layouts',
      authority: turin,
      input: { version: 2 },
      expected: ['Turin vcek 8'],
    },
    {
      name: 'an unknown processor',
      authority: genoa,
      input: { cpuid: { family: 1, model: 1, stepping: 1 } },
      expected: [],
    },
    {
      name: 'a TCB in the layout of another product',
      authority: turin,
      input: { cpuid: { family: 0x19, model: 0x11, stepping: 1 } },
      expected: [],
    },
  ] as const)
    test(name, () => {
      const wanted = wantedLeavesOf(parseReport(mint(authority, input).bytes))
      assert.deepEqual(
        wanted.map((one) => `${one.product} ${one.kind} ${one.hardwareId?.byteLength ?? 'none'}`),
        expected,
      )
    })

  test('a VLEK names no chip, even if the report does', () => {
    for (const [authority, byte] of [
      [genoa, 0],
      [turin, 0],
      [turin, 8],
    ] as const) {
      const { bytes } = mint(authority, { signingKey: 'vlek' })
      bytes.writeUInt8(1, FIELDS.chipId.at + byte)
      assert.deepEqual(
        wantedLeavesOf(parseReport(bytes)).map(({ hardwareId }) => hardwareId),
        [undefined],
      )
    }
  })

  test("a chip id longer than the product's names no chip", () => {
    const { bytes } = mint(turin)
    bytes.writeUInt8(1, FIELDS.chipId.at + 8)
    assert.deepEqual(wantedLeavesOf(parseReport(bytes)), [])
  })
})

describe('the certificate of a report', () => {
  test('is recognised', () => {
    for (const { report, leaf, wanted } of [
      minted(genoa),
      minted(turin),
      minted(genoa, { signingKey: 'vlek' }),
      minted(genoa, { chipIdMasked: true }),
    ])
      assert.equal(isLeafOf(leaf, wanted, report), true)
  })

  const { report, leaf, wanted } = minted(genoa)
  const { tcb, hardwareId } = platformOf(genoa)
  const key = genoa.endorse(hardwareId, tcb.reported).key
  const wearing = (change: object, subject = 'SEV-VCEK', own = key) => {
    const about = { product: 'Genoa' as const, hardwareId, tcb: tcb.reported, notBefore: genoa.notBefore }
    const request = vcekRequest(own, { ...about, ...change })
    return issueCertificate({ ...request, subject }, amdScheme(genoa.askKey))
  }
  const otherKey = genoa.endorse('11'.repeat(64), tcb.reported).key
  for (const { name, der } of [
    { name: 'another chip, with the same key', der: wearing({ hardwareId: '11'.repeat(64) }) },
    ...(['bootloader', 'tee', 'snp', 'microcode'] as const).map((component) => ({
      name: `another ${component}, with the same key`,
      der: wearing({ tcb: { ...tcb.reported, [component]: 1 } }),
    })),
    { name: 'another product, with the same key', der: wearing({ product: 'Milan' }) },
    { name: 'another name, with the same key', der: wearing({}, 'SEV-VLEK') },
    { name: 'another key with the same statements', der: wearing({}, 'SEV-VCEK', otherKey) },
    { name: 'another key', der: genoa.endorse('11'.repeat(64), tcb.reported).vcekDer },
    { name: 'an intermediate', der: genoa.askDer },
    { name: 'no bytes', der: Buffer.alloc(0) },
    { name: 'an additional byte', der: Buffer.concat([leaf, Buffer.alloc(1)]) },
  ])
    test(`is not one with ${name}`, () => assert.equal(isLeafOf(der, wanted, report), false))

  test('is recognised under any signature: only the verifier checks it', () => {
    const request = vcekRequest(key, {
      product: 'Genoa',
      hardwareId,
      tcb: tcb.reported,
      notBefore: genoa.notBefore,
    })
    assert.equal(isLeafOf(issueCertificate(request, amdScheme(turin.askKey)), wanted, report), true)
  })

  test('arbitrary bytes give an answer, never a fault', () => {
    const flipped = fc
      .tuple(fc.nat(leaf.byteLength - 1), fc.integer({ min: 1, max: 255 }))
      .map(([at, bits]) => {
        const copy = Buffer.from(leaf)
        copy.writeUInt8(copy.readUInt8(at) ^ bits, at)
        return copy
      })
    const cut = fc.nat(leaf.byteLength - 1).map((end) => leaf.subarray(0, end))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), flipped, cut), (bytes) => {
        assert.equal(typeof isLeafOf(bytes, wanted, report), 'boolean')
        assert.equal(isAuthorityOf(genoa.askDer, bytes), false)
        assert.equal(isAuthorityOf(bytes, leaf), false)
      }),
      { numRuns: 300 },
    )
  })
})

describe('the issuer of a leaf', () => {
  const { leaf } = minted(genoa)
  const vlek = minted(genoa, { signingKey: 'vlek' }).leaf
  for (const [name, authority, of, expected] of [
    ['the ASK for a VCEK', genoa.askDer, leaf, true],
    ['the ASVK for a VLEK', genoa.asvkDer, vlek, true],
    ['the ASK for a VLEK', genoa.askDer, vlek, false],
    ['the ASVK for a VCEK', genoa.asvkDer, leaf, false],
    ['the ARK for a VCEK', genoa.arkDer, leaf, false],
    ['an ASK of another product', turin.askDer, leaf, false],
    ['a leaf', leaf, leaf, false],
  ] as const)
    test(`${name}: ${expected}`, () => assert.equal(isAuthorityOf(authority, of), expected))
})
