/** Reports as a host passes them on: a parsed report, encoded again, gives the same bytes. */
import { isZero, sameBytes } from '#core/bytes.ts'
import { checkShape } from '#core/canonical.ts'
import { CodedError } from '#core/errors.ts'
import { HARDWARE_ID_BYTES } from '#core/snp/extensions.ts'
import {
  ECDSA_P384_SHA384,
  FIELDS,
  type FieldName,
  GUEST_POLICY_BITS,
  P384_ORDER,
  PLATFORM_INFO_BITS,
  POLICY_BITS,
  REPORT_BYTES,
  REPORT_VERSIONS,
  RESERVED,
  SCALAR_BYTES,
  SIGNER_INFO,
  SIGNING_KEYS,
} from '#core/snp/layout.ts'
import { PRODUCTS } from '#core/snp/product.ts'
import { type Firmware, parseReport, type Report, TCB_NAMES } from '#core/snp/report.ts'
import { encodeTcb, parseTcb } from '#core/snp/tcb.ts'
import { PlatformSchema } from '#lab/amd/platform.ts'
import { mintReport } from '#lab/amd/report.ts'
import { deriveVcek } from '#lab/amd/vcek.ts'
import { edgeNumber, mutate } from '../mutation.ts'
import type { Random } from '../random.ts'
import { type Target, Violation } from '../target.ts'

export const report: Target = {
  name: 'report',
  what: 'attestation reports, 1184 bytes or not',
  weight: 44,
  quick: 100_000,
  codes: ['report.malformed', 'report.invalid', 'report.signature'],
  open: async () => {
    const seeds = mintedReports()
    return {
      generate: (random) => [mutateReport(random.pick(seeds), random)],
      check: ([bytes = Buffer.alloc(0)]) => checkReport(bytes),
    }
  },
}

/**
 * A report of every product, version and kind of signing key. The signature is fixed, so a seed gives the
 * same bytes on every machine.
 */
function mintedReports(): readonly Buffer[] {
  return PRODUCTS.flatMap((product) =>
    REPORT_VERSIONS.flatMap((version) =>
      SIGNING_KEYS.map((_, signingKey) => {
        const hardwareId = '5c'.repeat(HARDWARE_ID_BYTES[product])
        const shape = { product, version, hardwareId, measurement: 'a5'.repeat(48) }
        const platform = checkShape(PlatformSchema, shape, 'platform', 'config.invalid')
        const key = deriveVcek(Buffer.alloc(48, 1), product, hardwareId, platform.tcb.reported)
        const request = { reportData: Buffer.alloc(64, 0x5a), vmpl: 0 }
        const bytes = mintReport({ ...platform, hardwareId }, request, Buffer.alloc(32, 1), key)
        bytes.writeUInt32LE(signingKey << SIGNER_INFO.signingKey, FIELDS.signerInfo.at)
        bytes.fill(0x33, FIELDS.signatureR.at, FIELDS.signatureR.at + SCALAR_BYTES)
        bytes.fill(0x44, FIELDS.signatureS.at, FIELDS.signatureS.at + SCALAR_BYTES)
        return bytes
      }),
    ),
  )
}

/** Changes mostly fields, and sometimes any bytes, the length or a reserved range. */
export function mutateReport(seed: Buffer, random: Random): Buffer {
  switch (random.below(16)) {
    case 0:
    case 1:
      return mutate(seed, random)
    case 2:
      return otherLength(seed, random)
    case 3:
      return withReserved(seed, random)
    default:
      return mutateFields(seed, random)
  }
}

/** Fields whose bits decide the verdict occur more than once, so they are chosen more often. */
const FIELD_NAMES = [
  ...(Object.keys(FIELDS) as FieldName[]),
  ...(['policy', 'policy', 'policy', 'platformInfo', 'platformInfo', 'signerInfo'] as const),
]

/** Changes one to four fields and keeps the length. */
export function mutateFields(seed: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(seed)
  for (let left = random.few(4); left > 0; left -= 1) {
    const name = random.pick(FIELD_NAMES)
    const { at, size } = FIELDS[name]
    const value = VALUES[name]?.(bytes.subarray(at, at + size), random) ?? anyValue(size, random)
    bytes.set(value.subarray(0, size), at)
  }
  return bytes
}

