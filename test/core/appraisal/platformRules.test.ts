import { FIELDS } from '#core/snp/layout.ts'
import { accepts, REFERENCE, refuses } from './appraisalCases.ts'

const { platformInfo } = REFERENCE
const setBit = (bit: number) => (bytes: Buffer) => {
  const { at } = FIELDS.platformInfo
  bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at) | (1n << BigInt(bit)), at)
}

accepts([
  {
    name: 'a required bit that is set',
    platform: { platformInfo: { ciphertextHiding: true } },
    reference: { platformInfo: { ...platformInfo, ciphertextHiding: 'required' } },
  },
  {
    name: 'the highest known bit',
    change: setBit(7),
    reference: { platformInfo: { ...platformInfo, tio: 'any' } },
  },
])

refuses([
  ...(
    ['smt', 'tsme', 'ecc', 'raplDisabled', 'ciphertextHiding', 'aliasCheck', 'iommuWriteSafe', 'tio'] as const
  ).flatMap((bit) => [
    {
      name: `${bit} on the platform`,
      platform: { platformInfo: { [bit]: true } },
      reference: { platformInfo: { ...platformInfo, [bit]: 'forbidden' as const } },
      code: 'platform-info.violated',
      field: `platformInfo.${bit}`,
      expected: 'clear',
      actual: 'set',
    },
    {
      name: `no ${bit} on the platform`,
      platform: { platformInfo: { [bit]: false } },
      reference: { platformInfo: { ...platformInfo, [bit]: 'required' as const } },
      code: 'platform-info.violated',
      field: `platformInfo.${bit}`,
      expected: 'set',
      actual: 'clear',
    },
  ]),
  ...[8, 63].map((bit) => ({
    name: `unknown platform bit ${bit}`,
    change: setBit(bit),
    code: 'platform-info.violated',
    field: 'platformInfo.reserved',
    expected: 'clear',
  })),
])
