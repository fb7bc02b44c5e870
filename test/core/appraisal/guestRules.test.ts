import { accepts, put, REFERENCE, refuses } from './appraisalCases.ts'

const { guestPolicy } = REFERENCE
const NO_AGENT = Array.from({ length: 32 }, () => 0xff)

accepts([
  {
    name: 'a higher ABI than required',
    platform: { guestPolicy: { abi: { major: 1, minor: 0 } } },
    reference: { guestPolicy: { ...guestPolicy, abi: { major: 0, minor: 55 } } },
  },
  {
    name: 'the required ABI',
    platform: { guestPolicy: { abi: { major: 1, minor: 55 } } },
    reference: { guestPolicy: { ...guestPolicy, abi: { major: 1, minor: 55 } } },
  },
  { name: 'the required VMPL', vmpl: 2, reference: { vmpl: 2 } },
  { name: 'the least guest SVN', platform: { guestSvn: 7 }, reference: { guestSvn: 7 } },
  { name: 'a higher guest SVN', platform: { guestSvn: 0xffff_ffff }, reference: { guestSvn: 8 } },
  {
    name: 'an allowed migration agent',
    change: put('reportIdMa', 1),
    reference: { guestPolicy: { ...guestPolicy, migrateMa: 'any' } },
  },
])

refuses([
  {
    name: 'debugging',
    platform: { guestPolicy: { debug: true } },
    code: 'guest-policy.debug',
    field: 'guestPolicy.debug',
    expected: 'clear',
    actual: 'set',
    remedy: /bit 19 clear/,
  },
  {
    name: 'migration',
    platform: { guestPolicy: { migrateMa: true } },
    code: 'guest-policy.migration',
    field: 'guestPolicy.migrateMa',
  },
  {
    name: 'CXL',
    platform: { guestPolicy: { cxl: true } },
    code: 'guest-policy.violated',
    field: 'guestPolicy.cxl',
  },
  ...(
    ['smt', 'singleSocket', 'aes256Xts', 'raplDisabled', 'ciphertextHiding', 'pageSwapDisabled'] as const
  ).flatMap((bit) => [
    {
      name: `${bit} in the guest policy`,
      platform: { guestPolicy: { [bit]: true } },
      reference: { guestPolicy: { ...guestPolicy, [bit]: 'forbidden' as const } },
      code: 'guest-policy.violated',
      field: `guestPolicy.${bit}`,
      expected: 'clear',
    },
    {
      name: `no ${bit} in the guest policy`,
      platform: { guestPolicy: { [bit]: false } },
      reference: { guestPolicy: { ...guestPolicy, [bit]: 'required' as const } },
      code: 'guest-policy.violated',
      field: `guestPolicy.${bit}`,
      expected: 'set',
    },
  ]),
  {
    name: 'a lower ABI minor',
    platform: { guestPolicy: { abi: { major: 1, minor: 54 } } },
    reference: { guestPolicy: { ...guestPolicy, abi: { major: 1, minor: 55 } } },
    code: 'guest-policy.violated',
    field: 'guestPolicy.abi',
    expected: 'at least 1.55',
    actual: '1.54',
  },
  {
    name: 'a lower ABI major',
    platform: { guestPolicy: { abi: { major: 0, minor: 99 } } },
    reference: { guestPolicy: { ...guestPolicy, abi: { major: 1, minor: 55 } } },
    code: 'guest-policy.violated',
    field: 'guestPolicy.abi',
  },
  ...[0, 31].map((index) => ({
    name: `a migration agent, byte ${index}`,
    change: put('reportIdMa', ...NO_AGENT.map((byte, at) => (at === index ? 0xfe : byte))),
    code: 'guest-policy.migration',
    field: 'reportIdMa',
    expected: 'all ff, no migration agent',
  })),
  {
    name: 'a lower guest SVN',
    platform: { guestSvn: 6 },
    reference: { guestSvn: 7 },
    code: 'guest-svn.below-floor',
    field: 'guestSvn',
    expected: 'at least 7',
    actual: '6',
  },
  {
    name: 'a less privileged level',
    vmpl: 1,
    code: 'vmpl.violated',
    field: 'vmpl',
    expected: '0',
    actual: '1',
  },
  { name: 'a more privileged level', reference: { vmpl: 1 }, code: 'vmpl.violated', field: 'vmpl' },
])