function withReserved(seed: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(seed)
  const { at, size } = random.pick(RESERVED)
  bytes[at + random.below(size)] = 1 << random.below(8)
  return bytes
}

function otherLength(seed: Buffer, random: Random): Buffer {
  return random.pick([
    seed.subarray(0, REPORT_BYTES - random.few(REPORT_BYTES)),
    Buffer.concat([seed, random.bytes(random.few(64))]),
    Buffer.concat([Buffer.alloc(32), seed]),
    Buffer.concat([seed, Buffer.alloc(4000 - REPORT_BYTES)]),
    Buffer.concat([seed, seed]),
    Buffer.alloc(0),
  ])
}

const ORDER = P384_ORDER.toString(16)

/** Values of the fields that have edge cases of their own. */
const VALUES: Partial<Record<FieldName, (value: Buffer, random: Random) => Buffer>> = {
  version: (_, random) => littleEndian(4, random.pick([0, 1, 2, 3, 4, 5, 6, 0x0100_0002, 0xffff_ffff])),
  vmpl: (_, random) => littleEndian(4, random.pick([0, 1, 2, 3, 4, 0x100, 0xffff_ffff])),
  signatureAlgorithm: (_, random) => littleEndian(4, random.pick([0, 1, 2, 0x101, 0x0100_0000])),
  signerInfo: (_, random) => littleEndian(4, random.oneIn(4) ? 2 ** random.below(32) : random.below(40)),
  // Mostly bits that have a meaning.
  policy: (value, random) => (random.oneIn(4) ? flippedBits(value, random) : flippedPolicy(value, random)),
  platformInfo: flippedBits,
  currentTcb: (value, random) => (random.oneIn(2) ? flippedBits(value, random) : random.bytes(8)),
  signatureR: scalar,
  signatureS: scalar,
}

function scalar(value: Buffer, random: Random): Buffer {
  const number = random.pick([0n, 1n, P384_ORDER - 1n, P384_ORDER, P384_ORDER + 1n, 2n ** 384n - 1n])
  const bytes = Buffer.alloc(value.byteLength)
  bytes.set(Buffer.from(number.toString(16).padStart(ORDER.length, '0'), 'hex').reverse())
  if (random.oneIn(3)) bytes[SCALAR_BYTES + random.below(value.byteLength - SCALAR_BYTES)] = 1
  return random.oneIn(8) ? Buffer.from(value).reverse() : bytes
}

function flippedPolicy(value: Buffer, random: Random): Buffer {
  const policy =
    value.readBigUInt64LE() ^
    (1n << BigInt(random.oneIn(8) ? random.below(16) : 16 + random.below(POLICY_BITS - 16)))
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(policy)
  return bytes
}

function flippedBits(value: Buffer, random: Random): Buffer {
  const copy = Buffer.from(value)
  for (let left = random.few(4); left > 0; left -= 1) {
    const at = random.below(copy.byteLength)
    copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8))
  }
  return copy
}

function anyValue(size: number, random: Random): Buffer {
  return random.pick([Buffer.alloc(size), Buffer.alloc(size, 0xff), random.bytes(size), edge(size, random)])
}

function edge(size: number, random: Random): Buffer {
  return Buffer.concat([edgeNumber(Math.min(size, 8), random), Buffer.alloc(Math.max(0, size - 8))])
}

function littleEndian(size: number, value: number): Buffer {
  const bytes = Buffer.alloc(size)
  bytes.writeUInt32LE(value)
  return bytes
}

