/**
 * Mutants that no test can notice, each with the reason. A mutant that survives and is not listed shows a
 * missing test.
 */
import type { Mutant } from './mutant.ts'

type Row = {
  readonly file: string
  /** The text of the line, without leading and trailing blanks. */
  readonly line: string
  /** The old text → the new text. */
  readonly change: string
  readonly reason: string
}

const THREE_PARTS =
  'if (tbs === undefined || outer === undefined || signature === undefined || more.length > 0)'
const IS_BEFORE =
  'return a.major !== b.major ? a.major < b.major : a.minor !== b.minor ? a.minor < b.minor : a.build < b.build'

export const EQUIVALENTS: readonly Row[] = [
  ...within('src/core/snp/der.ts', 'the octet exists: its offset was compared with the limit', [
    ['const octet = source[at] ?? 0', '0 → (-1)'],
    ['const octet = source[at] ?? 0', '0 → (1)'],
    ['const [tag = 0, first = 0] = [source[at], source[at + 1]]', '0 → (-1)'],
    ['const [tag = 0, first = 0] = [source[at], source[at + 1]]', '0 → (1)'],
  ]),
  ...within('src/core/snp/der.ts', 'used only if there is a second octet', [
    ['const [first, second = 0] = bytes', '0 → (-1)'],
    ['const [first, second = 0] = bytes', '0 → (1)'],
  ]),
  ...within('src/core/snp/der.ts', 'a number of five octets exceeds the maximum of every caller', [
    ['const bytes = unsignedOf(der, 4)', '4 → (5)'],
  ]),
  ...within(
    'src/core/snp/der.ts',
    'a value that begins at the last octet ends beyond it, which is refused six lines later',
    [
      ["if (at + 2 > limit) throw new Malformed('is truncated')", '2 → (1)'],
      ["if (at + 2 > limit) throw new Malformed('is truncated')", "throw new Malformed('is truncated') → ;"],
    ],
  ),
  ...within('src/core/snp/der.ts', 'a long length means 128 octets or more, and no octet is left for them', [
    [
      'if (octets === 0 || octets > MAX_LENGTH_OCTETS || from + octets > limit)',
      'from + octets > limit → from + octets >= limit',
    ],
  ]),
  ...within('src/core/snp/certificate.ts', 'a path length of 1 is not expected either', [
    ['const limit = path === undefined ? undefined : integerOf(path, 0)', '0 → (1)'],
  ]),
  ...within('src/core/snp/certificate.ts', 'the octet exists: the value has four', [
    ['const [tag, length, , bits = 0] = usage.value', '0 → (-1)'],
    ['const [tag, length, , bits = 0] = usage.value', '0 → (1)'],
  ]),
  ...within('src/core/snp/x509.ts', 'sequenceOf has already refused an absent name, which has no last part', [
    [
      'if (name === undefined || last === undefined || !sameBytes(name.source.subarray(name.from, last.at), AMD))',
      'name === undefined || last === undefined → (last === undefined)',
    ],
  ]),
  ...within('src/core/snp/signed.ts', 'every number but 48 is refused in the same line', [
    ['integerOf(explicitOf(salt, 2), 512) === SALT_BYTES &&', '512 → (511)'],
    ['integerOf(explicitOf(salt, 2), 512) === SALT_BYTES &&', '512 → (513)'],
  ]),
  ...within('src/core/snp/signed.ts', 'every number but 1 is refused in the same line', [
    ['(trailer === undefined || integerOf(explicitOf(trailer, 3), 1) === 1) &&', '1 → (2)'],
  ]),
  ...within('src/core/snp/signed.ts', 'parsing the usual bytes has the same result and is only slower', [
    ['if (!sameBytes(bytesOf(inner), USUAL)) assertPss(inner)', '!sameBytes(bytesOf(inner), USUAL) → true'],
  ]),
  ...within('src/core/snp/roots.ts', 'if one of them is undefined, the line before has refused the root', [
    [
      'return { ...root, authorities: authorities.filter((authority) => authority !== undefined).map(kept) }',
      'authority !== undefined → true',
    ],
  ]),
  ...within('src/core/appraisal/conformanceCase.ts', 'the code inside throws coded errors only', [
    ['if (error instanceof CodedError) return refuseCase(error)', 'error instanceof CodedError → true'],
    ['throw error', 'throw error → ;'],
    [
      "if (cause instanceof CodedError) throw new CodedError('case.malformed', cause.message, { cause })",
      'cause instanceof CodedError → true',
    ],
    ['throw cause', 'throw cause → ;'],
  ]),
  ...within('src/core/appraisal/conformanceCase.ts', 'no length is below 0', [
    ['const bytes = base64url(0, 2 * 1024 * 1024)', '0 → (-1)'],
    ['certs: list(bytes, 0, 16),', '0 → (-1)'],
    ['crls: list(bytes, 0, 16),', '0 → (-1)'],
    ['0,', '0 → (-1)'],
    [
      "expect: optional(record({ verdict: words('accepted', 'authentic', 'refused'), codes: list(text, 0, 64) })),",
      '0 → (-1)',
    ],
    ["name: matching({ pattern: /^[\\s\\S]{0,200}$/, must: 'must have at most 200 characters' }),", '0 → 0'],
  ]),
  ...within('src/core/appraisal/grammar.ts', 'the decoder refuses a value that is not a text', [
    ["if (typeof value !== 'string') return false", "typeof value !== 'string' → false"],
  ]),
  ...within(
    'src/core/appraisal/softwareRules.ts',
    'undefined is in no list: the comparison serves the type checker',
    [
      [
        "unless(digests === 'any' || (actual !== undefined && digests.includes(actual)), {",
        'actual !== undefined && digests.includes(actual) → (digests.includes(actual))',
      ],
    ],
  ),
  ...within('src/core/snp/leaf.ts', 'a VCEK without a hardware id has already been refused', [
    ['(hardwareId === undefined || sameBytes(key.hardwareId ?? Buffer.alloc(0), hardwareId)) &&', '0 → (-1)'],
    ['(hardwareId === undefined || sameBytes(key.hardwareId ?? Buffer.alloc(0), hardwareId)) &&', '0 → (1)'],
  ]),
  ...within('src/core/snp/leaf.ts', 'the code inside throws nothing else, as fuzzing confirms', [
    ['if (error instanceof CodedError) return false', 'error instanceof CodedError → true'],
    ['throw error', 'throw error → ;'],
  ]),
  ...within('src/core/snp/certificateTable.ts', 'the limit of the whole table is the same', [
    [
      "crl: { guid: '92f81bc3-5811-4d3d-97ff-d19f88dc67ea', maxBytes: MAX_TABLE_BYTES },",
      'maxBytes: MAX_TABLE_BYTES → ',
    ],
  ]),
  ...within('src/core/snp/certificateTable.ts', 'Node treats a start before the first octet as the first', [
    [
      "return entry.toString('hex', 0, GUID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')",
      '0 → (-1)',
    ],
  ]),
  ...within('src/core/snp/tcb.ts', 'no component is named undefined, and an absent byte becomes 0', [
    [
      'TCB_LAYOUTS[product].bytes.map((component) => (component === undefined ? 0 : tcb[component])),',
      'component === undefined → false',
    ],
  ]),
  ...within('src/core/snp/product.ts', 'no model is below 0', [
    ["{ product: 'Milan', die: 'Milan', family: 0x19, from: 0x00, to: 0x0f },", '0x00 → (-1)'],
    ["{ product: 'Turin', die: 'Turin', family: 0x1a, from: 0x00, to: 0x11 },", '0x00 → (-1)'],
  ]),
  ...within('src/core/snp/product.ts', 'the row before it has that model', [
    ["{ product: 'Genoa', die: 'Genoa', family: 0x19, from: 0x10, to: 0x1f },", '0x10 → (15)'],
  ]),
  ...within('src/core/snp/report.ts', 'no field begins with that version', [
    ['3: unusedIn(3),', '3 → (4)'],
    ['4: unusedIn(4),', '4 → (3)'],
    ['5: unusedIn(5),', '5 → (6)'],
    ['return [...RESERVED, ...fields.filter(({ since = 2 }) => version < since)]', '2 → (1)'],
  ]),
  ...within('src/core/snp/report.ts', 'all bits with a name are among the lower 31', [
    ['const low = Number(BigInt.asUintN(32, value))', '32 → (31)'],
    ['const low = Number(BigInt.asUintN(32, value))', '32 → (33)'],
  ]),
  ...within('src/core/appraisal/firmwareRules.ts', 'the two values differ here', [
    [IS_BEFORE, 'a.major < b.major → a.major <= b.major'],
    [IS_BEFORE, 'a.minor < b.minor → a.minor <= b.minor'],
  ]),
  ...within('src/core/appraisal/firmwareRules.ts', 'a vector has 64 bits, so the next one is clear', [
    ['return Array.from({ length: 64 }, (_, bit) => bit)', '64 → (65)'],
  ]),
  ...within(
    'src/core/snp/signed.ts',
    'the last of the three parts is the first to be absent, and wholeBitsOf refuses its absence',
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
