import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CodedError } from '#core/errors.ts'
import { parseFirmware } from '#core/snp/launch/firmware.ts'
import { guidBytes } from '#core/snp/launch/guid.ts'
import { measureLaunch } from '#core/snp/launch/measure.ts'
import {
  AMD_SEV,
  buildFirmware,
  type FirmwareFile,
  GUIDS,
  type SectionRow,
  type TableEntry,
  u16,
  u32,
} from './firmwareFile.ts'

const good = buildFirmware(AMD_SEV)
/** Offsets from the end in a file of `buildFirmware`. */
const METADATA = 0x400
const FOOTER_SIZE = 32 + 18

const file = (change: Partial<FirmwareFile>) => buildFirmware({ ...AMD_SEV, ...change })
const sections = (change: (rows: SectionRow[]) => void) => {
  const rows = [...AMD_SEV.sections]
  change(rows)
  return file({ sections: rows })
}
const poke = (fromEnd: number, bytes: Buffer) => {
  const changed = Buffer.from(good)
  bytes.copy(changed, changed.byteLength - fromEnd)
  return changed
}
const without = (guid: string) => buildFirmware(AMD_SEV, (rows) => rows.filter(([it]) => it !== guid))
const withEntry = (guid: string, content: Buffer) =>
  buildFirmware(AMD_SEV, (rows) => rows.map((row): TableEntry => (row[0] === guid ? [guid, content] : row)))

test('a firmware file is read: addresses, hash table and sections', () => {
  const { gpa, apEntry, hashTable, sections: read } = parseFirmware(good)
  assert.deepEqual([gpa, apEntry, hashTable], [0xffffd000, 0x80b004, { gpa: 0x810c00 }])
  assert.deepEqual(read, [
    { kind: 'SEC_MEM', page: 'zero', gpa: 0x800000, pages: 9 },
    { kind: 'SEC_MEM', page: 'zero', gpa: 0x80a000, pages: 3 },
    { kind: 'SECRETS', page: 'secrets', gpa: 0x80d000, pages: 1 },
    { kind: 'CPUID', page: 'cpuid', gpa: 0x80e000, pages: 1 },
    { kind: 'SVSM_CAA', page: 'zero', gpa: 0x80f000, pages: 1 },
    { kind: 'KERNEL_HASHES', page: 'zero', gpa: 0x810000, pages: 1 },
    { kind: 'SEC_MEM', page: 'zero', gpa: 0x811000, pages: 15 },
  ])
})

test('firmware that checks no kernel has no hash table', () => {
  const withoutSection = sections((rows) => rows.splice(5, 1))
  for (const bytes of [file({ hashTable: [0, 0] }), without(GUIDS.hashTable), withoutSection])
    assert.equal(parseFirmware(bytes).hashTable, undefined)
})

test('every limit itself is allowed', () => {
  // A table from the first byte on: 32 bytes of reset vector, 18 of the footer, 96 of four entries, and this
  // one.
  const filler: TableEntry = ['00000000-0000-0000-0000-000000000001', Buffer.alloc(4096 - 32 - 18 - 96 - 18)]
  assert.equal(
    parseFirmware(buildFirmware({ ...AMD_SEV, pages: 1 }, (rows) => [filler, ...rows])).apEntry,
    0x80b004,
  )
  // Metadata from the first byte on.
  const atStart = withEntry(GUIDS.metadata, u32(good.byteLength))
  good.copy(atStart, 0, good.byteLength - METADATA)
  assert.equal(parseFirmware(atStart).sections.length, 7)
  // A section up to the firmware; the maximum of pages; the table at both ends of its page.
  parseFirmware(sections((rows) => rows.push([1, 0xffffc000, 0x1000])))
  parseFirmware(sections((rows) => rows.push([1, 0x1000000, (16_384 - 31) * 0x1000])))
  parseFirmware(file({ hashTable: [0x810000, 0x1000] }))
  parseFirmware(file({ hashTable: [0x810f50, 176] }))
  parseFirmware(
    file({
      sections: Array.from({ length: 64 }, (_, index): SectionRow => [1, index * 0x1000, 0x1000]),
      hashTable: [0, 0],
    }),
  )
  parseFirmware(Buffer.concat([Buffer.alloc(16 * 1024 * 1024 - good.byteLength), good]))
})