function checkReport(bytes: Buffer): void {
  const parsed = parseReport(bytes)
  if (!sameBytes(encodeReport(parsed), bytes))
    throw new Violation('the parsed fields do not encode to the same report')
  for (const [name, bit] of Object.entries(GUEST_POLICY_BITS))
    if (flagOf(parsed.guestPolicy, name) !== isSet(parsed.policy, bit))
      throw new Violation(`guest policy bit ${name} is not bit ${bit}`)
  for (const [name, bit] of Object.entries(PLATFORM_INFO_BITS))
    if (flagOf(parsed.platformBits, name) !== isSet(parsed.platformInfo, bit))
      throw new Violation(`platform bit ${name} is not bit ${bit}`)
  checkTcbs(parsed)
}

/** In the layout of each product, a TCB is either refused or kept without a change. */
function checkTcbs({ tcb }: Report): void {
  for (const product of PRODUCTS)
    for (const name of TCB_NAMES) {
      try {
        if (!sameBytes(encodeTcb(parseTcb(tcb[name], product), product), tcb[name]))
          throw new Violation(`the ${name} TCB changes in the layout of ${product}`)
      } catch (error) {
        if (!(error instanceof CodedError && error.code === 'report.invalid')) throw error
      }
    }
}

/** Encodes only the parsed fields, so a byte that the parser ignored is missing here. */
function encodeReport(parsed: Report): Buffer {
  const bytes = Buffer.alloc(REPORT_BYTES)
  const put = (name: FieldName, value: Uint8Array) => {
    if (value.byteLength > FIELDS[name].size) throw new Violation(`${name} is longer than its field`)
    bytes.set(value, FIELDS[name].at)
  }
  const u32 = (name: FieldName, value: number) => bytes.writeUInt32LE(value, FIELDS[name].at)
  const u64 = (name: FieldName, value: bigint) => bytes.writeBigUInt64LE(value, FIELDS[name].at)
  u32('version', parsed.version)
  u32('guestSvn', parsed.guestSvn)
  u64('policy', parsed.policy)
  put('familyId', parsed.familyId)
  put('imageId', parsed.imageId)
  u32('vmpl', parsed.vmpl)
  u32('signatureAlgorithm', ECDSA_P384_SHA384)
  u64('platformInfo', parsed.platformInfo)
  u32(
    'signerInfo',
    (SIGNING_KEYS.indexOf(parsed.signingKey) << SIGNER_INFO.signingKey) |
      (Number(parsed.authorKeyEnabled) << SIGNER_INFO.authorKeyEnabled) |
      (Number(parsed.chipKeyMasked) << SIGNER_INFO.chipKeyMasked),
  )
  put('reportData', parsed.reportData)
  put('measurement', parsed.measurement)
  put('hostData', parsed.hostData)
  put('idKeyDigest', parsed.idKeyDigest)
  put('authorKeyDigest', parsed.authorKeyDigest)
  put('reportId', parsed.reportId)
  put('reportIdMa', parsed.reportIdMa)
  put('reportedTcb', parsed.tcb.reported)
  put('committedTcb', parsed.tcb.committed)
  put('currentTcb', parsed.tcb.current)
  put('launchTcb', parsed.tcb.launch)
  if (parsed.cpuid !== undefined) {
    const { family, model, stepping } = parsed.cpuid
    put('cpuid', Buffer.of(family, model, stepping))
  }
  put('chipId', parsed.chipId)
  put('currentFirmware', firmwareBytes(parsed.firmware.current))
  put('committedFirmware', firmwareBytes(parsed.firmware.committed))
  if (parsed.mitigations !== undefined) {
    u64('launchMitigations', parsed.mitigations.launch)
    u64('currentMitigations', parsed.mitigations.current)
  }
  put('signatureR', Buffer.from(parsed.signature.subarray(0, SCALAR_BYTES)).reverse())
  put('signatureS', Buffer.from(parsed.signature.subarray(SCALAR_BYTES)).reverse())
  if (isZero(parsed.signature)) throw new Violation('a signature of zeros was accepted')
  return bytes
}

function firmwareBytes({ build, minor, major }: Firmware): Buffer {
  return Buffer.of(build, minor, major)
}

function flagOf(flags: Readonly<Record<string, boolean>>, name: string): boolean | undefined {
  return flags[name]
}

function isSet(value: bigint, bit: number): boolean {
  return ((value >> BigInt(bit)) & 1n) === 1n
}
