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
/** From the end, as the builder lays it out. */
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

test('what it reads', () => {
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

test('what checks no kernel has no hash table', () => {
  const withoutSection = sections((rows) => rows.splice(5, 1))
  for (const bytes of [file({ hashTable: [0, 0] }), without(GUIDS.hashTable), withoutSection])
    assert.equal(parseFirmware(bytes).hashTable, undefined)
})

test('limits are inside', () => {
  // A table from the first byte on: 32 bytes of reset vector, 18 of the footer, four entries of 96 bytes in all, and this one.
  const filler: TableEntry = ['00000000-0000-0000-0000-000000000001', Buffer.alloc(4096 - 32 - 18 - 96 - 18)]
  assert.equal(
    parseFirmware(buildFirmware({ ...AMD_SEV, pages: 1 }, (rows) => [filler, ...rows])).apEntry,
    0x80b004,
  )
  // Metadata from the first byte on.
  const atStart = withEntry(GUIDS.metadata, u32(good.byteLength))
  good.copy(atStart, 0, good.byteLength - METADATA)
  assert.equal(parseFirmware(atStart).sections.length, 7)
  // Exactly to where the firmware begins; exactly the most pages; the table at both ends of its page.
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
  ['nothing', Buffer.alloc(0), 'it has 0 bytes, not whole pages of 4096 up to 16777216'],
  ['half a page', good.subarray(2048), 'it has 10240 bytes, not whole pages of 4096 up to 16777216'],
  [
    'more than 16 MiB',
    Buffer.alloc(16 * 1024 * 1024 + 4096),
    'it has 16781312 bytes, not whole pages of 4096 up to 16777216',
  ],
  ['no table', Buffer.alloc(4096), 'there is no table of GUIDs 32 bytes before its end'],
  [
    'a table that ends elsewhere',
    Buffer.concat([good.subarray(16), Buffer.alloc(16)]),
    'there is no table of GUIDs 32 bytes before its end',
  ],
  ['a table of no size', poke(FOOTER_SIZE, u16(17)), 'its table of GUIDs says that it has 17 bytes'],
  [
    'a table larger than the file',
    poke(FOOTER_SIZE, u16(0xffff)),
    'its table of GUIDs says that it has 65535 bytes',
  ],
  [
    'a table that begins within an entry',
    poke(FOOTER_SIZE, u16(18 + 22 + 5)),
    'its table of GUIDs begins with 5 bytes of no entry',
  ],
  [
    'an entry that begins before the table',
    poke(FOOTER_SIZE, u16(18 + 22 + 20)),
    'an entry of its table of GUIDs says that it has 26 bytes',
  ],
  [
    'an entry of no size',
    poke(FOOTER_SIZE + 18, u16(17)),
    'an entry of its table of GUIDs says that it has 17 bytes',
  ],
  [
    'an entry twice',
    buildFirmware(AMD_SEV, (rows) => [[GUIDS.resetBlock, u32(1)], ...rows]),
    'its table of GUIDs has two entries of one GUID',
  ],
  ['a table without entries', poke(FOOTER_SIZE, u16(18)), 'its table of GUIDs has no SEV_ES_RESET_BLOCK'],
  ['no reset block', without(GUIDS.resetBlock), 'its table of GUIDs has no SEV_ES_RESET_BLOCK'],
  [
    'no metadata',
    without(GUIDS.metadata),
    'its table of GUIDs has no SEV_METADATA: it is not made for SEV-SNP',
  ],
  [
    'a reset block of five bytes',
    withEntry(GUIDS.resetBlock, Buffer.alloc(5, 1)),
    'its entry SEV_ES_RESET_BLOCK has 5 bytes, not 4',
  ],
  [
    'a metadata offset of no bytes',
    withEntry(GUIDS.metadata, u32()),
    'its entry SEV_METADATA has 0 bytes, not 4',
  ],
  [
    'a hash table without size',
    withEntry(GUIDS.hashTable, u32(0x810c00)),
    'its entry SEV_HASH_TABLE_RV has 4 bytes, not 8',
  ],
  ['a start at zero', file({ apEntry: 0 }), 'its SEV_ES_RESET_BLOCK names address zero'],
  [
    'metadata before the file',
    withEntry(GUIDS.metadata, u32(3 * 4096 + 1)),
    'its SEV metadata stands 12289 bytes before its end',
  ],
  [
    'metadata past the file',
    withEntry(GUIDS.metadata, u32(15)),
    'its SEV metadata stands 15 bytes before its end',
  ],
  [
    'metadata of another kind',
    withEntry(GUIDS.metadata, u32(METADATA - 1)),
    'its SEV metadata does not begin with ASEV',
  ],
  ['metadata of version 2', poke(METADATA - 8, u32(2)), 'its SEV metadata has version 2, not 1'],
  ['no section', poke(METADATA - 4, u32(16, 1, 0)), 'its SEV metadata has 0 sections, not 1 to 64'],
  ['65 sections', poke(METADATA - 12, u32(65)), 'its SEV metadata has 65 sections, not 1 to 64'],
  [
    'four thousand million sections',
    poke(METADATA - 12, u32(0xffffffff)),
    'its SEV metadata has 4294967295 sections, not 1 to 64',
  ],
  [
    'more sections than the size says',
    poke(METADATA - 12, u32(8)),
    'its SEV metadata of 8 sections says that it has 100 bytes',
  ],
  [
    'less sections than the size says',
    poke(METADATA - 12, u32(6)),
    'its SEV metadata of 6 sections says that it has 100 bytes',
  ],
  [
    'metadata that ends after the file',
    endsAfterFile(),
    'its SEV metadata of 64 sections says that it has 784 bytes',
  ],
  [
    'an unknown section',
    sections((rows) => rows.push([5, 0x900000, 0x1000])),
    'section 7 of its SEV metadata has the unknown type 0x5',
  ],
  [
    'a section of the highest type',
    sections((rows) => rows.push([0xffffffff, 0x900000, 0x1000])),
    'section 7 of its SEV metadata has the unknown type 0xffffffff',
  ],
  [
    'a section off its page',
    sections((rows) => rows.push([1, 0x900010, 0x1000])),
    'section 7 of its SEV metadata (SEC_MEM) is not of whole pages',
  ],
  [
    'a section of half a page',
    sections((rows) => rows.push([1, 0x900000, 0x800])),
    'section 7 of its SEV metadata (SEC_MEM) is not of whole pages',
  ],
  [
    'a section of nothing',
    sections((rows) => rows.push([1, 0x900000, 0])),
    'section 7 of its SEV metadata (SEC_MEM) is not of whole pages',
  ],
  [
    'two pages of secrets',
    sections((rows) => rows.splice(2, 1, [2, 0x900000, 0x2000])),
    'section 2 of its SEV metadata (SECRETS) has 8192 bytes, not one page',
  ],
  [
    'two pages of CPUID',
    sections((rows) => rows.splice(3, 1, [3, 0x900000, 0x2000])),
    'section 3 of its SEV metadata (CPUID) has 8192 bytes, not one page',
  ],
  [
    'two pages of kernel hashes',
    sections((rows) => rows.splice(5, 1, [0x10, 0x900000, 0x2000])),
    'section 5 of its SEV metadata (KERNEL_HASHES) has 8192 bytes, not one page',
  ],
  [
    'a section in the firmware',
    sections((rows) => rows.push([1, 0xffffc000, 0x2000])),
    'section 7 of its SEV metadata (SEC_MEM) reaches into the firmware or above it',
  ],
  [
    'a section that wraps',
    sections((rows) => rows.push([1, 0xfffff000, 0xfffff000])),
    'section 7 of its SEV metadata (SEC_MEM) reaches into the firmware or above it',
  ],
  [
    'more pages than we hash',
    sections((rows) => rows.push([1, 0x1000000, (16_384 - 30) * 0x1000])),
    'its SEV metadata lists 16385 pages, the limit is 16384',
  ],
  [
    'secrets twice',
    sections((rows) => rows.push([2, 0x900000, 0x1000])),
    'its SEV metadata has more than one section SECRETS',
  ],
  [
    'CPUID twice',
    sections((rows) => rows.push([3, 0x900000, 0x1000])),
    'its SEV metadata has more than one section CPUID',
  ],
  [
    'kernel hashes twice',
    sections((rows) => rows.push([0x10, 0x900000, 0x1000])),
    'its SEV metadata has more than one section KERNEL_HASHES',
  ],
  [
    'a page twice',
    sections((rows) => rows.push([1, 0x80e000, 0x1000])),
    'two sections of its SEV metadata hold the page at 0x80e000',
  ],
  [
    'a page within another section',
    sections((rows) => rows.unshift([1, 0x808000, 0x1000])),
    'two sections of its SEV metadata hold the page at 0x808000',
  ],
  [
    'a hash table before its page',
    file({ hashTable: [0x80fff0, 0x400] }),
    'its hash table does not lie in its section KERNEL_HASHES',
  ],
  [
    'a hash table past its page',
    file({ hashTable: [0x810f51, 176] }),
    'its hash table does not lie in its section KERNEL_HASHES',
  ],
  [
    'a hash table without room',
    file({ hashTable: [0x810c00, 175] }),
    'its hash table has 175 bytes, not 176 or more',
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
  test(`${name} is no OVMF that can be measured`, () =>
    assert.throws(
      () => parseFirmware(bytes),
      (error) => {
        assert.ok(error instanceof CodedError)
        assert.deepEqual([error.code, error.message], ['firmware.malformed', `OVMF: ${message}`])
        return true
      },
    ))

const launch = {
  kernel: undefined,
  vcpus: 1,
  vcpu: { signature: 0x800f12, features: 1n, fpu: 'reset' },
} as const
const { measurement } = measureLaunch({ ...launch, firmware: parseFirmware(good) })

test('any change to its bytes is refused or measured', () => {
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
