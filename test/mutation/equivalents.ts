/** Mutants that change nothing that anybody could notice, each with the reason. What is not here and survives is a missing test. */
import type { Mutant } from './mutant.ts'

type Row = {
  readonly file: string
  /** What stands in the line, without the blanks around it. */
  readonly line: string
  /** What is replaced → by what. */
  readonly change: string
  readonly reason: string
}

const THREE_PARTS =
  'if (tbs === undefined || outer === undefined || signature === undefined || more.length > 0)'
const IS_BEFORE =
  'return a.major !== b.major ? a.major < b.major : a.minor !== b.minor ? a.minor < b.minor : a.build < b.build'

export const EQUIVALENTS: readonly Row[] = [
  ...within('src/core/snp/der.ts', 'the octet is there: its place was held against the limit', [
    ['const octet = source[at] ?? 0', '0 → (-1)'],
    ['const octet = source[at] ?? 0', '0 → (1)'],
    ['const [tag = 0, first = 0] = [source[at], source[at + 1]]', '0 → (-1)'],
    ['const [tag = 0, first = 0] = [source[at], source[at + 1]]', '0 → (1)'],
  ]),
  ...within('src/core/snp/der.ts', 'looked at only where there is a second octet', [
    ['const [first, second = 0] = bytes', '0 → (-1)'],
    ['const [first, second = 0] = bytes', '0 → (1)'],
  ]),
  ...within(
    'src/core/snp/der.ts',
    'five octets are more than any limit that is asked for, and four are less',
    [['const bytes = unsignedOf(der, 4)', '4 → (5)']],
  ),
  ...within(
    'src/core/snp/der.ts',
    'a value that begins at the last octet ends beyond it, which is refused six lines below',
    [
      ["if (at + 2 > limit) throw new Malformed('is cut short')", '2 → (1)'],
      ["if (at + 2 > limit) throw new Malformed('is cut short')", "throw new Malformed('is cut short') → ;"],
    ],
  ),
  ...within('src/core/snp/der.ts', 'a long length is of 128 octets or more, and nothing is left for them', [
    [
      'if (octets === 0 || octets > MAX_LENGTH_OCTETS || from + octets > limit)',
      'from + octets > limit → from + octets >= limit',
    ],
  ]),
  ...within('src/core/snp/certificate.ts', 'a path length of 1 is none that is expected either', [
    ['const limit = path === undefined ? undefined : integerOf(path, 0)', '0 → (1)'],
  ]),
  ...within('src/core/snp/certificate.ts', 'the octet is there: the value has four', [
    ['const [tag, length, , bits = 0] = usage.value', '0 → (-1)'],
    ['const [tag, length, , bits = 0] = usage.value', '0 → (1)'],
  ]),
  ...within(
    'src/core/snp/x509.ts',
    'without a name there is no last part, which sequenceOf has refused before',
    [
      [
        'if (name === undefined || last === undefined || !sameBytes(name.source.subarray(name.from, last.at), AMD))',
        'name === undefined || last === undefined → (last === undefined)',
      ],
    ],
  ),
  ...within('src/core/snp/signed.ts', 'any number but 48 is refused in the same line', [
    ['integerOf(explicitOf(salt, 2), 512) === SALT_BYTES &&', '512 → (511)'],
    ['integerOf(explicitOf(salt, 2), 512) === SALT_BYTES &&', '512 → (513)'],
  ]),
  ...within('src/core/snp/signed.ts', 'any number but 1 is refused in the same line', [
    ['(trailer === undefined || integerOf(explicitOf(trailer, 3), 1) === 1) &&', '1 → (2)'],
  ]),
  ...within('src/core/snp/signed.ts', 'what is usual is read to the same end, more slowly', [
    ['if (!sameBytes(bytesOf(inner), USUAL)) assertPss(inner)', '!sameBytes(bytesOf(inner), USUAL) → true'],
  ]),
  ...within('src/core/snp/roots.ts', 'where one of them is undefined, the line before has refused them all', [
    [
      'return { ...root, authorities: authorities.filter((authority) => authority !== undefined).map(kept) }',
      'authority !== undefined → true',
    ],
  ]),
  ...within('src/core/appraisal/endorsementRules.ts', 'it is the last second of the year 9999', [
    ['return toUnixSeconds(Math.min(time + seconds, 253_402_300_799))', '253_402_300_799 → (253402300798)'],
  ]),
  ...within(
    'src/core/appraisal/softwareRules.ts',
    'undefined is in no list: it is there for the type checker',
    [
      [
        "digests === 'any' || (actual !== undefined && digests.includes(actual))",
        'actual !== undefined && digests.includes(actual) → (digests.includes(actual))',
      ],
    ],
  ),
  ...within('src/core/snp/leaf.ts', 'a VCEK without a hardware id has been refused by then', [
    ['(hardwareId === undefined || sameBytes(key.hardwareId ?? Buffer.alloc(0), hardwareId)) &&', '0 → (-1)'],
    ['(hardwareId === undefined || sameBytes(key.hardwareId ?? Buffer.alloc(0), hardwareId)) &&', '0 → (1)'],
  ]),
  ...within('src/core/snp/leaf.ts', 'nothing that is tried there throws anything else: fuzzing says so', [
    ['if (error instanceof CodedError) return false', 'error instanceof CodedError → true'],
    ['throw error', 'throw error → ;'],
  ]),
  ...within('src/core/snp/certificateTable.ts', 'the whole table has no more bytes', [
    [
      "crl: { guid: '92f81bc3-5811-4d3d-97ff-d19f88dc67ea', maxBytes: MAX_TABLE_BYTES },",
      'maxBytes: MAX_TABLE_BYTES → ',
    ],
  ]),
  ...within('src/core/snp/certificateTable.ts', 'Node takes a start before the first octet for the first', [
    [
      "return entry.toString('hex', 0, GUID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')",
      '0 → (-1)',
    ],
  ]),
  ...within('src/core/snp/tcb.ts', 'no component is called undefined, and a byte that is none becomes 0', [
    [
      'TCB_LAYOUTS[product].bytes.map((component) => (component === undefined ? 0 : tcb[component])),',
      'component === undefined → false',
    ],
  ]),
  ...within('src/core/snp/product.ts', 'a model is not below 0', [
    ["{ product: 'Milan', die: 'Milan', family: 0x19, from: 0x00, to: 0x0f },", '0x00 → (-1)'],
    ["{ product: 'Turin', die: 'Turin', family: 0x1a, from: 0x00, to: 0x11 },", '0x00 → (-1)'],
  ]),
  ...within('src/core/snp/product.ts', 'the row before it has that model', [
    ["{ product: 'Genoa', die: 'Genoa', family: 0x19, from: 0x10, to: 0x1f },", '0x10 → (15)'],
  ]),
  ...within('src/core/snp/report.ts', 'there is no field that begins with that version', [
    ['3: unusedIn(3),', '3 → (4)'],
    ['4: unusedIn(4),', '4 → (3)'],
    ['5: unusedIn(5),', '5 → (6)'],
    ['return [...RESERVED, ...fields.filter(({ since = 2 }) => version < since)]', '2 → (1)'],
  ]),
  ...within('src/core/snp/report.ts', 'all bits that have a name are among the lower 31', [
    ['const low = Number(BigInt.asUintN(32, value))', '32 → (31)'],
    ['const low = Number(BigInt.asUintN(32, value))', '32 → (33)'],
  ]),
  ...within('src/core/appraisal/firmwareRules.ts', 'the two are known to differ', [
    [IS_BEFORE, 'a.major < b.major → a.major <= b.major'],
    [IS_BEFORE, 'a.minor < b.minor → a.minor <= b.minor'],
  ]),
  ...within('src/core/appraisal/firmwareRules.ts', 'a vector has 64 bits, so that the next one is clear', [
    ['return Array.from({ length: 64 }, (_, bit) => bit)', '64 → (65)'],
  ]),
  ...within(
    'src/core/snp/signed.ts',
    'of three parts the last is missing first, and without it wholeBitsOf refuses',
    [
      [
        THREE_PARTS,
        'tbs === undefined || outer === undefined || signature === undefined → (tbs === undefined || outer === undefined)',
      ],
      [
        THREE_PARTS,
        'tbs === undefined || outer === undefined || signature === undefined → (signature === undefined)',
      ],
      [THREE_PARTS, 'tbs === undefined || outer === undefined → (tbs === undefined)'],
      [THREE_PARTS, 'tbs === undefined || outer === undefined → (outer === undefined)'],
    ],
  ),
]

function within(
  file: string,
  reason: string,
  changes: readonly (readonly [line: string, change: string])[],
): readonly Row[] {
  return changes.map(([line, change]) => ({ file, line, change, reason }))
}

export function reasonOf(mutant: Mutant, rows = EQUIVALENTS): string | undefined {
  const change = `${mutant.was} → ${mutant.replacement}`
  return rows.find((row) => row.file === mutant.file && row.line === mutant.text && row.change === change)
    ?.reason
}
