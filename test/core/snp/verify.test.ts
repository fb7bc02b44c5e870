import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { toHex } from '#core/bytes.ts'
import { codeOf } from '#core/errors.ts'
import { FIELDS, REPORT_BYTES, SIGNED_BYTES } from '#core/snp/layout.ts'
import type { Product } from '#core/snp/product.ts'
import { parseReport } from '#core/snp/report.ts'
import { TCB_COMPONENTS } from '#core/snp/tcb.ts'
import { verifyReport } from '#core/snp/verify.ts'
import type { PlatformInput } from '#lab/amd/platform.ts'
import { signReport } from '#lab/amd/report.ts'
import { MEASUREMENT, mint, noon, platformOf, storeOf, testAuthority } from '../../amd.ts'

const genoa = await testAuthority('Genoa')
const turin = await testAuthority('Turin')
const authorities = { Genoa: genoa, Turin: turin }
const roots = { Genoa: storeOf(genoa), Turin: storeOf(turin) }
type Minted = 'Genoa' | 'Turin'

function verify(product: Minted, bytes: Uint8Array, certs: readonly Buffer[]) {
  return verifyReport(parseReport(bytes), certs, {
    roots: roots[product],
    crls: [],
    at: noon(authorities[product]),
  })
}

/** A report as changed by malicious firmware, then signed by the right key. */
function forged(product: Minted, change: (bytes: Buffer) => void, input: Partial<PlatformInput> = {}) {
  const authority = authorities[product]
  const { bytes, certs } = mint(authority, input)
  const platform = platformOf(authority, input)
  change(bytes)
  return {
    certs,
    bytes: signReport(bytes, authority.endorse(platform.hardwareId, platform.tcb.reported).key),
  }
}

for (const [product, version] of [
  ['Genoa', 2],
  ['Genoa', 3],
  ['Genoa', 4],
  ['Genoa', 5],
  ['Turin', 3],
  ['Turin', 5],
] as const)
  test(`a report of ${product} in version ${version} is authentic`, () => {
    const { bytes, certs } = mint(authorities[product], { version })
    const verified = verify(product, bytes, certs)
    assert.equal(verified.product, product satisfies Product)
    assert.equal(verified.report.version, version)
    assert.equal(toHex(verified.report.measurement), MEASUREMENT)
    assert.deepEqual(verified.tcb, platformOf(authorities[product]).tcb)
  })

const at = (name: keyof typeof FIELDS, byte = 0) => FIELDS[name].at + byte
const turinTcb = platformOf(turin).tcb.reported

const refused: readonly {
  readonly name: string
  readonly product?: Minted
  readonly change: (bytes: Buffer) => void
  readonly code: string
}[] = [
  {
    name: 'a CPUID of Milan',
    change: (b) => b.writeUInt8(0x01, at('cpuid', 1)),
    code: 'chain.product-mismatch',
  },
  {
    name: 'a CPUID of Turin',
    change: (b) => b.set([0x1a, 2, 1], at('cpuid')),
    code: 'chain.product-mismatch',
  },
  {
    name: 'an unknown CPUID',
    change: (b) => b.set([0x1a, 0x50, 0], at('cpuid')),
    code: 'chain.product-mismatch',
  },
  ...[0, 1, 6, 7].map((byte) => ({
    name: `another reported TCB in byte ${byte}`,
    change: (b: Buffer) => b.writeUInt8(b.readUInt8(at('reportedTcb', byte)) ^ 1, at('reportedTcb', byte)),
    code: 'chain.tcb-mismatch',
  })),
  ...(['reportedTcb', 'committedTcb', 'currentTcb', 'launchTcb'] as const).map((name) => ({
    name: `a reserved byte in ${name}`,
    change: (b: Buffer) => b.writeUInt8(1, at(name, 3)),
    code: 'report.invalid',
  })),
  {
    name: 'a TCB of Turin in the layout of Genoa',
    change: (b) => b.set(Buffer.from('0a1b00000000001b', 'hex'), at('reportedTcb')),
    code: 'chain.tcb-mismatch',
  },
  ...TCB_COMPONENTS.map((component, index) => ({
    name: `another ${component} on Turin`,
    product: 'Turin' as const,
    change: (b: Buffer) => b.writeUInt8(turinTcb[component] + 1, at('reportedTcb', index === 4 ? 7 : index)),
    code: 'chain.tcb-mismatch',
  })),
  {
    name: 'a reserved TCB byte on Turin',
    product: 'Turin',
    change: (b) => b.writeUInt8(1, at('launchTcb', 6)),
    code: 'report.invalid',
  },
  {
    name: 'another chip',
    change: (b) => b.writeUInt8(b.readUInt8(at('chipId', 63)) ^ 1, at('chipId', 63)),
    code: 'chain.chip-mismatch',
  },
  {
    name: 'a masked chip',
    change: (b) => b.fill(0, at('chipId'), at('chipId', 64)),
    code: 'chain.chip-mismatch',
  },
  {
    name: 'another chip on Turin',
    product: 'Turin',
    change: (b) => b.writeUInt8(b.readUInt8(at('chipId', 7)) ^ 1, at('chipId', 7)),
    code: 'chain.chip-mismatch',
  },
  {
    name: 'a chip id longer than that of Turin',
    product: 'Turin',
    change: (b) => b.writeUInt8(1, at('chipId', 8)),
    code: 'chain.chip-mismatch',
  },
]
for (const { name, product = 'Genoa', change, code } of refused)
  test(`refuses ${name}`, () => {
    const { bytes, certs } = forged(product, change)
    assert.throws(() => verify(product, bytes, certs), { name: 'CodedError', code })
  })

test('a report re-signed without a change is authentic, so only the changes above are refused', () => {
  for (const product of ['Genoa', 'Turin'] as const) {
    const { bytes, certs } = forged(product, () => undefined)
    assert.equal(verify(product, bytes, certs).product, product)
  }
})

test('a masked chip is refused even if the certificate is masked too', () => {
  const hardwareId = '00'.repeat(64)
  const { bytes, certs } = mint(genoa, { hardwareId })
  assert.throws(() => verify('Genoa', bytes, certs), { code: 'chain.chip-mismatch' })
})

test('refuses a report signed by another key', () => {
  const { bytes, certs } = mint(genoa)
  signReport(bytes, generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
  assert.throws(() => verify('Genoa', bytes, certs), { code: 'report.signature' })
})

test('refuses r and s in the other byte order, or exchanged', () => {
  const { bytes, certs } = mint(genoa)
  const [r, s] = [FIELDS.signatureR.at, FIELDS.signatureS.at]
  const swapped = Buffer.from(bytes)
  swapped.set(bytes.subarray(s, s + 72), r)
  swapped.set(bytes.subarray(r, r + 72), s)
  assert.throws(() => verify('Genoa', swapped, certs), { code: 'report.signature' })
  for (const start of [r, s]) bytes.subarray(start, start + 48).reverse()
  assert.throws(() => verify('Genoa', bytes, certs), { code: 'report.signature' })
})

test('refuses a report with any one bit changed', () => {
  const { bytes, certs } = mint(genoa)
  for (let byte = 0; byte < REPORT_BYTES; byte += 1) {
    const changed = Buffer.from(bytes)
    changed[byte] = (changed[byte] ?? 0) ^ (1 << (byte % 8))
    let code = 'accepted'
    try {
      verify('Genoa', changed, certs)
    } catch (error) {
      code = codeOf(error)
    }
    const expected = byte < SIGNED_BYTES ? /^(report|chain)\./ : /^report\./
    assert.match(code, expected, `byte 0x${byte.toString(16)}`)
  }
})