const malformed: readonly (readonly [string, Buffer, string])[] = [
  ['nothing', Buffer.alloc(0), 'has 0 bytes, expected whole pages of 4096, at most 16777216 in all'],
  [
    'half a page',
    good.subarray(2048),
    'has 10240 bytes, expected whole pages of 4096, at most 16777216 in all',
  ],
  [
    'more than 16 MiB',
    Buffer.alloc(16 * 1024 * 1024 + 4096),
    'has 16781312 bytes, expected whole pages of 4096, at most 16777216 in all',
  ],
  ['no table', Buffer.alloc(4096), 'has no table of GUIDs 32 bytes before its end'],
  [
    'a table that ends elsewhere',
    Buffer.concat([good.subarray(16), Buffer.alloc(16)]),
    'has no table of GUIDs 32 bytes before its end',
  ],
  ['a table of no size', poke(FOOTER_SIZE, u16(17)), 'has a table of GUIDs with the impossible size 17'],
  [
    'a table larger than the file',
    poke(FOOTER_SIZE, u16(0xffff)),
    'has a table of GUIDs with the impossible size 65535',
  ],
  [
    'a table that begins within an entry',
    poke(FOOTER_SIZE, u16(18 + 22 + 5)),
    'has 5 bytes before the entries of its table of GUIDs',
  ],
  [
    'an entry that begins before the table',
    poke(FOOTER_SIZE, u16(18 + 22 + 20)),
    'has an entry with the impossible size 26 in its table of GUIDs',
  ],
  [
    'an entry of no size',
    poke(FOOTER_SIZE + 18, u16(17)),
    'has an entry with the impossible size 17 in its table of GUIDs',
  ],
  [
    'an entry twice',
    buildFirmware(AMD_SEV, (rows) => [[GUIDS.resetBlock, u32(1)], ...rows]),
    'has two entries with the same GUID in its table of GUIDs',
  ],
  ['a table without entries', poke(FOOTER_SIZE, u16(18)), 'has no SEV_ES_RESET_BLOCK in its table of GUIDs'],
  ['no reset block', without(GUIDS.resetBlock), 'has no SEV_ES_RESET_BLOCK in its table of GUIDs'],
  [
    'no metadata',
    without(GUIDS.metadata),
    'has no SEV_METADATA in its table of GUIDs: it is not built for SEV-SNP',
  ],
  [
    'a reset block of five bytes',
    withEntry(GUIDS.resetBlock, Buffer.alloc(5, 1)),
    'has an entry SEV_ES_RESET_BLOCK of 5 bytes, expected 4',
  ],
  [
    'a metadata offset of no bytes',
    withEntry(GUIDS.metadata, u32()),
    'has an entry SEV_METADATA of 0 bytes, expected 4',
  ],
  [
    'a hash table without size',
    withEntry(GUIDS.hashTable, u32(0x810c00)),
    'has an entry SEV_HASH_TABLE_RV of 4 bytes, expected 8',
  ],
  ['an entry point at zero', file({ apEntry: 0 }), 'has the address zero in its SEV_ES_RESET_BLOCK'],
  [
    'metadata before the file',
    withEntry(GUIDS.metadata, u32(3 * 4096 + 1)),
    'has its SEV metadata at the impossible offset 12289 before its end',
  ],
  [
    'metadata past the file',
    withEntry(GUIDS.metadata, u32(15)),
    'has its SEV metadata at the impossible offset 15 before its end',
  ],
  [
    'metadata of another kind',
    withEntry(GUIDS.metadata, u32(METADATA - 1)),
    'has SEV metadata that does not begin with ASEV',
  ],
  ['metadata of version 2', poke(METADATA - 8, u32(2)), 'has SEV metadata of version 2, expected 1'],
  ['no section', poke(METADATA - 4, u32(16, 1, 0)), 'has SEV metadata with 0 sections, expected 1 to 64'],
  ['65 sections', poke(METADATA - 12, u32(65)), 'has SEV metadata with 65 sections, expected 1 to 64'],
  [
    '4294967295 sections',
    poke(METADATA - 12, u32(0xffffffff)),
    'has SEV metadata with 4294967295 sections, expected 1 to 64',
  ],
  [
    'more sections than the size says',
    poke(METADATA - 12, u32(8)),
    'has SEV metadata with 8 sections and the impossible size 100',
  ],
  [
    'fewer sections than the size says',
    poke(METADATA - 12, u32(6)),
    'has SEV metadata with 6 sections and the impossible size 100',
  ],
  [
    'metadata that ends after the file',
    endsAfterFile(),
    'has SEV metadata with 64 sections and the impossible size 784',
  ],
  [
    'an unknown section',
    sections((rows) => rows.push([5, 0x900000, 0x1000])),
    'has SEV metadata whose section 7 has the unknown type 0x5',
  ],
  [
    'a section of the highest type',
    sections((rows) => rows.push([0xffffffff, 0x900000, 0x1000])),
    'has SEV metadata whose section 7 has the unknown type 0xffffffff',
  ],
  [
    'a section that does not start on a page',
    sections((rows) => rows.push([1, 0x900010, 0x1000])),
    'has SEV metadata whose section 7 (SEC_MEM) is not a number of whole pages',
  ],
  [
    'a section of half a page',
    sections((rows) => rows.push([1, 0x900000, 0x800])),
    'has SEV metadata whose section 7 (SEC_MEM) is not a number of whole pages',
  ],
  [
    'an empty section',
    sections((rows) => rows.push([1, 0x900000, 0])),
    'has SEV metadata whose section 7 (SEC_MEM) is not a number of whole pages',
  ],
  [
    'two pages of secrets',
    sections((rows) => rows.splice(2, 1, [2, 0x900000, 0x2000])),
    'has SEV metadata whose section 2 (SECRETS) has 8192 bytes, expected one page',
  ],
  [
    'two pages of CPUID',
    sections((rows) => rows.splice(3, 1, [3, 0x900000, 0x2000])),
    'has SEV metadata whose section 3 (CPUID) has 8192 bytes, expected one page',
  ],
  [
    'two pages of kernel hashes',
    sections((rows) => rows.splice(5, 1, [0x10, 0x900000, 0x2000])),
    'has SEV metadata whose section 5 (KERNEL_HASHES) has 8192 bytes, expected one page',
  ],
  [
    'a section in the firmware',
    sections((rows) => rows.push([1, 0xffffc000, 0x2000])),
    'has SEV metadata whose section 7 (SEC_MEM) overlaps the firmware or lies above it',
  ],
  [
    'a section that wraps',
    sections((rows) => rows.push([1, 0xfffff000, 0xfffff000])),
    'has SEV metadata whose section 7 (SEC_MEM) overlaps the firmware or lies above it',
  ],
  [
    'more pages than the limit',
    sections((rows) => rows.push([1, 0x1000000, (16_384 - 30) * 0x1000])),
    'has SEV metadata with 16385 pages, expected at most 16384',
  ],
  [
    'secrets twice',
    sections((rows) => rows.push([2, 0x900000, 0x1000])),
    'has SEV metadata with more than one section SECRETS',
  ],
  [
    'CPUID twice',
    sections((rows) => rows.push([3, 0x900000, 0x1000])),
    'has SEV metadata with more than one section CPUID',
  ],
  [
    'kernel hashes twice',
    sections((rows) => rows.push([0x10, 0x900000, 0x1000])),
    'has SEV metadata with more than one section KERNEL_HASHES',
  ],
  [
    'a page twice',
    sections((rows) => rows.push([1, 0x80e000, 0x1000])),
    'has SEV metadata with the page at 0x80e000 in two sections',
  ],
  [
    'a page within another section',
    sections((rows) => rows.unshift([1, 0x808000, 0x1000])),
    'has SEV metadata with the page at 0x808000 in two sections',
  ],
  [
    'a hash table before its page',
    file({ hashTable: [0x80fff0, 0x400] }),
    'has its hash table outside its section KERNEL_HASHES',
  ],
  [
    'a hash table past its page',
    file({ hashTable: [0x810f51, 176] }),
    'has its hash table outside its section KERNEL_HASHES',
  ],
  [
    'a hash table without room',
    file({ hashTable: [0x810c00, 175] }),
    'has a hash table of 175 bytes, expected at least 176',
  ],
]

