/**
 * Mutants that no test can notice, each with the reason. A mutant that survives and is not listed shows a
 * missing test. A row names its mutant by function and operator, not by line, so an edit elsewhere does not
 * touch it.
 */
import type { Mutant } from './mutant.ts'

type Row = {
  readonly file: string
  /** The function, method or constant. */
  readonly within: string
  readonly operator: string
  /** The old text → the new text. */
  readonly change: string
  /** Which one of the equal changes in the same function, from 1; undefined if it is the only one. */
  readonly nth: number | undefined
  readonly reason: string
}

const WIPED = 'it wipes memory of a call that has ended, which no test can reach'

export const EQUIVALENTS: readonly Row[] = [
  ...equivalent('src/core/snp/der.ts', 'the octet exists: its offset was compared with the limit', [
    ['oidOf', 'number moved', '0 → (-1)', 3],
    ['oidOf', 'number moved', '0 → (1)', 3],
    ['valueAt', 'number moved', '0 → (-1)', 1],
    ['valueAt', 'number moved', '0 → (-1)', 2],
    ['valueAt', 'number moved', '0 → (1)', 1],
    ['valueAt', 'number moved', '0 → (1)', 2],
  ]),
  ...equivalent('src/core/snp/der.ts', 'used only if there is a second octet', [
    ['unsignedOf', 'number moved', '0 → (-1)', 1],
    ['unsignedOf', 'number moved', '0 → (1)', 1],
  ]),
  ...equivalent('src/core/snp/der.ts', 'a number of five octets exceeds the maximum of every caller', [
    ['integerOf', 'number moved', '4 → (5)'],
  ]),
  ...equivalent(
    'src/core/snp/der.ts',
    'a value that begins at the last octet ends beyond it, which is refused six lines later',
    [
      ['valueAt', 'number moved', '2 → (1)', 1],
      ['valueAt', 'refusal disarmed', "throw new Malformed('is truncated') → ;", 1],
    ],
  ),
  ...equivalent(
    'src/core/snp/der.ts',
    'a long length means 128 octets or more, and no octet is left for them',
    [['valueAt', 'boundary shifted', 'from + octets > limit → from + octets >= limit']],
  ),
  ...equivalent('src/core/snp/certificate.ts', 'a path length of 1 is not expected either', [
    ['assertAuthority', 'number moved', '0 → (1)', 1],
  ]),
  ...equivalent('src/core/snp/certificate.ts', 'the octet exists: the value has four', [
    ['assertAuthority', 'number moved', '0 → (-1)', 3],
    ['assertAuthority', 'number moved', '0 → (1)', 3],
  ]),
  ...equivalent(
    'src/core/snp/x509.ts',
    'sequenceOf has already refused an absent name, which has no last part',
    [['commonNameOf', 'operand dropped', 'name === undefined || last === undefined → (last === undefined)']],
  ),
  ...equivalent('src/core/snp/signed.ts', 'every number but 48 is refused in the same line', [
    ['assertPss', 'number moved', '512 → (511)'],
    ['assertPss', 'number moved', '512 → (513)'],
  ]),
  ...equivalent('src/core/snp/signed.ts', 'every number but 1 is refused in the same line', [
    ['assertPss', 'number moved', '1 → (2)', 2],
  ]),
  ...equivalent('src/core/snp/signed.ts', 'parsing the usual bytes has the same result and is only slower', [
    ['parseSigned', 'condition forced', '!sameBytes(bytesOf(inner), USUAL) → true'],
  ]),
  ...equivalent(
    'src/core/snp/roots.ts',
    'if one of them is undefined, the line before has refused the root',
    [['verifyRoot', 'condition forced', 'authority !== undefined → true']],
  ),
  ...equivalent('src/core/appraisal/conformanceCase.ts', 'the code inside throws coded errors only', [
    ['judgeCase', 'condition forced', 'error instanceof CodedError → true'],
    ['judgeCase', 'refusal disarmed', 'throw error → ;'],
    ['parseTime', 'condition forced', 'cause instanceof CodedError → true'],
    ['parseTime', 'refusal disarmed', 'throw cause → ;'],
  ]),
  ...equivalent('src/core/appraisal/conformanceCase.ts', 'no length is below 0', [
    ['bytes', 'number moved', '0 → (-1)'],
    ['CASE', 'number moved', '0 → (-1)', 1],
    ['CASE', 'number moved', '0 → (-1)', 3],
    ['CASE', 'number moved', '0 → (-1)', 2],
    ['CASE', 'number moved', '0 → (-1)', 4],
  ]),
  ...equivalent('src/core/appraisal/grammar.ts', 'the decoder refuses a value that is not a text', [
    ['isBase64url', 'condition forced', "typeof value !== 'string' → false"],
  ]),
  ...equivalent(
    'src/core/appraisal/softwareRules.ts',
    'undefined is in no list: the comparison serves the type checker',
    [
      [
        'trust',
        'operand dropped',
        'actual !== undefined && digests.includes(actual) → (digests.includes(actual))',
      ],
    ],
  ),
  ...equivalent('src/core/snp/leaf.ts', 'a VCEK without a hardware id has already been refused', [
    ['isLeafOf', 'number moved', '0 → (-1)'],
    ['isLeafOf', 'number moved', '0 → (1)'],
  ]),
  ...equivalent('src/core/snp/leaf.ts', 'the code inside throws nothing else, as fuzzing confirms', [
    ['holds', 'condition forced', 'error instanceof CodedError → true'],
    ['holds', 'refusal disarmed', 'throw error → ;'],
  ]),
  ...equivalent('src/core/snp/certificateTable.ts', 'the limit of the whole table is the same', [
    ['KINDS', 'row removed', 'maxBytes: MAX_TABLE_BYTES → '],
  ]),
  ...equivalent(
    'src/core/snp/certificateTable.ts',
    'Node treats a start before the first octet as the first',
    [['guidOf', 'number moved', '0 → (-1)']],
  ),
  ...equivalent('src/core/snp/tcb.ts', 'no component is named undefined, and an absent byte becomes 0', [
    ['encodeTcb', 'condition forced', 'component === undefined → false'],
  ]),
  ...equivalent('src/core/snp/product.ts', 'no model is below 0', [
    ['MODELS', 'number moved', '0x00 → (-1)', 1],
    ['MODELS', 'number moved', '0x00 → (-1)', 2],
  ]),
  ...equivalent('src/core/snp/product.ts', 'the row before it has that model', [
    ['MODELS', 'number moved', '0x10 → (15)'],
  ]),
  ...equivalent('src/core/snp/report.ts', 'no field begins with that version', [
    ['UNUSED', 'number moved', '3 → (4)'],
    ['UNUSED', 'number moved', '4 → (3)'],
    ['UNUSED', 'number moved', '5 → (6)'],
    ['unusedIn', 'number moved', '2 → (1)'],
  ]),
  ...equivalent('src/core/snp/report.ts', 'all bits with a name are among the lower 31', [
    ['bitsOf', 'number moved', '32 → (31)'],
    ['bitsOf', 'number moved', '32 → (33)'],
  ]),
  ...equivalent('src/core/appraisal/firmwareRules.ts', 'the two values differ here', [
    ['isBefore', 'boundary shifted', 'a.major < b.major → a.major <= b.major'],
    ['isBefore', 'boundary shifted', 'a.minor < b.minor → a.minor <= b.minor'],
  ]),
  ...equivalent('src/core/appraisal/firmwareRules.ts', 'a vector has 64 bits, so the next one is clear', [
    ['bitsOf', 'number moved', '64 → (65)'],
  ]),
  ...equivalent(
    'src/core/snp/signed.ts',
    'the last of the three parts is the first to be absent, and wholeBitsOf refuses its absence',
    [
      [
        'parseSigned',
        'operand dropped',
        'tbs === undefined || outer === undefined || signature === undefined → (tbs === undefined || outer === undefined)',
      ],
      [
        'parseSigned',
        'operand dropped',
        'tbs === undefined || outer === undefined || signature === undefined → (signature === undefined)',
      ],
      ['parseSigned', 'operand dropped', 'tbs === undefined || outer === undefined → (tbs === undefined)'],
      ['parseSigned', 'operand dropped', 'tbs === undefined || outer === undefined → (outer === undefined)'],
    ],
  ),
  ...equivalent('src/adapters/http/origin.ts', 'URL writes no part of an IPv4 address longer', [
    ['LOOPBACK', 'number moved', '3 → 4', 1],
  ]),
  ...equivalent('src/adapters/oci/config.ts', 'no other kind of principal may have these fields', [
    [
      'assertTransport',
      'operand dropped',
      "principal.kind === 'instance' && { metadataUrl: principal.metadataUrl, federationUrl: principal.fede → ({\n      metadataUrl: principal.metadataUrl,\n      federationUrl: principal.federationUrl,\n    })",
    ],
  ]),
  ...equivalent('src/core/sealed/object.ts', 'a header of no bytes is no compact JWS', [
    ['readSealHeader', 'boundary shifted', 'bytes.byteLength < start → bytes.byteLength <= start'],
  ]),
  ...equivalent('src/core/sealed/pieces.ts', 'the one piece is there: it serves the type checker', [
    ['joinPieces', 'operand dropped', 'pieces.length === 1 && first !== undefined → (pieces.length === 1)'],
  ]),
  ...equivalent(
    'src/core/sealed/pipeline.ts',
    'work that has settled is not waited for: the set only holds more of it',
    [['finish', 'call dropped', 'working.delete(job) → ;']],
  ),
  ...equivalent('src/core/sealed/header.ts', 'an empty segment is not matched either', [
    ['baseUrl', 'number moved', '1 → 0'],
  ]),
  ...equivalent('src/core/sealed/floe.ts', 'a digest of SHA-384 has 48 bytes', [
    ['messageKeys', 'number moved', '48 → (49)'],
  ]),
  ...equivalent('src/core/sealed/floeSeal.ts', 'the ciphertext is written over what follows the IV', [
    ['read', 'number moved', '1 → (2)', 3],
  ]),
  ...equivalent('src/core/sealed/padme.ts', 'two bytes stay two by the calculation too', [
    ['padmeLength', 'boundary shifted', 'bytes < 2 → bytes <= 2'],
    ['padmeLength', 'number moved', '2 → (3)', 1],
  ]),
  ...equivalent('src/core/sealed/result.ts', 'only the length of the portions in which zeros pass', [
    ['ZEROS', 'number moved', '64 → (63)'],
    ['ZEROS', 'number moved', '64 → (65)'],
    ['ZEROS', 'number moved', '1024 → (1023)'],
    ['ZEROS', 'number moved', '1024 → (1025)'],
  ]),
  ...equivalent('src/core/sealed/result.ts', 'a chunk of no zeros changes nothing', [
    ['padded', 'boundary shifted', 'zeros > 0 → zeros >= 0'],
    ['padded', 'number moved', '0 → (-1)', 1],
  ]),
  ...equivalent('src/core/sealed/result.ts', 'beyond a part, padded length and frames are even numbers', [
    ['sealParts', 'number moved', '0 → (1)', 2],
  ]),
  ...equivalent('src/core/release/envelope.ts', 'the verification imports it too, if the key id is its own', [
    ['acceptGrantKey', 'call dropped', 'importJwk(grantCa.jwk) → ;'],
  ]),
  ...equivalent('src/core/policy/policyCheck.ts', 'the code inside throws coded errors only', [
    ['scopeProblems', 'refusal disarmed', 'throw error → ;'],
  ]),
  ...equivalent('src/core/policy/floor.ts', 'policies and keys are counted from 1, lists from 0', [
    ['', 'number moved', '0 → (-1)', 1],
    ['', 'number moved', '0 → (1)', 1],
    ['', 'number moved', '0 → (-1)', 2],
    ['', 'number moved', '0 → (-1)', 3],
  ]),
  ...equivalent(
    'src/core/policy/objectName.ts',
    'the pattern gives all parts or none: the comparisons serve the type checker',
    [
      [
        'parseDocumentName',
        'operand dropped',
        'kind === undefined || digest === undefined → (kind === undefined)',
      ],
      [
        'parseDocumentName',
        'operand dropped',
        'kind === undefined || digest === undefined → (digest === undefined)',
      ],
    ],
  ),
  ...equivalent('src/core/release/decide.ts', 'a document that is not read is a reason to refuse', [
    ['decideJob', 'operand dropped', 'first === undefined || refused.length > 0 → (refused.length > 0)'],
    [
      'readDocuments',
      'operand dropped',
      'job.set === undefined || record === undefined → (record === undefined)',
    ],
    [
      'readDocuments',
      'operand dropped',
      'job.set === undefined || record === undefined → (job.set === undefined)',
    ],
    ['readDocuments', 'condition forced', 'header === undefined → false'],
  ]),
  ...equivalent('src/core/release/decide.ts', 'the code inside throws coded errors only', [
    ['read', 'refusal disarmed', 'throw error → ;'],
  ]),
  ...equivalent('src/core/release/about.ts', 'each is a code: the filter serves the type checker', [
    [
      'SUBJECTS',
      'selection dropped',
      '[...Object.keys(EVIDENCE_ERRORS), ...Object.keys(APPRAISAL_ERRORS)].filter(isErrorCode) → [...Object.keys(EVIDENCE_ERRORS), ...Object.keys(APPRAISAL_ERRORS)]',
    ],
  ]),
  ...wiped('src/core/release/jwe.ts', [
    ['sealTo', 'kek', 1],
    ['sealTo', 'cek', 2],
    ['openSealed', 'key'],
    ['decryptContent', 'plaintext'],
    ['deriveKek', 'shared'],
  ]),
  ...equivalent('src/core/release/jwe.ts', WIPED, [
    ['openSealed', 'call dropped', 'keys.push(kek) → ;'],
    ['openSealed', 'call dropped', 'keys.push(cek) → ;'],
  ]),
  ...equivalent('src/core/release/jwe.ts', 'five parts are there: it serves the type checker', [
    ['NONE', 'number moved', '0 → (1)'],
  ]),
  ...wiped('src/core/release/wrap.ts', [
    ['wrapKeys', 'payload'],
    ['unwrapKeys', 'payload', 2],
  ]),
  ...equivalent('src/core/release/platformRules.ts', 'only that level has an administrator', [
    [
      'isDisclosure',
      'operand dropped',
      "verdict.assurance === 'platform' && assurance.level === 'platform' → (verdict.assurance === 'platform')",
    ],
  ]),
  ...equivalent(
    'src/core/release/accept.ts',
    'there are as many keys as objects, and as many as in the job',
    [
      ['keysOf', 'operand dropped', 'object === undefined || key === undefined → (object === undefined)'],
      ['keysOf', 'operand dropped', 'object === undefined || key === undefined → (key === undefined)'],
      [
        'expectAboutRequest',
        'operand dropped',
        'asked !== undefined && object.headerDigest === toBase64url(headerDigest(asked.header)) → (object.headerDigest === toBase64url(headerDigest(asked.header)))',
      ],
    ],
  ),
  ...equivalent('src/core/release/idKey.ts', 'HMAC fills its key with zeros (RFC 2104 §2)', [
    ['derive', 'number moved', '0 → (1)'],
  ]),
  ...equivalent('src/core/job/deadLetter.ts', 'no length is below 0', [
    ['Schema', 'number moved', '0 → (-1)'],
  ]),
  ...equivalent('src/core/job/deadLetter.ts', 'no job has the id null, so the last comparison refuses it', [
    ['jobOfLetter', 'operand dropped', 'jobId === null || message === null → (message === null)'],
  ]),
  ...equivalent('src/core/job/walk.ts', 'all moves that write the same entry lead to the same state', [
    ['step', 'condition forced', 'legal.length > 0 → false'],
    ['step', 'number moved', '0 → (1)', 1],
  ]),
]

