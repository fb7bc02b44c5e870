/** `report show`: every field of a report, where it stands and what it claims. Nothing is verified. */
import { isZero, toHex } from '#core/bytes.ts'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import {
  FIELDS,
  type Field,
  type FieldName,
  GUEST_POLICY_BITS,
  PLATFORM_INFO_BITS,
  POLICY_BIT_ONE,
  POLICY_BITS,
  REPORT_VERSIONS,
  RESERVED,
  SIGNER_INFO,
  SIGNING_KEYS,
  UNSIGNED,
} from '#core/snp/layout.ts'
import { type Cpuid, dieOfCpuid, type Product, productOfCpuid } from '#core/snp/product.ts'
import { parseReport, TCB_NAMES, type TcbName } from '#core/snp/report.ts'
import { parseTcb, type Tcb } from '#core/snp/tcb.ts'
import { assertWhole } from './reportBytes.ts'
import {
  FIELD_MEANINGS,
  type Meaning,
  PLATFORM_MEANINGS,
  POLICY_MEANINGS,
  RESERVED_MEANING,
} from './reportMeanings.ts'

export type ShownBit = Meaning & { readonly bit: number; readonly set: boolean }

export type ShownField = Meaning & {
  readonly offset: number
  readonly size: number
  /** As they stand in the report, in hex. */
  readonly bytes: string
  readonly value: string
  readonly notes: readonly string[]
  readonly bits: readonly ShownBit[]
}

export type ShownReport = {
  readonly verified: false
  /** What the ABI does not allow; null for a report that it allows, genuine or not. */
  readonly problem: { readonly code: ErrorCode; readonly message: string } | null
  /** By CPUID; null in version 2, which has none, and for a processor that is not known here. */
  readonly product: Product | null
  readonly die: string | null
  /** In the layout of the product; version 2 is read as Milan and Genoa have it, and says so. */
  readonly tcb: Readonly<Record<TcbName, Tcb>> | null
  readonly tcbLayout: Product | null
  readonly fields: readonly ShownField[]
}

/** Throws `report.malformed` for another length or version: where the fields stand is then unknown. */
export function showReport(bytes: Buffer): ShownReport {
  assertWhole(bytes)
  const version = bytes.readUInt32LE(FIELDS.version.at)
  if (!REPORT_VERSIONS.some((known) => known === version)) parseReport(bytes)
  const cpuid = version >= FIELDS.cpuid.since ? cpuidOf(take(bytes, FIELDS.cpuid)) : undefined
  const product = cpuid === undefined ? undefined : productOfCpuid(cpuid)
  const tcbLayout = cpuid === undefined ? 'Milan' : product
  const problem = problemOf(() => {
    parseReport(bytes)
    if (product !== undefined) tcbsOf(bytes, product)
  })
  return {
    verified: false,
    problem,
    product: product ?? null,
    die: (cpuid && dieOfCpuid(cpuid)) ?? null,
    tcb: tcbLayout === undefined ? null : shownTcbs(bytes, tcbLayout),
    tcbLayout: tcbLayout ?? null,
    fields: fieldsOf(bytes, version),
  }
}

function problemOf(check: () => void): ShownReport['problem'] {
  try {
    check()
    return null
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return { code: error.code, message: error.message }
  }
}

function fieldsOf(bytes: Buffer, version: number): readonly ShownField[] {
  // Object.entries forgets that the keys are those of FIELDS.
  const entries = Object.entries(FIELDS) as (readonly [FieldName, Field])[]
  const named = entries.map(([name, field]) => {
    const { since = 2 } = field
    const shown = version < since ? unused(since) : (SHOWN[name] ?? hex)
    return shownField(bytes, field, FIELD_MEANINGS[name], shown)
  })
  const reserved = RESERVED.map((field) => shownField(bytes, field, RESERVED_MEANING, zero))
  return [...named, ...reserved].sort((a, b) => a.offset - b.offset)
}

type Shown = {
  readonly value: string
  readonly notes?: readonly string[]
  readonly bits?: readonly ShownBit[]
}
type Show = (bytes: Buffer) => Shown

function shownField(report: Buffer, field: Field, { name, meaning }: Meaning, show: Show): ShownField {
  const bytes = take(report, field)
  const { value, notes = [], bits = [] } = show(bytes)
  return { name, offset: field.at, size: field.size, bytes: toHex(bytes), value, meaning, notes, bits }
}

const hex: Show = (bytes) => ({ value: toHex(bytes) })
const number: Show = (bytes) => ({ value: String(bytes.readUInt32LE(0)) })
const zero: Show = (bytes) => ({ value: isZero(bytes) ? 'zero' : `NOT ZERO: ${toHex(bytes)}` })
const unused =
  (since: number): Show =>
  (bytes) => ({ value: zero(bytes).value, notes: [`not used before version ${since}`] })
/** Bytes, and what it means where all of them are this one. */
const hexUnless =
  (byte: number, note: string): Show =>
  (bytes) => ({ value: toHex(bytes), notes: bytes.every((one) => one === byte) ? [note] : [] })

const NO_ID_BLOCK = 'all zero: the guest was launched without one'

