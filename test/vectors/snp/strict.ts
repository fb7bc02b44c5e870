/** Vectors of the built-in reference values: reports they accept, and one violation of each rule. */
import { FIELDS } from '#core/snp/layout.ts'
import { TCB_COMPONENTS, type Tcb } from '#core/snp/tcb.ts'
import { accepted, type Choice, put, refused } from './cases.ts'
import type { Case } from './vector.ts'
import { BEGIN, leafOf } from './world.ts'

/** The minimum TCB of each known processor. The other processors of its product are refused. */
const PROCESSORS = [
  {
    name: 'Genoa B1',
    product: 'Genoa',
    cpuid: { family: 0x19, model: 0x11, stepping: 1 },
    floor: { snp: 0x17, microcode: 0x54 },
  },
  {
    name: 'Bergamo or Siena',
    product: 'Genoa',
    cpuid: { family: 0x19, model: 0xa0, stepping: 2 },
    floor: { snp: 0x17, microcode: 0x19 },
  },
  {
    name: 'Turin C1',
    product: 'Turin',
    cpuid: { family: 0x1a, model: 0x02, stepping: 1 },
    floor: { snp: 0x04, microcode: 0x51 },
  },
] as const

const STRICT: Choice = { reference: 'strict' }

export function strictVectors(): readonly Case[] {
  const bit = (field: 'policy' | 'platformInfo', index: number) => (bytes: Buffer) => {
    const { at } = FIELDS[field]
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at) ^ (1n << BigInt(index)), at)
  }
  const firmware = (major: number, minor: number, build: number): Choice => ({
    ...STRICT,
    platform: { firmware: { major, minor, build } },
  })
  return [
    accepted('an up-to-date host', STRICT),
    ...PROCESSORS.flatMap(processorVectors),
    ...[0, 2].map((stepping) =>
      refused(`Genoa of stepping ${stepping}`, 'product.excluded', {
        ...STRICT,
        change: put('cpuid', 2, stepping),
      }),
    ),
    ...[0x10, 0x12, 0xa1].map((model) =>
      refused(`Genoa of model ${model.toString(16)}`, 'product.excluded', {
        ...STRICT,
        change: put('cpuid', 1, model),
      }),
    ),
    refused('version 2', 'product.excluded', { ...STRICT, platform: { version: 2 } }),
    refused('Milan', 'product.excluded', { ...STRICT, product: 'Milan' }),
    refused('a VLEK', 'signing-key.excluded', { ...STRICT, kind: 'vlek' }),
    accepted('the least firmware', firmware(1, 55, 0)),
    ...(
      [
        [1, 54, 255],
        [0, 255, 255],
      ] as const
    ).map((version) =>
      refused(
        `firmware ${version.join('.')}`,
        ['firmware.below-floor', 'firmware.below-floor'],
        firmware(version[0], version[1], version[2]),
      ),
    ),
    refused('firmware that is not committed', 'tcb.provisional', {
      ...STRICT,
      platform: { committedFirmware: { major: 1, minor: 55, build: 48 } },
    }),
    refused('DEBUG', 'guest-policy.debug', { ...STRICT, change: bit('policy', 19) }),
    refused('MIGRATE_MA', 'guest-policy.migration', { ...STRICT, change: bit('policy', 18) }),
    refused('a migration agent', 'guest-policy.migration', { ...STRICT, change: put('reportIdMa', 0, 0) }),
    refused('CXL', 'guest-policy.violated', { ...STRICT, change: bit('policy', 21) }),
    refused('memory without ECC', 'platform-info.violated', { ...STRICT, change: bit('platformInfo', 2) }),
    refused('no check for aliased memory', 'platform-info.violated', {
      ...STRICT,
      change: bit('platformInfo', 5),
    }),
    refused('devices that are trusted', 'platform-info.violated', {
      ...STRICT,
      change: bit('platformInfo', 7),
    }),
    refused('a platform bit that means nothing yet', 'platform-info.violated', {
      ...STRICT,
      change: bit('platformInfo', 8),
    }),
    refused('VMPL 1', 'vmpl.violated', { ...STRICT, vmpl: 1 }),
    ...(
      [
        'familyId',
        'imageId',
        'hostData',
        'idKeyDigest',
        'authorKeyDigest',
        'measurement',
        'guestSvn',
      ] as const
    ).map((field) => accepted(`any ${field}`, { ...STRICT, change: put(field, 0, 7) })),
    ...[16, 20, 22, 23, 24, 25].map((index) =>
      accepted(`POLICY bit ${index} either way`, { ...STRICT, change: bit('policy', index) }),
    ),
    ...[0, 1, 3, 4, 6].map((index) =>
      accepted(`PLATFORM_INFO bit ${index} either way`, { ...STRICT, change: bit('platformInfo', index) }),
    ),
    accepted('at the first second of its chain', { ...STRICT, at: BEGIN }),
  ]
}

function processorVectors({ name, product, cpuid, floor }: (typeof PROCESSORS)[number]): readonly Case[] {
  const least = { fmc: 0, bootloader: 0, tee: 0, ...floor }
  const at = (tcb: Tcb): Choice => ({
    ...STRICT,
    product,
    platform: { cpuid, tcb },
    certs: [leafOf(product, 'vcek', { tcb })],
  })
  const below = 'tcb.below-floor'
  return [
    accepted(`${name} at its floor`, at(least)),
    ...TCB_COMPONENTS.filter((component) => least[component] > 0).map((component) =>
      refused(
        `${name} with ${component} below its floor`,
        [below, below, below, below],
        at({ ...least, [component]: least[component] - 1 }),
      ),
    ),
  ]
}
