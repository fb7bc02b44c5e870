import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toHex } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { FIELDS, type Field, P384_ORDER, REPORT_BYTES, RESERVED } from '#core/snp/layout.ts'
import { parseReport } from '#core/snp/report.ts'

test('every byte of a report is in exactly one field or reserved range', () => {
  const rows: Field[] = [...Object.values(FIELDS), ...RESERVED].sort((a, b) => a.at - b.at)
  let end = 0
  for (const { at, size } of rows) {
    assert.equal(at, end)
    end = at + size
  }
  assert.equal(end, REPORT_BYTES)
})

/** The smallest report that parses: version 3, only the required bits, r = s = 1. */
function plain(change: (bytes: Buffer) => void = () => undefined): Buffer {
  const bytes = Buffer.alloc(REPORT_BYTES)
  bytes.writeUInt32LE(3, FIELDS.version.at)
  bytes.writeBigUInt64LE(0x3_0000n, FIELDS.policy.at)
  bytes.writeUInt32LE(1, FIELDS.signatureAlgorithm.at)
  bytes.writeUInt8(1, FIELDS.signatureR.at)
  bytes.writeUInt8(1, FIELDS.signatureS.at)
  change(bytes)
  return bytes
}

function scalar(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(96, '0'), 'hex').reverse()
}

test("the smallest report parses into a copy of the caller's bytes", () => {
  const bytes = plain()
  const report = parseReport(bytes)
  bytes.fill(0xff)
  assert.equal(report.version, 3)
  assert.equal(report.signingKey, 'vcek')
  assert.equal(toHex(report.measurement), '00'.repeat(48))
  assert.equal(toHex(report.signature), `${'00'.repeat(47)}01`.repeat(2))
})

test('a report is read at its offset in a pooled buffer', () => {
  const pool = Buffer.concat([
    Buffer.alloc(7, 0xee),
    plain((b) => b.fill(0x11, 0x90, 0xc0)),
    Buffer.alloc(9, 0xee),
  ])
  assert.equal(toHex(parseReport(pool.subarray(7, 7 + REPORT_BYTES)).measurement), '11'.repeat(48))
})

const bits: readonly {
  readonly name: string
  readonly change: (bytes: Buffer) => void
  readonly read: (report: ReturnType<typeof parseReport>) => unknown
  readonly is: unknown
}[] = [
  {
    name: 'ABI',
    change: (b) => b.writeUInt16LE(0x0137, 8),
    read: (r) => r.abi,
    is: { major: 1, minor: 0x37 },
  },
  { name: 'SMT', change: (b) => b.writeBigUInt64LE(0x2_0000n, 8), read: (r) => r.guestPolicy.smt, is: false },
  {
    name: 'MIGRATE_MA',
    change: (b) => b.writeBigUInt64LE(0x6_0000n, 8),
    read: (r) => r.guestPolicy.migrateMa,
    is: true,
  },
  {
    name: 'DEBUG',
    change: (b) => b.writeBigUInt64LE(0xa_0000n, 8),
    read: (r) => r.guestPolicy.debug,
    is: true,
  },
  {
    name: 'PAGE_SWAP_DISABLE',
    change: (b) => b.writeBigUInt64LE(0x202_0000n, 8),
    read: (r) => r.guestPolicy.pageSwapDisabled,
    is: true,
  },
  {
    name: 'ALIAS_CHECK_COMPLETE',
    change: (b) => b.writeUInt8(0x20, 0x40),
    read: (r) => r.platformBits.aliasCheck,
    is: true,
  },
  { name: 'TIO_EN', change: (b) => b.writeUInt8(0x80, 0x40), read: (r) => r.platformBits.tio, is: true },
  { name: 'SIGNING_KEY', change: (b) => b.writeUInt32LE(4, 0x48), read: (r) => r.signingKey, is: 'vlek' },
  {
    name: 'AUTHOR_KEY_EN',
    change: (b) => b.writeUInt32LE(1, 0x48),
    read: (r) => r.authorKeyEnabled,
    is: true,
  },
  { name: 'MASK_CHIP_KEY', change: (b) => b.writeUInt32LE(6, 0x48), read: (r) => r.chipKeyMasked, is: true },
  {
    name: 'CPUID',
    change: (b) => b.set([0x19, 0x11, 1], 0x188),
    read: (r) => r.cpuid,
    is: { family: 0x19, model: 0x11, stepping: 1 },
  },
  {
    name: 'current firmware',
    change: (b) => b.set([40, 55, 1], 0x1e8),
    read: (r) => r.firmware.current,
    is: { major: 1, minor: 55, build: 40 },
  },
  {
    name: 'committed firmware',
    change: (b) => b.set([29, 54, 2], 0x1ec),
    read: (r) => r.firmware.committed,
    is: { major: 2, minor: 54, build: 29 },
  },
  {
    name: 'no mitigations before version 5',
    change: () => undefined,
    read: (r) => r.mitigations,
    is: undefined,
  },
  {
    name: 'no CPUID in version 2',
    change: (b) => b.writeUInt32LE(2, 0),
    read: (r) => r.cpuid,
    is: undefined,
  },
  {
    name: 'mitigations of version 5',
    change: (b) => {
      b.writeUInt32LE(5, 0)
      b.writeUInt8(0x0b, 0x1f8)
      b.writeUInt8(0x3f, 0x200)
    },
    read: (r) => r.mitigations,
    is: { launch: 0x0bn, current: 0x3fn },
  },
]
for (const { name, change, read, is } of bits)
  test(`reads ${name}`, () => assert.deepEqual(read(parseReport(plain(change))), is))