/** `name.fill(0)`, of which `nth` is the number of its zero among those of the function. */
function wiped(
  file: string,
  buffers: readonly (readonly [within: string, name: string, nth?: number])[],
): readonly Row[] {
  return buffers.flatMap(([within, name, nth = 1]) =>
    equivalent(file, WIPED, [
      [within, 'call dropped', `${name}.fill(0) → ;`],
      [within, 'number moved', '0 → (-1)', nth],
      [within, 'number moved', '0 → (1)', nth],
    ]),
  )
}

function equivalent(
  file: string,
  reason: string,
  changes: readonly (readonly [within: string, operator: string, change: string, nth?: number])[],
): readonly Row[] {
  return changes.map(([within, operator, change, nth]) => ({ file, within, operator, change, nth, reason }))
}

/** The reason of each listed mutant. `mutants` are all of their files, in order. */
export function reasonsOf(
  mutants: readonly Mutant[],
  rows: readonly Row[] = EQUIVALENTS,
): ReadonlyMap<Mutant, string> {
  return new Map(
    rows.flatMap((row) => mutantsOfRow(row, mutants).map((mutant) => [mutant, row.reason] as const)),
  )
}

/** At most one mutant: a row without a number that fits several is stale. */
export function mutantsOfRow(row: Row, mutants: readonly Mutant[]): readonly Mutant[] {
  const { file, within, operator, change, nth } = row
  const alike = mutants.filter(
    (mutant) =>
      mutant.file === file &&
      mutant.within === within &&
      mutant.operator === operator &&
      `${mutant.was} → ${mutant.replacement}` === change,
  )
  if (nth === undefined) return alike.length === 1 ? alike : []
  return alike.slice(nth - 1, nth)
}