function endsAfterFile(): Buffer {
  const bytes = Buffer.from(
    buildFirmware(AMD_SEV, (rows) =>
      rows.map((row): TableEntry => (row[0] === GUIDS.metadata ? [GUIDS.metadata, u32(0x300)] : row)),
    ),
  )
  Buffer.concat([Buffer.from('ASEV'), u32(16 + 64 * 12, 1, 64)]).copy(bytes, bytes.byteLength - 0x300)
  return bytes
}

for (const [name, bytes, message] of malformed)
  test(`${name}: refused as malformed`, () =>
    assert.throws(
      () => parseFirmware(bytes),
      (error) => {
        assert.ok(error instanceof CodedError)
        assert.deepEqual([error.code, error.message], ['firmware.malformed', `the OVMF file ${message}`])
        return true
      },
    ))

const launch = {
  kernel: undefined,
  vcpus: 1,
  vcpu: { signature: 0x800f12, features: 1n, fpu: 'reset' },
} as const
const { measurement } = measureLaunch({ ...launch, firmware: parseFirmware(good) })

test('every change of a byte is refused or changes the measurement', () => {
  const end = fc.integer({ min: 1, max: METADATA })
  const anywhere = fc.integer({ min: 1, max: good.byteLength })
  fc.assert(
    fc.property(fc.oneof(end, anywhere), fc.uint8Array({ minLength: 1, maxLength: 4 }), (fromEnd, bytes) => {
      const changed = poke(fromEnd, Buffer.from(bytes))
      if (changed.equals(good)) return
      try {
        const digest = measureLaunch({ ...launch, firmware: parseFirmware(changed) }).measurement
        assert.ok(!digest.equals(measurement))
      } catch (error) {
        assert.ok(error instanceof CodedError && error.code === 'firmware.malformed')
      }
    }),
    { numRuns: 2000 },
  )
})

test('a GUID in the order of firmware tables', () =>
  assert.equal(
    guidBytes('00112233-4455-6677-8899-aabbccddeeff').toString('hex'),
    '33221100554477668899aabbccddeeff',
  ))
