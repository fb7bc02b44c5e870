/** The firmware's side of SNP_GET_REPORT: fills an ATTESTATION_REPORT from a platform and signs it. */
import { type KeyObject, sign } from 'node:crypto'
import { fromHex, isZero } from '#core/bytes.ts'
import {
  ECDSA_P384_SHA384,
  FIELDS,
  type FieldName,
  GUEST_POLICY_BITS,
  PLATFORM_INFO_BITS,
  POLICY_BIT_ONE,
  REPORT_BYTES,
  SCALAR_BYTES,
  SIGNED_BYTES,
  SIGNER_INFO,
  SIGNING_KEYS,
} from '#core/snp/layout.ts'
import { encodeTcb } from '#core/snp/tcb.ts'
import type { Platform } from './platform.ts'

/** struct snp_report_req: user_data[64], vmpl u32, 28 reserved. */
export const REQUEST_BYTES = 96

export type ReportRequest = { readonly reportData: Buffer; readonly vmpl: number }

/** Undefined if the firmware would answer INVALID_PARAM. */
export function parseRequest(bytes: Uint8Array, { vmpl: own }: Platform): ReportRequest | undefined {
  const request = Buffer.from(bytes)
  if (request.byteLength !== REQUEST_BYTES || !isZero(request.subarray(68))) return undefined
  const vmpl = request.readUInt32LE(64)
  return vmpl >= own && vmpl <= 3 ? { reportData: request.subarray(0, 64), vmpl } : undefined
}

/** `reportId` identifies the guest, one per boot. Returns 1184 bytes. */
export function mintReport(
  platform: Platform,
  { reportData, vmpl }: ReportRequest,
  reportId: Uint8Array,
  key: KeyObject,
): Buffer {
  const report = Buffer.alloc(REPORT_BYTES)
  const u32 = (name: FieldName, value: number) => report.writeUInt32LE(value, FIELDS[name].at)
  const u64 = (name: FieldName, value: bigint) => report.writeBigUInt64LE(value, FIELDS[name].at)
  const bytes = (name: FieldName, value: Uint8Array) => report.set(value, FIELDS[name].at)
  const { product, version, cpuid, tcb, firmware, mitigations, guestPolicy } = platform
  const { abi, ...allowed } = guestPolicy

  u32('version', version)
  u32('guestSvn', platform.guestSvn)
  u64(
    'policy',
    BigInt(abi.minor) |
      (BigInt(abi.major) << 8n) |
      (1n << BigInt(POLICY_BIT_ONE)) |
      bitsOf(allowed, GUEST_POLICY_BITS),
  )
  bytes('familyId', fromHex(platform.familyId))
  bytes('imageId', fromHex(platform.imageId))
  u32('vmpl', vmpl)
  u32('signatureAlgorithm', ECDSA_P384_SHA384)
  u64('platformInfo', bitsOf(platform.platformInfo, PLATFORM_INFO_BITS))
  u32('signerInfo', signerInfoOf(platform))
  bytes('reportData', reportData)
  bytes('measurement', fromHex(platform.measurement))
  bytes('hostData', fromHex(platform.hostData))
  bytes('idKeyDigest', fromHex(platform.idKeyDigest))
  bytes('authorKeyDigest', fromHex(platform.authorKeyDigest))
  bytes('reportId', reportId)
  bytes('reportIdMa', fromHex(platform.reportIdMa))
  bytes('reportedTcb', encodeTcb(tcb.reported, product))
  bytes('committedTcb', encodeTcb(tcb.committed, product))
  bytes('currentTcb', encodeTcb(tcb.current, product))
  bytes('launchTcb', encodeTcb(tcb.launch, product))
  if (version >= FIELDS.cpuid.since) bytes('cpuid', Buffer.of(cpuid.family, cpuid.model, cpuid.stepping))
  if (platform.signingKey === 'vcek' && !platform.chipIdMasked) bytes('chipId', fromHex(platform.hardwareId))
  bytes('currentFirmware', firmwareBytes(firmware.current))
  bytes('committedFirmware', firmwareBytes(firmware.committed))
  if (version >= FIELDS.launchMitigations.since) {
    bytes('launchMitigations', fromHex(mitigations.launch).reverse())
    bytes('currentMitigations', fromHex(mitigations.current).reverse())
  }
  return signReport(report, key)
}

/** Signs the bytes as they are. r and s are little-endian, each in 72 bytes. */
export function signReport(report: Buffer, key: KeyObject): Buffer {
  const signature = sign('sha384', report.subarray(0, SIGNED_BYTES), { key, dsaEncoding: 'ieee-p1363' })
  report.set(signature.subarray(0, SCALAR_BYTES).reverse(), FIELDS.signatureR.at)
  report.set(signature.subarray(SCALAR_BYTES).reverse(), FIELDS.signatureS.at)
  return report
}

function signerInfoOf({ signingKey, authorKeyEnabled, chipKeyMasked }: Platform): number {
  return (
    (SIGNING_KEYS.indexOf(signingKey) << SIGNER_INFO.signingKey) |
    (Number(chipKeyMasked) << SIGNER_INFO.chipKeyMasked) |
    (Number(authorKeyEnabled) << SIGNER_INFO.authorKeyEnabled)
  )
}

function firmwareBytes({ build, minor, major }: Platform['firmware']['current']): Buffer {
  return Buffer.of(build, minor, major)
}

function bitsOf<Name extends string>(
  values: Readonly<Record<Name, boolean>>,
  bits: Readonly<Record<Name, number>>,
): bigint {
  let value = 0n
  // Object.keys forgets that the keys are those of `bits`.
  for (const name of Object.keys(bits) as Name[]) if (values[name]) value |= 1n << BigInt(bits[name])
  return value
}