/** The others are shown as bytes. */
const SHOWN: Partial<Record<FieldName, Show>> = {
  version: number,
  guestSvn: number,
  policy: showPolicy,
  familyId: hexUnless(0, 'all zero: none'),
  imageId: hexUnless(0, 'all zero: none'),
  vmpl: (bytes) => ({
    ...number(bytes),
    notes: bytes.readUInt32LE(0) === 0xffff_ffff ? ['asked for by the host, not by the guest'] : [],
  }),
  signatureAlgorithm: number,
  platformInfo: showPlatformInfo,
  signerInfo: showSignerInfo,
  hostData: hexUnless(0, 'all zero: nothing'),
  idKeyDigest: hexUnless(0, NO_ID_BLOCK),
  authorKeyDigest: hexUnless(0, NO_ID_BLOCK),
  reportIdMa: hexUnless(0xff, 'all ones: no migration agent'),
  cpuid: (bytes) => {
    const cpuid = cpuidOf(bytes)
    return { value: cpuidText(cpuid), notes: [dieOfCpuid(cpuid) ?? 'a processor that is not known here'] }
  },
  chipId: hexUnless(0, 'all zero: masked by the host, or the report is signed with a VLEK'),
  currentFirmware: showFirmware,
  committedFirmware: showFirmware,
  launchMitigations: showBitSet,
  currentMitigations: showBitSet,
}

function showPolicy(bytes: Buffer): Shown {
  const policy = bytes.readBigUInt64LE(0)
  const abi = `${(policy >> 8n) & 0xffn}.${policy & 0xffn}`
  const known = bitsOf(policy, GUEST_POLICY_BITS, POLICY_MEANINGS)
  const one = {
    name: 'reserved',
    meaning: 'must be one',
    bit: POLICY_BIT_ONE,
    set: bitOf(policy, POLICY_BIT_ONE),
  }
  return {
    value: hex64(policy),
    notes: [`bits 15:0: firmware ABI ${abi} or later`, ...above(policy, POLICY_BITS)],
    bits: [...known, one].sort((a, b) => a.bit - b.bit),
  }
}

function showPlatformInfo(bytes: Buffer): Shown {
  const info = bytes.readBigUInt64LE(0)
  return {
    value: hex64(info),
    notes: above(info, Object.keys(PLATFORM_INFO_BITS).length),
    bits: bitsOf(info, PLATFORM_INFO_BITS, PLATFORM_MEANINGS),
  }
}

function showSignerInfo(bytes: Buffer): Shown {
  const info = bytes.readUInt32LE(0)
  const key = (info >>> SIGNER_INFO.signingKey) & 7
  const named = key === UNSIGNED ? 'none, the report is not signed' : SIGNING_KEYS[key]?.toUpperCase()
  const bits = [
    { name: 'AUTHOR_KEY_EN', meaning: 'AUTHOR_KEY_DIGEST is of a key', bit: SIGNER_INFO.authorKeyEnabled },
    {
      name: 'MASK_CHIP_KEY',
      meaning: "the firmware does not sign with the chip's key",
      bit: SIGNER_INFO.chipKeyMasked,
    },
  ]
  return {
    value: `0x${info.toString(16).padStart(8, '0')}`,
    notes: [`bits 4:2: SIGNING_KEY ${key}: ${named ?? 'reserved'}`, ...above(BigInt(info), 5)],
    bits: bits.map((row) => ({ ...row, set: bitOf(BigInt(info), row.bit) })),
  }
}

function showFirmware(bytes: Buffer): Shown {
  return { value: `${bytes.readUInt8(2)}.${bytes.readUInt8(1)}.${bytes.readUInt8(0)}` }
}

/** Which mitigation a bit stands for is said in AMD's bulletins, one by one. */
function showBitSet(bytes: Buffer): Shown {
  const value = bytes.readBigUInt64LE(0)
  return { value: hex64(value), notes: [setBitsText(value)] }
}

export function setBitsText(value: bigint): string {
  const set = Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => bitOf(value, bit))
  return set.length === 0 ? 'no bit is set' : `bits that are set: ${set.join(', ')}`
}

function bitsOf<Name extends string>(
  value: bigint,
  bits: Readonly<Record<Name, number>>,
  meanings: Readonly<Record<Name, Meaning>>,
): readonly ShownBit[] {
  // Object.keys forgets that the keys are those of `bits`.
  const names = Object.keys(bits) as Name[]
  return names.map((name) => ({ ...meanings[name], bit: bits[name], set: bitOf(value, bits[name]) }))
}

function above(value: bigint, from: number): readonly string[] {
  return value >> BigInt(from) === 0n ? [] : [`bits from ${from} on are reserved, and NOT ZERO`]
}

function bitOf(value: bigint, bit: number): boolean {
  return ((value >> BigInt(bit)) & 1n) === 1n
}

function shownTcbs(bytes: Buffer, product: Product): ShownReport['tcb'] {
  try {
    return tcbsOf(bytes, product)
  } catch (error) {
    if (error instanceof CodedError) return null
    throw error
  }
}

const TCB_FIELDS: Readonly<Record<TcbName, Field>> = {
  reported: FIELDS.reportedTcb,
  committed: FIELDS.committedTcb,
  current: FIELDS.currentTcb,
  launch: FIELDS.launchTcb,
}

function tcbsOf(bytes: Buffer, product: Product): Readonly<Record<TcbName, Tcb>> {
  const rows = TCB_NAMES.map((name) => [name, parseTcb(take(bytes, TCB_FIELDS[name]), product)])
  // Its keys are TCB_NAMES.
  return Object.fromEntries(rows) as Record<TcbName, Tcb>
}

function take(bytes: Buffer, { at, size }: Field): Buffer {
  return bytes.subarray(at, at + size)
}

function cpuidOf(bytes: Buffer): Cpuid {
  return { family: bytes.readUInt8(0), model: bytes.readUInt8(1), stepping: bytes.readUInt8(2) }
}

export function cpuidText({ family, model, stepping }: Cpuid): string {
  return [family, model, stepping].map((part) => part.toString(16).padStart(2, '0')).join('/')
}

export function hex64(value: bigint): string {
  return `0x${value.toString(16).padStart(16, '0')}`
}