const refused: readonly { readonly name: string; readonly bytes: Buffer; readonly code: string }[] = [
  { name: 'no bytes', bytes: Buffer.alloc(0), code: 'report.malformed' },
  { name: 'a missing byte', bytes: plain().subarray(1), code: 'report.malformed' },
  { name: 'an additional byte', bytes: Buffer.concat([plain(), Buffer.alloc(1)]), code: 'report.malformed' },
  ...[0, 1, 6, 0x0103].map((version) => ({
    name: `version ${version}`,
    bytes: plain((b) => b.writeUInt32LE(version, 0)),
    code: 'report.malformed',
  })),
  ...RESERVED.flatMap(({ at, size }) =>
    [at, at + size - 1].map((byte) => ({
      name: `a reserved byte at 0x${byte.toString(16)}`,
      bytes: plain((b) => b.writeUInt8(1, byte)),
      code: 'report.invalid',
    })),
  ),
  {
    name: 'a CPUID in version 2',
    bytes: plain((b) => {
      b.writeUInt32LE(2, 0)
      b.writeUInt8(0x19, 0x188)
    }),
    code: 'report.invalid',
  },
  ...[0x1f8, 0x200].map((at) => ({
    name: `mitigations before version 5, at 0x${at.toString(16)}`,
    bytes: plain((b) => {
      b.writeUInt32LE(4, 0)
      b.writeUInt8(1, at)
    }),
    code: 'report.invalid',
  })),
  {
    name: 'POLICY bit 17 clear',
    bytes: plain((b) => b.writeBigUInt64LE(0x1_0000n, 8)),
    code: 'report.invalid',
  },
  {
    name: 'POLICY bit 26',
    bytes: plain((b) => b.writeBigUInt64LE(0x402_0000n, 8)),
    code: 'report.invalid',
  },
  { name: 'POLICY bit 63', bytes: plain((b) => b.writeUInt8(0x80, 15)), code: 'report.invalid' },
  { name: 'VMPL 4', bytes: plain((b) => b.writeUInt32LE(4, 0x30)), code: 'report.invalid' },
  {
    name: "the host's VMPL",
    bytes: plain((b) => b.writeUInt32LE(0xffff_ffff, 0x30)),
    code: 'report.invalid',
  },
  { name: 'SIGNATURE_ALGO 0', bytes: plain((b) => b.writeUInt32LE(0, 0x34)), code: 'report.invalid' },
  { name: 'SIGNATURE_ALGO 2', bytes: plain((b) => b.writeUInt32LE(2, 0x34)), code: 'report.invalid' },
  ...[2, 3, 4, 5, 6].map((key) => ({
    name: `SIGNING_KEY ${key}`,
    bytes: plain((b) => b.writeUInt32LE(key << 2, 0x48)),
    code: 'report.invalid',
  })),
  {
    name: 'SIGNING_KEY 7, unsigned',
    bytes: plain((b) => b.writeUInt32LE(7 << 2, 0x48)),
    code: 'report.signature',
  },
  {
    name: 'MASK_CHIP_KEY with a VCEK',
    bytes: plain((b) => b.writeUInt32LE(2, 0x48)),
    code: 'report.invalid',
  },
  {
    name: 'MASK_CHIP_KEY without a key',
    bytes: plain((b) => b.writeUInt32LE(2 | (7 << 2), 0x48)),
    code: 'report.signature',
  },
  { name: 'SIGNER_INFO bit 5', bytes: plain((b) => b.writeUInt32LE(1 << 5, 0x48)), code: 'report.invalid' },
  { name: 'SIGNER_INFO bit 31', bytes: plain((b) => b.writeUInt8(0x80, 0x4b)), code: 'report.invalid' },
  ...(['signatureR', 'signatureS'] as const).flatMap((name) => {
    const { at } = FIELDS[name]
    return [
      { name: `${name} zero`, bytes: plain((b) => b.fill(0, at, at + 72)), code: 'report.signature' },
      { name: `${name} n`, bytes: plain((b) => b.set(scalar(P384_ORDER), at)), code: 'report.signature' },
      {
        name: `${name} of 48 bytes 0xff`,
        bytes: plain((b) => b.fill(0xff, at, at + 48)),
        code: 'report.signature',
      },
      {
        name: `${name} above 48 bytes`,
        bytes: plain((b) => b.writeUInt8(1, at + 48)),
        code: 'report.signature',
      },
      {
        name: `${name} in the last byte`,
        bytes: plain((b) => b.writeUInt8(1, at + 71)),
        code: 'report.signature',
      },
    ]
  }),
]
for (const { name, bytes, code } of refused)
  test(`refuses ${name}`, () => assert.throws(() => parseReport(bytes), { name: 'CodedError', code }))

test('accepts n − 1', () => {
  const { signature } = parseReport(plain((b) => b.set(scalar(P384_ORDER - 1n), FIELDS.signatureR.at)))
  assert.equal(toHex(signature.subarray(0, 48)), (P384_ORDER - 1n).toString(16))
})

test('hostile bytes give a report or a coded error', () => {
  const change = fc.tuple(fc.integer({ min: 0, max: REPORT_BYTES - 1 }), fc.integer({ min: 0, max: 255 }))
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), fc.integer({ min: -3, max: 3 }), (changes, growth) => {
      const bytes = Buffer.concat([plain(), Buffer.alloc(3)]).subarray(0, REPORT_BYTES + growth)
      for (const [at, value] of changes) bytes[Math.min(at, bytes.byteLength - 1)] = value
      try {
        parseReport(bytes)
      } catch (error) {
        assert.ok(error instanceof CodedError)
      }
    }),
    { numRuns: 2000 },
  )
})
