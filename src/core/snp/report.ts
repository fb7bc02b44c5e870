/**
 * Parses an attestation report. A parsed report is only a claim; `verifyReport` proves that it is authentic.
 */
import { isZero } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import {
  ECDSA_P384_SHA384,
  FIELDS,
  type Field,
  type FieldName,
  GUEST_POLICY_BITS,
  P384_ORDER,
  PLATFORM_INFO_BITS,
  POLICY_BIT_ONE,
  POLICY_BITS,
  REPORT_BYTES,
  REPORT_VERSIONS,
  RESERVED,
  type ReportVersion,
  SCALAR_BYTES,
  SIGNED_BYTES,
  SIGNER_INFO,
  SIGNING_KEYS,
  type SigningKey,
  UNSIGNED,
} from './layout.ts'
import { type Cpuid, cpuidOf } from './product.ts'

type Abi = { readonly major: number; readonly minor: number }
/** A version of the SEV firmware. */
export type Firmware = Abi & { readonly build: number }
type GuestPolicyBit = keyof typeof GUEST_POLICY_BITS
type PlatformInfoBit = keyof typeof PLATFORM_INFO_BITS

/**
 * The fields of ATTESTATION_REPORT (SEV-SNP firmware ABI). Bytes are as in the report, in the lengths of
 * `FIELDS`; all are views of one private copy. `FIELD_MEANINGS` explains each field in a few words.
 */
export type Report = {
  readonly version: ReportVersion
  readonly guestSvn: number
  /** POLICY as a number; `abi` and `guestPolicy` are its parts. */
  readonly policy: bigint
  /** The minimum ABI version that the guest's owner requires. */
  readonly abi: Abi
  readonly guestPolicy: Readonly<Record<GuestPolicyBit, boolean>>
  readonly familyId: Uint8Array
  readonly imageId: Uint8Array
  readonly vmpl: number
  /** PLATFORM_INFO as a number; `platformBits` are its known bits. */
  readonly platformInfo: bigint
  readonly platformBits: Readonly<Record<PlatformInfoBit, boolean>>
  readonly signingKey: SigningKey
  readonly authorKeyEnabled: boolean
  readonly chipKeyMasked: boolean
  /** 64 bytes that the guest chose when it requested the report. */
  readonly reportData: Uint8Array
  /** Launch digest, 48 bytes. */
  readonly measurement: Uint8Array
  /** 32 bytes that the host chose at launch. */
  readonly hostData: Uint8Array
  readonly idKeyDigest: Uint8Array
  readonly authorKeyDigest: Uint8Array
  readonly reportId: Uint8Array
  readonly reportIdMa: Uint8Array
  /** Eight raw bytes each. Their layout depends on the product, which only the certificate chain proves. */
  readonly tcb: Readonly<Record<TcbName, Uint8Array>>
  /** Absent in version 2. */
  readonly cpuid: Cpuid | undefined
  /** 64 bytes; on Turin 8 bytes and zeros. All zero if masked, or signed with a VLEK. */
  readonly chipId: Uint8Array
  readonly firmware: { readonly current: Firmware; readonly committed: Firmware }
  /** Bit sets of mitigations; absent before version 5. */
  readonly mitigations: { readonly launch: bigint; readonly current: bigint } | undefined
  /** The bytes under the signature, as received. */
  readonly signed: Uint8Array
  /** r ‖ s, big-endian, 48 bytes each (IEEE P1363). */
  readonly signature: Uint8Array
}

/** The ranges that are zero in each version: the reserved ones and the fields of later versions. */
const UNUSED: Readonly<Record<ReportVersion, readonly Field[]>> = {
  2: unusedIn(2),
  3: unusedIn(3),
  4: unusedIn(4),
  5: unusedIn(5),
}
const ZEROS = Buffer.alloc(REPORT_BYTES)

function unusedIn(version: ReportVersion): readonly Field[] {
  const fields: readonly Field[] = Object.values(FIELDS)
  return [...RESERVED, ...fields.filter(({ since = 2 }) => version < since)]
}

/** The four TCBs of a report. */
export const TCB_NAMES = ['reported', 'committed', 'current', 'launch'] as const
/** The name of a TCB: reported, committed, current or launch. */
export type TcbName = (typeof TCB_NAMES)[number]

/**
 * Parses exactly 1184 bytes and keeps a copy of its own.
 *
 * Throws `report.malformed` for another length or version. Throws `report.invalid` for a value that the ABI
 * does not allow, such as a reserved byte that is not zero or a VMPL that no guest has. Throws
 * `report.signature` if there is no possible P-384 signature: the report states that it is unsigned, or r or
 * s is zero, too large or in another byte order.
 */
