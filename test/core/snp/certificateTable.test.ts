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
  test('gives what it holds by kind', () => {
    const held = { vcek: of(1300), vlek: of(1310), ask: of(1600), ark: of(1610), crl: of(900) }
    const table = encodeTable([
      [GUIDS.ark, held.ark],
      [GUIDS.vcek, held.vcek],
      [GUIDS.crl, held.crl],
      [GUIDS.vlek, held.vlek],
      [GUIDS.platformInfo, of(8)],
      [GUIDS.ask, held.ask],
    ])
    assert.deepEqual(parseCertificateTable(table), { ...held, platformInfo: of(8) })
  })

  test('may hold nothing, and be followed by the zeros of its pages', () => {
    assert.deepEqual(parseCertificateTable(Buffer.alloc(MAX_TABLE_BYTES)), {})
    assert.deepEqual(parseCertificateTable(END), {})
    const padded = Buffer.concat([encodeTable([[GUIDS.vcek, of(9)]]), Buffer.alloc(4000)])
    assert.deepEqual(parseCertificateTable(padded), { vcek: of(9) })
  })

  test('may hold what this program does not know, which is left out', () => {
    const table = encodeTable([
      [OTHER, of(5000)],
      [GUIDS.vcek, of(9)],
    ])
    assert.deepEqual(parseCertificateTable(table), { vcek: of(9) })
  })

  test('may have its contents in any order, and apart', () => {
    const entries = [tableEntry(GUIDS.vcek, 90, 4), tableEntry(GUIDS.ask, 72, 4), END]
    const table = Buffer.concat([...entries, of(4, 1), of(14, 9), of(4, 2)])
    assert.deepEqual(parseCertificateTable(table), { vcek: of(4, 2), ask: of(4, 1) })
  })

  test('is kept as it was when read', () => {
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

  // One fault each: without its check the table would be taken.
  const cases: readonly (readonly [name: string, table: Buffer, message: RegExp])[] = [
    ['no bytes', Buffer.alloc(0), /no end/],
    ['an end cut short', Buffer.alloc(23), /no end/],
    ['no end', tableEntry(GUIDS.vcek, 24, 1), /no end/],
    ['17 entries', encodeTable(seventeen()), /more than 16 entries/],
    ['more than 16 KiB', Buffer.alloc(MAX_TABLE_BYTES + 1), /16385 bytes, the limit is 16384/],
    ['an entry in the table', tableOf([tableEntry(GUIDS.vcek, 47, 4)], 8), /overlaps another, or the table/],
    ['an entry at its start', tableOf([tableEntry(GUIDS.vcek, 0, 8)], 8), /overlaps another, or the table/],
    ['an entry past the end', tableOf([tableEntry(GUIDS.vcek, 48, 9)], 8), /ends at 57 of 56 bytes/],
    ['an entry from past the end', tableOf([tableEntry(GUIDS.vcek, 57, 1)], 8), /ends at 58 of 56 bytes/],
    // 0x30 + 0xffffffd8 is 8 in 32 bits.
    ['a length that wraps', tableOf([tableEntry(GUIDS.crl, 48, 0xffff_ffd8)], 8), /ends at 4294967304 of 56/],
    ['an offset that wraps', tableOf([tableEntry(GUIDS.vcek, 0xffff_fff8, 16)], 8), /ends at 4294967304 of/],
    [
      'the largest numbers',
      tableOf([tableEntry(GUIDS.crl, 0xffff_ffff, 0xffff_ffff)], 8),
      /ends at 8589934590/,
    ],
    ['an empty entry', tableOf([tableEntry(GUIDS.vcek, 48, 0)], 8), /is empty/],
    [
      'two of a kind',
      encodeTable([
        [GUIDS.vcek, of(1)],
        [GUIDS.vcek, of(1)],
      ]),
      /two entries 63da758d-/,
    ],
    [
      'two of a kind that is not known',
      encodeTable([
        [OTHER, of(1)],
        [OTHER, of(1)],
      ]),
      /two entries 01020304-/,
    ],
    [
      'two that overlap in a byte',
      tableOf([tableEntry(GUIDS.vcek, 72, 4), tableEntry(GUIDS.ask, 75, 4)], 8),
      /overlaps/,
    ],
    [
      'one within another',
      tableOf([tableEntry(GUIDS.vcek, 74, 1), tableEntry(GUIDS.ask, 72, 8)], 8),
      /overlaps/,
    ],
    ['an entry without a GUID', encodeTable([[OTHER.replace(/[^-]/g, '0'), of(1)]]), /without a GUID/],
    ...(['vcek', 'vlek', 'ask', 'ark'] as const).map((kind): [string, Buffer, RegExp] => [
      `a ${kind} of 4097 bytes`,
      encodeTable([[GUIDS[kind], of(4097)]]),
      new RegExp(`${kind} has 4097 bytes, the limit is 4096`),
    ]),
    [
      'platform information of 9 bytes',
      encodeTable([[GUIDS.platformInfo, of(9)]]),
      /has 9 bytes, the limit is 8/,
    ],
  ]
  for (const [name, table, message] of cases)
    test(`is refused with ${name}`, () => {
      assert.throws(() => parseCertificateTable(table), { code: 'certificate-table.malformed', message })
    })

  test('of any bytes is read or refused, and gives no more than it holds', () => {
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
