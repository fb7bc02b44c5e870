/**
 * Vectors of the bytes of a report: the values that the ABI allows, and the bytes that the signature covers.
 */
import { FIELDS, P384_ORDER, REPORT_VERSIONS, SCALAR_BYTES, SIGNER_INFO } from '#core/snp/layout.ts'
import { authentic, fill, put, putAt, refused } from './cases.ts'
import { ecKey, scalarBytes } from './keys.ts'
import type { Case } from './vector.ts'
import { reportOf } from './world.ts'

const at = (offset: number): string => `0x${offset.toString(16).padStart(3, '0')}`
const u32 = (field: keyof typeof FIELDS, value: number) => (bytes: Buffer) =>
  void bytes.writeUInt32LE(value, FIELDS[field].at)
const policyBit = (bit: number) => (bytes: Buffer) => {
  const value = bytes.readBigUInt64LE(FIELDS.policy.at)
  bytes.writeBigUInt64LE(value ^ (1n << BigInt(bit)), FIELDS.policy.at)
}
const scalar = (field: 'signatureR' | 'signatureS', value: bigint) => (bytes: Buffer) =>
  void bytes.set(scalarBytes(value).reverse(), FIELDS[field].at)

/** The first and the last byte of each reserved range. The last range is after the signature. */
const RESERVED = [[0x04c, 0x04f], [0x18b, 0x19f], [0x1eb], [0x1ef], [0x208, 0x29f], [0x330, 0x49f]].flat()

export function reportVectors(): readonly Case[] {
  const good = reportOf('Genoa')
  return [
    authentic('as firmware makes it'),
    ...[0, 1, 1183, 1185].map((size) =>
      refused(`of ${size} bytes`, 'report.malformed', {
        report: Buffer.concat([good, good]).subarray(0, size),
      }),
    ),
    refused("behind the kernel's header", 'report.malformed', {
      report: Buffer.concat([Buffer.from('00000000a0040000', 'hex'), Buffer.alloc(24), good]),
    }),
    refused('with the bytes of the whole response after it', 'report.malformed', {
      report: Buffer.concat([good, Buffer.alloc(4000 - good.byteLength)]),
    }),
    ...[0, 1, 6, 0x10003].map((version) =>
      refused(`version ${version}`, 'report.malformed', { change: u32('version', version) }),
    ),
    ...reservedVectors(),
    ...fieldVectors(),
    ...signatureVectors(good),
  ]
}

function reservedVectors(): readonly Case[] {
  const later = [
    [2, 'cpuid', 0],
    [2, 'cpuid', 2],
    [2, 'launchMitigations', 0],
    [2, 'currentMitigations', 7],
    [3, 'launchMitigations', 0],
    [3, 'launchMitigations', 7],
    [3, 'currentMitigations', 0],
    [3, 'currentMitigations', 7],
    [4, 'launchMitigations', 7],
    [4, 'currentMitigations', 0],
  ] as const
  return [
    ...RESERVED.map((offset) => {
      const change = putAt(offset, 1)
      return refused(
        `reserved byte ${at(offset)}`,
        'report.invalid',
        offset < 0x2a0 ? { change } : { tamper: change },
      )
    }),
    ...REPORT_VERSIONS.slice(0, -1).map((version) =>
      refused(`version ${version} with a reserved byte`, 'report.invalid', {
        platform: { version },
        change: putAt(0x18b, 1),
      }),
    ),
    ...later.map(([version, field, byte]) =>
      refused(`version ${version} with ${field}, byte ${byte}`, 'report.invalid', {
        platform: { version },
        change: put(field, byte, 1),
      }),
    ),
    authentic('version 5 with every mitigation bit', {
      platform: { version: 5 },
      change: (bytes) => {
        fill('launchMitigations', 0xff)(bytes)
        fill('currentMitigations', 0xff)(bytes)
      },
    }),
  ]
}