export function parseReport(received: Uint8Array): Report {
  if (received.byteLength !== REPORT_BYTES)
    throw new CodedError(
      'report.malformed',
      `the report has ${received.byteLength} bytes, expected ${REPORT_BYTES}`,
    )
  const bytes = Buffer.from(received)
  const take = ({ at, size }: Field) => bytes.subarray(at, at + size)
  const field = (name: FieldName) => take(FIELDS[name])
  const u32 = (name: FieldName) => bytes.readUInt32LE(FIELDS[name].at)
  const u64 = (name: FieldName) => bytes.readBigUInt64LE(FIELDS[name].at)

  const version = versionOf(u32('version'))
  assertReserved(version, bytes)
  const policy = u64('policy')
  assertPolicy(policy)
  const vmpl = u32('vmpl')
  if (vmpl > 3) throw invalid(`VMPL is ${vmpl}, expected 0 to 3: a guest did not request this report`)
  if (u32('signatureAlgorithm') !== ECDSA_P384_SHA384)
    throw invalid(`SIGNATURE_ALGO is ${u32('signatureAlgorithm')}, expected ${ECDSA_P384_SHA384}`)
  const platformInfo = u64('platformInfo')

  return {
    version,
    guestSvn: u32('guestSvn'),
    policy,
    abi: { major: Number((policy >> 8n) & 0xffn), minor: Number(policy & 0xffn) },
    guestPolicy: bitsOf(policy, GUEST_POLICY_BITS),
    familyId: field('familyId'),
    imageId: field('imageId'),
    vmpl,
    platformInfo,
    platformBits: bitsOf(platformInfo, PLATFORM_INFO_BITS),
    ...signerOf(u32('signerInfo')),
    reportData: field('reportData'),
    measurement: field('measurement'),
    hostData: field('hostData'),
    idKeyDigest: field('idKeyDigest'),
    authorKeyDigest: field('authorKeyDigest'),
    reportId: field('reportId'),
    reportIdMa: field('reportIdMa'),
    tcb: {
      reported: field('reportedTcb'),
      committed: field('committedTcb'),
      current: field('currentTcb'),
      launch: field('launchTcb'),
    },
    cpuid: version >= FIELDS.cpuid.since ? cpuidOf(field('cpuid')) : undefined,
    chipId: field('chipId'),
    firmware: {
      current: firmwareOf(field('currentFirmware')),
      committed: firmwareOf(field('committedFirmware')),
    },
    mitigations:
      version >= FIELDS.launchMitigations.since
        ? { launch: u64('launchMitigations'), current: u64('currentMitigations') }
        : undefined,
    signed: bytes.subarray(0, SIGNED_BYTES),
    signature: Buffer.concat([scalarOf('r', field('signatureR')), scalarOf('s', field('signatureS'))]),
  }
}

function versionOf(version: number): ReportVersion {
  const known = REPORT_VERSIONS.find((row) => row === version)
  if (known === undefined) throw new CodedError('report.malformed', `VERSION is ${version}, expected 2 to 5`)
  return known
}

function assertReserved(version: ReportVersion, bytes: Buffer): void {
  for (const { at, size } of UNUSED[version])
    if (bytes.compare(ZEROS, 0, size, at, at + size) !== 0)
      throw invalid(`reserved bytes at 0x${at.toString(16).padStart(3, '0')} are not zero`)
}

function assertPolicy(policy: bigint): void {
  if (((policy >> BigInt(POLICY_BIT_ONE)) & 1n) !== 1n)
    throw invalid(`POLICY bit ${POLICY_BIT_ONE} is zero, expected one`)
  if (policy >> BigInt(POLICY_BITS) !== 0n) throw invalid(`POLICY bits 63:${POLICY_BITS} are not zero`)
}

function signerOf(info: number): Pick<Report, 'signingKey' | 'authorKeyEnabled' | 'chipKeyMasked'> {
  // Includes the reserved bits above it: if one is set, the number is no key.
  const key = info >>> SIGNER_INFO.signingKey
  if (key === UNSIGNED)
    throw new CodedError('report.signature', `SIGNING_KEY is ${UNSIGNED}: the report is not signed`)
  const signingKey = SIGNING_KEYS[key]
  if (signingKey === undefined) throw invalid(`SIGNING_KEY is ${key}, expected 0 (VCEK) or 1 (VLEK)`)
  const bit = (index: number) => ((info >>> index) & 1) === 1
  const chipKeyMasked = bit(SIGNER_INFO.chipKeyMasked)
  // The firmware does not use the chip's key in this case: a VLEK signs, or the report is unsigned.
  if (chipKeyMasked && signingKey === 'vcek') throw invalid('MASK_CHIP_KEY is set, but SIGNING_KEY is VCEK')
  return { signingKey, authorKeyEnabled: bit(SIGNER_INFO.authorKeyEnabled), chipKeyMasked }
}

/** All named bits are among the lower 32. */
function bitsOf<Name extends string>(
  value: bigint,
  bits: Readonly<Record<Name, number>>,
): Readonly<Record<Name, boolean>> {
  const low = Number(BigInt.asUintN(32, value))
  const set: Partial<Record<Name, boolean>> = {}
  for (const name in bits) set[name] = ((low >>> bits[name]) & 1) === 1
  // The loop has filled every key of `bits`.
  return set as Record<Name, boolean>
}

function firmwareOf(bytes: Buffer): Firmware {
  return { build: bytes.readUInt8(0), minor: bytes.readUInt8(1), major: bytes.readUInt8(2) }
}

/** n, big-endian: the comparison of bytes is then the comparison of numbers. */
const ORDER = Buffer.from(P384_ORDER.toString(16), 'hex')

/**
 * r or s as 48 bytes, big-endian, in [1, n − 1] (SEC 1 §4.1.4 step 1). The bytes above the curve's width must
 * be zero: no signature covers them, so other values would make reports malleable.
 */
function scalarOf(name: string, littleEndian: Buffer): Buffer {
  const scalar = Buffer.from(littleEndian.subarray(0, SCALAR_BYTES)).reverse()
  const isInRange = !isZero(scalar) && scalar.compare(ORDER) < 0
  if (!isInRange || !isZero(littleEndian.subarray(SCALAR_BYTES)))
    throw new CodedError(
      'report.signature',
      `${name} of the signature is not a P-384 scalar, expected 1 to n − 1 in little-endian order`,
    )
  return scalar
}

function invalid(what: string): CodedError {
  return new CodedError('report.invalid', `attestation report: ${what}`)
}
