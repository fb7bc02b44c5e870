/**
 * The grammar of reference values (docs/formats/policy.md), once for the library's reader and for the schema
 * of a policy.
 */
import { hexPattern, NAME } from '../patterns.ts'
import { PRODUCTS } from '../snp/product.ts'
import { LAST_SECOND } from '../time.ts'
import { base64url, either, list, matching, readAs, record, whole, words } from './grammar.ts'
import type { Reference } from './reference.ts'

/** Three months. With more, a list that is never refreshed would hide a revocation for good. */
const MAX_GRACE_SECONDS = 90 * 86_400

const bit = words('required', 'forbidden', 'any')
const byte = whole(0, 255)
const time = whole(0, LAST_SECOND)
const hexBytes = (bytes: number) => matching(hexPattern(bytes))

/** The firmware writes zeros for an absent key and a masked chip, so zeros cannot be a reference value. */
const setBytes = (bytes: number) =>
  matching(hexPattern(bytes), { pattern: /[^0]/, must: 'must not be all zero, which stands for none' })

const anyOr = (entry: ReturnType<typeof hexBytes>, limit = 64) => either(words('any'), list(entry, 1, limit))

const measurements = list(hexBytes(48), 1, 64)
const trust = list(base64url(32), 1, 64)

/**
 * As a policy carries it: measurements and worker configurations are listed. The fields are explained at
 * `Reference`.
 */
export const POLICY_REFERENCE = record({
  id: matching(NAME),
  assurance: words('measured', 'platform'),
  notBefore: time,
  notAfter: time,
  measurements,
  crl: either(words('not-required'), record({ graceSeconds: whole(0, MAX_GRACE_SECONDS) })),
  cspIds: list(
    matching({ pattern: /^[\x20-\x7e]{1,128}$/, must: 'must be 1 to 128 printable characters of ASCII' }),
    0,
    16,
  ),
  processors: list(
    record({
      product: words(...PRODUCTS),
      family: byte,
      model: byte,
      stepping: byte,
      floor: record({ fmc: byte, bootloader: byte, tee: byte, snp: byte, microcode: byte }),
    }),
    1,
    64,
  ),
  firmware: record({ major: byte, minor: byte, build: byte }),
  firmwareProfile: words('committed', 'provisional'),
  mitigations: record({ launch: hexBytes(8), current: hexBytes(8) }),
  guestPolicy: record({
    abi: record({ major: byte, minor: byte }),
    smt: bit,
    migrateMa: bit,
    debug: bit,
    singleSocket: bit,
    cxl: bit,
    aes256Xts: bit,
    raplDisabled: bit,
    ciphertextHiding: bit,
    pageSwapDisabled: bit,
  }),
  platformInfo: record({
    smt: bit,
    tsme: bit,
    ecc: bit,
    raplDisabled: bit,
    ciphertextHiding: bit,
    aliasCheck: bit,
    iommuWriteSafe: bit,
    tio: bit,
  }),
  vmpl: whole(0, 3),
  guestSvn: whole(0, 0xffff_ffff),
  familyIds: anyOr(hexBytes(16)),
  imageIds: anyOr(hexBytes(16)),
  idKeyDigests: anyOr(setBytes(48)),
  authorKeyDigests: anyOr(setBytes(48)),
  hostData: anyOr(hexBytes(32)),
  trust,
  chips: anyOr(setBytes(64), 4096),
})

/** For a report by itself: measurement and worker configuration may be `any`. */
export const REFERENCE = record({
  ...POLICY_REFERENCE.fields,
  measurements: either(words('any'), measurements),
  trust: either(words('any'), trust),
})

/**
 * Reads reference values from parsed JSON. Every field must be there and no other may.
 *
 * Throws `encoding.invalid`, naming each field that is wrong.
 */
export function readReference(value: unknown): Reference {
  return readAs(REFERENCE, value, 'the reference', 'encoding.invalid')
}
