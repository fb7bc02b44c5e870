import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { codeOf } from '#core/errors.ts'
import { MAX_TABLE_BYTES, parseCertificateTable } from '#core/snp/certificateTable.ts'
import { encodeTable, GUIDS, tableEntry } from '../../certificateTable.ts'

const OTHER = '01020304-0506-0708-090a-0b0c0d0e0f10'
const END = Buffer.alloc(24)
const of = (size: number, fill = size & 0xff) => Buffer.alloc(size, fill)

describe('a certificate table', () => {
  test('gives its entries by kind', () => {
    const contents = { vcek: of(1300), vlek: of(1310), ask: of(1600), ark: of(1610), crl: of(900) }
    const table = encodeTable([
      [GUIDS.ark, contents.ark],
      [GUIDS.vcek, contents.vcek],
      [GUIDS.crl, contents.crl],
      [GUIDS.vlek, contents.vlek],
      [GUIDS.platformInfo, of(8)],
      [GUIDS.ask, contents.ask],
    ])
    assert.deepEqual(parseCertificateTable(table), { ...contents, platformInfo: of(8) })
  })

  test('may be empty, and zeros may follow it', () => {
    assert.deepEqual(parseCertificateTable(Buffer.alloc(MAX_TABLE_BYTES)), {})
    assert.deepEqual(parseCertificateTable(END), {})
    const padded = Buffer.concat([encodeTable([[GUIDS.vcek, of(9)]]), Buffer.alloc(4000)])
    assert.deepEqual(parseCertificateTable(padded), { vcek: of(9) })
  })

  test('may have entries of unknown kinds, which are omitted', () => {
    const table = encodeTable([
      [OTHER, of(5000)],
      [GUIDS.vcek, of(9)],
    ])
    assert.deepEqual(parseCertificateTable(table), { vcek: of(9) })
  })

  test('may have its contents in any order, with gaps', () => {
    const entries = [tableEntry(GUIDS.vcek, 90, 4), tableEntry(GUIDS.ask, 72, 4), END]
    const table = Buffer.concat([...entries, of(4, 1), of(14, 9), of(4, 2)])
    assert.deepEqual(parseCertificateTable(table), { vcek: of(4, 2), ask: of(4, 1) })
  })

  test('is copied when it is parsed', () => {
    const table = encodeTable([[GUIDS.vcek, of(9)]])
    const { vcek } = parseCertificateTable(table)
    table.fill(0)
    assert.deepEqual(vcek, of(9))
  })

  test('may have sixteen entries', () => {
    const known = Object.values(GUIDS).map((guid): [string, Buffer] => [guid, of(8)])
    const unknown = Array.from({ length: 10 }, (_, i): [string, Buffer] => [
      OTHER.replace('01', `a${i}`),
      of(1),
    ])
    assert.equal(Object.keys(parseCertificateTable(encodeTable([...known, ...unknown]))).length, 6)
  })

  // One fault each: without its check the table would be accepted.
  const cases: readonly (readonly [name: string, table: Buffer, message: RegExp])[] = [
    ['no bytes', Buffer.alloc(0), /has no entry of zeros at its end/],
    ['a truncated end', Buffer.alloc(23), /has no entry of zeros at its end/],
    ['no end', tableEntry(GUIDS.vcek, 24, 1), /has no entry of zeros at its end/],
    ['17 entries', encodeTable(seventeen()), /more than 16 entries/],
    ['more than 16 KiB', Buffer.alloc(MAX_TABLE_BYTES + 1), /has 16385 bytes, expected at most 16384/],
    [
      'an entry that overlaps the list of entries',
      tableOf([tableEntry(GUIDS.vcek, 47, 4)], 8),
      /overlaps another entry or the list/,
    ],
    [
      'an entry at offset zero',
      tableOf([tableEntry(GUIDS.vcek, 0, 8)], 8),
      /overlaps another entry or the list/,
    ],
    ['an entry past the end', tableOf([tableEntry(GUIDS.vcek, 48, 9)], 8), /ends at 57, expected at most 56/],
    [
      'an entry that starts past the end',
      tableOf([tableEntry(GUIDS.vcek, 57, 1)], 8),
      /ends at 58, expected at most 56/,
    ],
    // 0x30 + 0xffffffd8 is 8 in 32 bits.
    [
      'a length that wraps',
      tableOf([tableEntry(GUIDS.crl, 48, 0xffff_ffd8)], 8),
      /ends at 4294967304, expected/,
    ],
    [
      'an offset that wraps',
      tableOf([tableEntry(GUIDS.vcek, 0xffff_fff8, 16)], 8),
      /ends at 4294967304, expected/,
    ],
    [
      'the largest numbers',
      tableOf([tableEntry(GUIDS.crl, 0xffff_ffff, 0xffff_ffff)], 8),
      /ends at 8589934590/,
    ],
    ['an empty entry', tableOf([tableEntry(GUIDS.vcek, 48, 0)], 8), /contains the empty entry/],
    [
      'two entries of one kind',
      encodeTable([
        [GUIDS.vcek, of(1)],
        [GUIDS.vcek, of(1)],
      ]),
      /two entries with the GUID 63da758d-/,
    ],
    [
      'two entries of one unknown kind',
      encodeTable([
        [OTHER, of(1)],
        [OTHER, of(1)],
      ]),
      /two entries with the GUID 01020304-/,
    ],
    [
      'two entries that share a byte',
      tableOf([tableEntry(GUIDS.vcek, 72, 4), tableEntry(GUIDS.ask, 75, 4)], 8),
      /overlaps/,
    ],
    [
      'an entry within another',
      tableOf([tableEntry(GUIDS.vcek, 74, 1), tableEntry(GUIDS.ask, 72, 8)], 8),
      /overlaps/,
    ],
    ['an entry without a GUID', encodeTable([[OTHER.replace(/[^-]/g, '0'), of(1)]]), /the GUID zero/],
    ...(['vcek', 'vlek', 'ask', 'ark'] as const).map((kind): [string, Buffer, RegExp] => [
      `a ${kind} of 4097 bytes`,
      encodeTable([[GUIDS[kind], of(4097)]]),
      new RegExp(`entry ${kind} of 4097 bytes, expected at most 4096`),
    ]),
    [
      'platform information of 9 bytes',
      encodeTable([[GUIDS.platformInfo, of(9)]]),
      /entry platformInfo of 9 bytes, expected at most 8/,
    ],
  ]
  for (const [name, table, message] of cases)
    test(`is refused with ${name}`, () => {
      assert.throws(() => parseCertificateTable(table), { code: 'certificate-table.malformed', message })
    })

  test('of arbitrary bytes is parsed or refused, and gives only bytes of the table', () => {
    const guid = fc.constantFrom(...Object.values(GUIDS), OTHER)
    const number = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff }))
    const entries = fc.array(
      fc.tuple(guid, number, number).map(([id, at, length]) => tableEntry(id, at, length)),
      { maxLength: 4 },
    )
    fc.assert(
      fc.property(entries, fc.uint8Array({ maxLength: 300 }), (head, tail) => {
        const bytes = Buffer.concat([...head, ...(tail.length % 2 === 0 ? [END] : []), tail])
        try {
          for (const content of Object.values(parseCertificateTable(bytes)))
            assert.ok(content.byteLength > 0 && bytes.includes(Buffer.from(content)))
        } catch (error) {
          assert.equal(codeOf(error), 'certificate-table.malformed')
        }
      }),
      { numRuns: 2000 },
    )
  })
})

function tableOf(entries: readonly Buffer[], contentBytes: number): Buffer {
  return Buffer.concat([...entries, END, Buffer.alloc(contentBytes, 7)])
}

function seventeen(): [string, Buffer][] {
  return Array.from({ length: 17 }, (_, i) => [OTHER.replace('01', (0x10 + i).toString(16)), of(1)])
}
