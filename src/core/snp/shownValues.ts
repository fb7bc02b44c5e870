/** Turns the bytes of each field into text for display. */
import { isZero, toHex, viewOf } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import {
  type FieldName,
  GUEST_POLICY_BITS,
  PLATFORM_INFO_BITS,
  POLICY_BIT_ONE,
  POLICY_BITS,
  SIGNER_INFO,
  SIGNING_KEYS,
  UNSIGNED,
} from './layout.ts'
import { type Meaning, PLATFORM_MEANINGS, POLICY_MEANINGS, SIGNER_MEANINGS } from './meanings.ts'
import { type Cpuid, cpuidOf, dieOfCpuid, type Product } from './product.ts'
import type { TcbName } from './report.ts'
import { parseTcbs, type Tcb } from './tcb.ts'

/** A bit of a field: its number, its meaning and its value. */
export type ShownBit = Meaning & { readonly bit: number; readonly set: boolean }

/** A field as text, with notes on its value and its bits if it has any. */
type Shown = {
  readonly value: string
  readonly notes?: readonly string[]
  readonly bits?: readonly ShownBit[]
}
/** Turns the bytes of one field into text. */
export type Show = (bytes: Uint8Array) => Shown

/** Bytes in lower-case hex. */
export const hex: Show = (bytes) => ({ value: toHex(bytes) })
const number: Show = (bytes) => ({ value: String(viewOf(bytes).getUint32(0, true)) })
/** Bytes that must be zero. */
export const zero: Show = (bytes) => ({ value: isZero(bytes) ? 'zero' : `NOT ZERO: ${toHex(bytes)}` })
/** A field that is reserved before version `since`. */
export const unused =
  (since: number): Show =>
  (bytes) => ({ value: zero(bytes).value, notes: [`not used before version ${since}`] })
/** Bytes in hex, with `note` if all of them equal `byte`. */
const hexUnless =
  (byte: number, note: string): Show =>
  (bytes) => ({ value: toHex(bytes), notes: bytes.every((one) => one === byte) ? [note] : [] })

/** The fields that are not shown as plain hex. */
export const SHOWN: Partial<Record<FieldName, Show>> = {
  version: number,
  guestSvn: number,
  policy: showPolicy,
  familyId: hexUnless(0, 'all zero: none'),
  imageId: hexUnless(0, 'all zero: none'),
  vmpl: (bytes) => ({
    ...number(bytes),
    notes:
      viewOf(bytes).getUint32(0, true) === 0xffff_ffff ? ['requested by the host, not by the guest'] : [],
  }),
  signatureAlgorithm: number,
  platformInfo: showPlatformInfo,
  signerInfo: showSignerInfo,
  hostData: hexUnless(0, 'all zero: nothing'),
  idKeyDigest: hexUnless(0, 'all zero: the guest was launched without an ID block'),
  authorKeyDigest: hexUnless(0, 'all zero: no author key'),
  reportIdMa: hexUnless(0xff, 'all ones: no migration agent'),
  cpuid: (bytes) => {
    const cpuid = cpuidOf(bytes)
    return { value: cpuidText(cpuid), notes: [dieOfCpuid(cpuid) ?? 'unknown processor'] }
  },
  chipId: hexUnless(0, 'all zero: masked by the host, or the report is signed with a VLEK'),
  currentFirmware: showFirmware,
  committedFirmware: showFirmware,
  launchMitigations: showBitSet,
  currentMitigations: showBitSet,
}

function showPolicy(bytes: Uint8Array): Shown {
  const policy = viewOf(bytes).getBigUint64(0, true)
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

function showPlatformInfo(bytes: Uint8Array): Shown {
  const info = viewOf(bytes).getBigUint64(0, true)
  return {
    value: hex64(info),
    notes: above(info, Object.keys(PLATFORM_INFO_BITS).length),
    bits: bitsOf(info, PLATFORM_INFO_BITS, PLATFORM_MEANINGS),
  }
}

const { signingKey: SIGNING_KEY_AT, ...SIGNER_BITS } = SIGNER_INFO

function showSignerInfo(bytes: Uint8Array): Shown {
  const info = viewOf(bytes).getUint32(0, true)
  const key = (info >>> SIGNING_KEY_AT) & 7
  const named = key === UNSIGNED ? 'none, the report is not signed' : SIGNING_KEYS[key]?.toUpperCase()
  return {
    value: `0x${info.toString(16).padStart(8, '0')}`,
    notes: [`bits 4:2: SIGNING_KEY ${key}: ${named ?? 'reserved'}`, ...above(BigInt(info), 5)],
    bits: bitsOf(BigInt(info), SIGNER_BITS, SIGNER_MEANINGS),
  }
}

function showFirmware(bytes: Uint8Array): Shown {
  const [build, minor, major] = bytes
  return { value: `${major}.${minor}.${build}` }
}

/** The bits have no names here: AMD's bulletins define them one by one. */
function showBitSet(bytes: Uint8Array): Shown {
  const value = viewOf(bytes).getBigUint64(0, true)
  return { value: hex64(value), notes: [setBitsText(value)] }
}

/** The numbers of the bits that are set in a 64-bit value, as text. */
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
  return value >> BigInt(from) === 0n ? [] : [`unknown bits from ${from} on are NOT ZERO`]
}

function bitOf(value: bigint, bit: number): boolean {
  return ((value >> BigInt(bit)) & 1n) === 1n
}

/** The four TCBs of a report in the layout of `product`, or null if one of them is not in that layout. */
export function shownTcbs(
  tcbs: Readonly<Record<TcbName, Uint8Array>>,
  product: Product,
): Readonly<Record<TcbName, Tcb>> | null {
  try {
    return parseTcbs(tcbs, product)
  } catch (error) {
    if (error instanceof CodedError) return null
    throw error
  }
}

/** Family, model and stepping in hex: `1a/02/01`. */
export function cpuidText({ family, model, stepping }: Cpuid): string {
  return [family, model, stepping].map((part) => part.toString(16).padStart(2, '0')).join('/')
}

/** A 64-bit value as `0x` and 16 hex digits. */
export function hex64(value: bigint): string {
  return `0x${value.toString(16).padStart(16, '0')}`
}