function fieldVectors(): readonly Case[] {
  const signer = (value: number) => u32('signerInfo', value)
  const key = (value: number) => signer(value << SIGNER_INFO.signingKey)
  return [
    refused('POLICY bit 17 clear', 'report.invalid', { change: policyBit(17) }),
    ...[26, 31, 32, 63].map((bit) =>
      refused(`POLICY bit ${bit} set`, 'report.invalid', { change: policyBit(bit) }),
    ),
    authentic('POLICY with every bit that has a meaning', {
      change: (bytes) => bytes.writeBigUInt64LE((1n << 26n) - 1n, FIELDS.policy.at),
    }),
    ...[0, 1, 2, 3].map((vmpl) => authentic(`VMPL ${vmpl}`, { vmpl })),
    refused('VMPL 4', 'report.invalid', { change: u32('vmpl', 4) }),
    refused('VMPL of a report that the host asked for', 'report.invalid', {
      change: u32('vmpl', 0xffff_ffff),
    }),
    ...[0, 2, 0x101].map((algorithm) =>
      refused(`SIGNATURE_ALGO ${algorithm}`, 'report.invalid', {
        change: u32('signatureAlgorithm', algorithm),
      }),
    ),
    ...[2, 3, 4, 5, 6].map((value) =>
      refused(`SIGNING_KEY ${value}`, 'report.invalid', { change: key(value) }),
    ),
    refused('SIGNING_KEY 7, signed all the same', 'report.signature', { change: key(7) }),
    refused('not signed, as firmware with MASK_CHIP_KEY leaves it', 'report.signature', {
      change: signer((7 << SIGNER_INFO.signingKey) | 2),
      tamper: (bytes) => {
        fill('signatureR', 0)(bytes)
        fill('signatureS', 0)(bytes)
      },
    }),
    ...[5, 31].map((bit) =>
      refused(`SIGNER_INFO bit ${bit}`, 'report.invalid', { change: signer((1 << bit) >>> 0) }),
    ),
    authentic('AUTHOR_KEY_EN', { change: signer(1) }),
    refused('MASK_CHIP_KEY, signed by a VCEK all the same', 'report.invalid', { change: signer(2) }),
    authentic('MASK_CHIP_KEY, signed by a VLEK', {
      kind: 'vlek',
      platform: { signingKey: 'vlek', chipKeyMasked: true },
    }),
  ]
}

function signatureVectors(good: Buffer): readonly Case[] {
  const halves = ['signatureR', 'signatureS'] as const
  const exchanged = Buffer.from(good)
  const mirrored = Buffer.from(good)
  for (const [index, field] of halves.entries()) {
    const other = FIELDS[halves[1 - index] ?? field]
    exchanged.set(good.subarray(other.at, other.at + other.size), FIELDS[field].at)
    mirrored.subarray(FIELDS[field].at, FIELDS[field].at + SCALAR_BYTES).reverse()
  }
  const flipped = [
    'guestSvn',
    'familyId',
    'reportData',
    'measurement',
    'hostData',
    'reportId',
    'currentFirmware',
  ] as const
  return [
    refused('signed by another key', 'report.signature', { key: ecKey('another') }),
    ...flipped.map((field) =>
      refused(`${field} changed after it was signed`, 'report.signature', {
        tamper: (bytes) => put(field, 0, bytes.readUInt8(FIELDS[field].at) ^ 1)(bytes),
      }),
    ),
    refused('r and s exchanged', 'report.signature', { report: exchanged }),
    refused('r and s in the other byte order', 'report.signature', { report: mirrored }),
    ...halves.flatMap((field) => [
      ...[SCALAR_BYTES, 71].map((byte) =>
        refused(`${field}, which is right, with byte ${byte} set`, 'report.signature', {
          tamper: put(field, byte, 1),
        }),
      ),
      // No library accepts these. A case without a certificate shows that the parser refuses them already.
      ...(
        [
          ['zero', 0n],
          ['the order', P384_ORDER],
          ['all ones', (1n << 384n) - 1n],
        ] as const
      ).map(([name, value]) =>
        refused(`${field} of ${name}, and no certificate`, 'report.signature', {
          tamper: scalar(field, value),
          certs: [],
        }),
      ),
      refused(`${field} of the order less one, and no certificate`, 'chain.missing', {
        tamper: scalar(field, P384_ORDER - 1n),
        certs: [],
      }),
    ]),
  ]
}
