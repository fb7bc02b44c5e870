import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { test } from 'node:test'
import { appraise } from '#core/appraisal/appraise.ts'
import type { Policy, Release } from '#core/appraisal/policy.ts'
import { meetsAssurance } from '#core/appraisal/reference.ts'
import { AMD_OID } from '#core/snp/extensions.ts'
import { FIELDS, PLATFORM_INFO_BITS } from '#core/snp/layout.ts'
import { parseReport } from '#core/snp/report.ts'
import { verifyReport } from '#core/snp/verify.ts'
import { toUnixSeconds } from '#core/time.ts'
import { amdScheme, authorityExtensions, extension, issueCertificate } from '#emulator/amd/certificate.ts'
import { deriveVcek, vcekRequest } from '#emulator/amd/chip.ts'
import { ia5 } from '#emulator/amd/der.ts'
import type { PlatformInput } from '#emulator/amd/platform.ts'
import { signReport } from '#emulator/amd/report.ts'
import { MEASUREMENT, mint, noon, platformOf, storeOf, testAuthority } from '../../amd.ts'

const amd = await testAuthority()
const roots = storeOf(amd)
const at = noon(amd)
const [root] = roots.roots
assert.ok(root)
const { tcb } = platformOf(amd)
const TRUST = 'T'.repeat(43)
const OTHER = '5a'.repeat(48)

const RELEASE: Release = {
  id: 'worker-1',
  assurance: 'measured',
  notBefore: at - 100,
  notAfter: at + 100,
  measurements: [MEASUREMENT],
  crl: 'not-required',
  cspIds: [],
  processors: [{ product: 'Genoa', family: 0x19, model: 0x11, stepping: 1, floor: tcb.reported }],
  firmware: { major: 1, minor: 55, build: 38 },
  firmwareProfile: 'committed',
  mitigations: { launch: '0000000000000000', current: '0000000000000000' },
  guestPolicy: {
    abi: { major: 0, minor: 0 },
    smt: 'any',
    migrateMa: 'forbidden',
    debug: 'forbidden',
    singleSocket: 'any',
    cxl: 'forbidden',
    aes256Xts: 'any',
    raplDisabled: 'any',
    ciphertextHiding: 'any',
    pageSwapDisabled: 'any',
  },
  platformInfo: {
    smt: 'any',
    tsme: 'any',
    ecc: 'required',
    raplDisabled: 'any',
    ciphertextHiding: 'any',
    aliasCheck: 'required',
    iommuWriteSafe: 'any',
    tio: 'forbidden',
  },
  vmpl: 0,
  guestSvn: 0,
  familyIds: 'any',
  imageIds: 'any',
  idKeyDigests: 'any',
  authorKeyDigests: 'any',
  hostData: 'any',
  trust: [TRUST],
  chips: 'any',
}

const ROOT: Policy['roots'][number] = { product: 'Genoa', ark: root.fingerprint, simulated: true }
type Values = Pick<Policy, 'roots' | 'simulation' | 'releases'>
const POLICY: Values = { roots: [ROOT], simulation: true, releases: [RELEASE] }

type Case = {
  readonly name: string
  readonly platform?: Partial<PlatformInput>
  readonly vmpl?: number
  /** Written into the report before it is signed again. */
  readonly change?: (bytes: Buffer) => void
  readonly release?: Partial<Release>
  readonly policy?: Partial<Values>
  readonly trust?: string
  readonly at?: number
  readonly revoked?: readonly string[]
}

function verdict(given: Omit<Case, 'name'>) {
  const { bytes, certs } = mint(amd, given.platform, { vmpl: given.vmpl ?? 0 })
  given.change?.(bytes)
  const { hardwareId, tcb } = platformOf(amd, given.platform)
  signReport(bytes, amd.endorse(hardwareId, tcb.reported).key)
  const verified = verifyReport(parseReport(bytes), certs, { roots, crls: [], at })
  const releases = [{ ...RELEASE, ...given.release }]
  return appraise(
    verified,
    { ...POLICY, releases, ...given.policy },
    {
      trust: given.trust ?? TRUST,
      at: toUnixSeconds(given.at ?? at),
      revocation: { releases: [...(given.revoked ?? [])] },
    },
  )
}

const accepted: readonly Case[] = [
  { name: 'an approved worker' },
  { name: 'the first second of a release', at: RELEASE.notBefore },
  { name: 'the last second of a release', at: RELEASE.notAfter },
  { name: 'one of several measurements', release: { measurements: [OTHER, MEASUREMENT] } },
  { name: 'one of several configurations', release: { trust: ['x'.repeat(43), TRUST] } },
  { name: 'a chip on the list', release: { chips: ['00'.repeat(64), amd.hardwareId] } },
  {
    name: 'a higher ABI than demanded',
    platform: { guestPolicy: { abi: { major: 1, minor: 0 } } },
    release: { guestPolicy: { ...RELEASE.guestPolicy, abi: { major: 0, minor: 55 } } },
  },
  { name: 'a demanded VMPL', vmpl: 2, release: { vmpl: 2 } },
  { name: 'a revoked release that is another one', revoked: ['worker-0'] },
  {
    name: 'a host ahead of what it reports',
    platform: {
      currentTcb: { ...tcb.reported, snp: 30 },
      committedTcb: { ...tcb.reported, snp: 30 },
    },
  },
  {
    name: 'a host ahead of what it has committed',
    platform: { currentTcb: { ...tcb.reported, snp: 30 } },
    release: { firmwareProfile: 'provisional' },
  },
  {
    name: 'a bit that is demanded and set',
    platform: { platformInfo: { ciphertextHiding: true } },
    release: { platformInfo: { ...RELEASE.platformInfo, ciphertextHiding: 'required' } },
  },
]
for (const { name, ...given } of accepted)
  test(`accepts ${name}`, () => {
    const given_ = verdict(given)
    assert.equal(given_.kind, 'accepted', JSON.stringify(given_.kind === 'refused' ? given_.reasons : ''))
  })

test('an accepted verdict says which release, how much it is worth, and that it is simulated', () => {
  const { verified: _, ...rest } = verdict({})
  assert.deepEqual(rest, {
    kind: 'accepted',
    release: 'worker-1',
    assurance: 'measured',
    simulated: true,
    floor: tcb.reported,
  })
})

const low = { ...tcb.reported, snp: tcb.reported.snp - 1 }
const setBit = (bit: number) => (bytes: Buffer) =>
  bytes.writeBigUInt64LE(bytes.readBigUInt64LE(0x40) | (1n << BigInt(bit)), 0x40)

/** Each against a release that it violates in nothing else. */
const refused: readonly (Case & {
  readonly code: string
  readonly field: string
  readonly expected?: string
  readonly actual?: string
})[] = [
  {
    name: 'another measurement',
    platform: { measurement: OTHER },
    code: 'measurement.unknown',
    field: 'measurement',
    expected: MEASUREMENT,
    actual: OTHER,
  },
  { name: 'a release before its time', at: RELEASE.notBefore - 1, code: 'release.expired', field: 'release' },
  { name: 'a release after its time', at: RELEASE.notAfter + 1, code: 'release.expired', field: 'release' },
  { name: 'a revoked release', revoked: ['worker-0', 'worker-1'], code: 'release.revoked', field: 'release' },
  {
    name: 'another stepping',
    platform: { cpuid: { family: 0x19, model: 0x11, stepping: 2 } },
    code: 'product.excluded',
    field: 'processor',
    expected: 'Genoa 19/11/01',
    actual: 'Genoa 19/11/02',
  },
  {
    name: 'another model',
    platform: { cpuid: { family: 0x19, model: 0xa0, stepping: 1 } },
    code: 'product.excluded',
    field: 'processor',
  },
  {
    name: 'a report without a stepping',
    platform: { version: 2 },
    code: 'product.excluded',
    field: 'processor',
    actual: 'Genoa of unknown stepping',
  },
  {
    name: 'an excluded product',
    release: { processors: [{ product: 'Turin', family: 0x19, model: 0x11, stepping: 1, floor: low }] },
    code: 'product.excluded',
    field: 'processor',
  },
  {
    name: 'a launch below the floor',
    platform: { launchTcb: low },
    code: 'tcb.below-floor',
    field: 'tcb.launch.snp',
    expected: 'at least 27',
    actual: '26',
  },
  {
    name: 'microcode below the floor',
    platform: { launchTcb: { ...tcb.reported, microcode: 0 } },
    code: 'tcb.below-floor',
    field: 'tcb.launch.microcode',
  },
  {
    name: 'a boot loader below the floor',
    platform: { launchTcb: { ...tcb.reported, bootloader: 9, snp: 255 } },
    code: 'tcb.below-floor',
    field: 'tcb.launch.bootloader',
  },
  {
    name: 'a reported TCB below the floor',
    platform: { tcb: low, committedTcb: tcb.reported, currentTcb: tcb.reported },
    code: 'tcb.below-floor',
    field: 'tcb.reported.snp',
  },
  {
    name: 'more committed than current',
    platform: { committedTcb: { ...tcb.reported, snp: 28 } },
    code: 'tcb.inconsistent',
    field: 'tcb.committed.snp',
  },
  {
    name: 'more reported than committed',
    platform: {
      tcb: { ...tcb.reported, microcode: 90 },
      committedTcb: tcb.reported,
      currentTcb: tcb.reported,
    },
    code: 'tcb.inconsistent',
    field: 'tcb.reported.microcode',
  },
  {
    name: 'debugging',
    platform: { guestPolicy: { debug: true } },
    code: 'guest-policy.debug',
    field: 'guestPolicy.debug',
    expected: 'clear',
    actual: 'set',
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
      release: { guestPolicy: { ...RELEASE.guestPolicy, [bit]: 'forbidden' as const } },
      code: 'guest-policy.violated',
      field: `guestPolicy.${bit}`,
      expected: 'clear',
    },
    {
      name: `no ${bit} in the guest policy`,
      platform: { guestPolicy: { [bit]: false } },
      release: { guestPolicy: { ...RELEASE.guestPolicy, [bit]: 'required' as const } },
      code: 'guest-policy.violated',
      field: `guestPolicy.${bit}`,
      expected: 'set',
    },
  ]),
  {
    name: 'a lower ABI minor',
    platform: { guestPolicy: { abi: { major: 1, minor: 54 } } },
    release: { guestPolicy: { ...RELEASE.guestPolicy, abi: { major: 1, minor: 55 } } },
    code: 'guest-policy.violated',
    field: 'guestPolicy.abi',
    expected: 'at least 1.55',
    actual: '1.54',
  },
  {
    name: 'a lower ABI major',
    platform: { guestPolicy: { abi: { major: 0, minor: 99 } } },
    release: { guestPolicy: { ...RELEASE.guestPolicy, abi: { major: 1, minor: 55 } } },
    code: 'guest-policy.violated',
    field: 'guestPolicy.abi',
  },
  ...(
    ['smt', 'tsme', 'ecc', 'raplDisabled', 'ciphertextHiding', 'aliasCheck', 'iommuWriteSafe', 'tio'] as const
  ).flatMap((bit) => [
    {
      name: `${bit} on the platform`,
      platform: { platformInfo: { [bit]: true } },
      release: { platformInfo: { ...RELEASE.platformInfo, [bit]: 'forbidden' as const } },
      code: 'platform-info.violated',
      field: `platformInfo.${bit}`,
    },
    {
      name: `no ${bit} on the platform`,
      platform: { platformInfo: { [bit]: false } },
      release: { platformInfo: { ...RELEASE.platformInfo, [bit]: 'required' as const } },
      code: 'platform-info.violated',
      field: `platformInfo.${bit}`,
    },
  ]),
  ...[8, 63].map((bit) => ({
    name: `unknown platform bit ${bit}`,
    change: setBit(bit),
    code: 'platform-info.violated',
    field: 'platformInfo.reserved',
  })),
  {
    name: 'a less privileged level',
    vmpl: 1,
    code: 'vmpl.violated',
    field: 'vmpl',
    expected: '0',
    actual: '1',
  },
  { name: 'a more privileged level', release: { vmpl: 1 }, code: 'vmpl.violated', field: 'vmpl' },
  { name: 'another configuration', trust: 'x'.repeat(43), code: 'trust.unknown', field: 'trust' },
  {
    name: 'a chip that is not on the list',
    release: { chips: ['00'.repeat(64)] },
    code: 'chip.unknown',
    field: 'chipId',
  },
  {
    name: 'a root that the policy does not name',
    policy: { roots: [{ ...ROOT, ark: '00'.repeat(32) }] },
    code: 'root.untrusted',
    field: 'root',
  },
  {
    name: 'a root named for another product',
    policy: { roots: [{ ...ROOT, product: 'Turin' }] },
    code: 'root.untrusted',
    field: 'root',
  },
  {
    name: 'a simulated root that is named as genuine',
    policy: { roots: [{ ...ROOT, simulated: false }] },
    code: 'root.untrusted',
    field: 'root',
  },
  {
    name: 'a simulated root without simulation',
    policy: { simulation: false },
    code: 'root.untrusted',
    field: 'root',
  },
]
for (const { name, code, field, expected, actual, ...given } of refused)
  test(`refuses ${name}`, () => {
    const result = verdict(given)
    assert.equal(result.kind, 'refused')
    assert.deepEqual(
      result.reasons.map((reason) => [reason.code, reason.field]),
      [[code, field]],
    )
    const [reason] = result.reasons
    if (expected !== undefined) assert.equal(reason?.expected, expected)
    if (actual !== undefined) assert.equal(reason?.actual, actual)
    assert.ok(reason?.remedy)
  })

test('refuses a report that is signed with a VLEK', () => {
  const { bytes } = mint(amd)
  bytes.writeUInt32LE(1 << 2, FIELDS.signerInfo.at)
  const key = deriveVcek(Buffer.alloc(48, 2), 'Genoa', amd.hardwareId, tcb.reported)
  signReport(bytes, key)
  const request = vcekRequest(key, {
    product: 'Genoa',
    hardwareId: amd.hardwareId,
    tcb: tcb.reported,
    notBefore: amd.notBefore,
  })
  const vlek = issueCertificate(
    {
      ...request,
      issuer: 'SEV-VLEK-Genoa',
      subject: 'SEV-VLEK',
      extensions: [...request.extensions.slice(0, -1), extension(AMD_OID.cspId, ia5('CN=csp.example'))],
    },
    amdScheme(amd.askKey),
  )
  const asvk = issueCertificate(
    {
      ...request,
      issuer: 'ARK-Genoa',
      subject: 'SEV-VLEK-Genoa',
      publicKey: createPublicKey(amd.askKey),
      extensions: authorityExtensions(0),
    },
    amdScheme(amd.arkKey),
  )
  const verified = verifyReport(parseReport(bytes), [vlek, asvk], { roots, crls: [], at })
  const given = appraise(verified, POLICY, { trust: TRUST, at, revocation: { releases: [] } })
  assert.equal(given.kind, 'refused')
  assert.deepEqual(
    given.reasons.map(({ code, field }) => [code, field]),
    [['signing-key.excluded', 'signingKey']],
  )
})

test('all violations are told at once, in bounds that evidence can carry', () => {
  const { kind, ...result } = verdict({
    platform: {
      measurement: OTHER,
      tcb: { fmc: 0, bootloader: 0, tee: 0, snp: 0, microcode: 0 },
      guestPolicy: Object.fromEntries(
        Object.keys(RELEASE.guestPolicy)
          .filter((bit) => bit !== 'abi')
          .map((bit) => [bit, true]),
      ),
      platformInfo: Object.fromEntries(Object.keys(PLATFORM_INFO_BITS).map((bit) => [bit, true])),
    },
    vmpl: 3,
    change: setBit(40),
    trust: 'x'.repeat(43),
    at: at + 1000,
    revoked: ['worker-1'],
    policy: { roots: [{ ...ROOT, ark: '00'.repeat(32) }] },
    release: {
      measurements: Array.from({ length: 64 }, () => '11'.repeat(48)),
      chips: Array.from({ length: 64 }, () => '11'.repeat(64)),
      processors: [
        {
          product: 'Genoa',
          family: 0x19,
          model: 0x11,
          stepping: 1,
          floor: { fmc: 255, bootloader: 255, tee: 255, snp: 255, microcode: 255 },
        },
      ],
      guestPolicy: {
        abi: { major: 9, minor: 0 },
        smt: 'forbidden',
        migrateMa: 'forbidden',
        debug: 'forbidden',
        singleSocket: 'forbidden',
        cxl: 'forbidden',
        aes256Xts: 'forbidden',
        raplDisabled: 'forbidden',
        ciphertextHiding: 'forbidden',
        pageSwapDisabled: 'forbidden',
      },
      platformInfo: {
        smt: 'forbidden',
        tsme: 'forbidden',
        ecc: 'forbidden',
        raplDisabled: 'forbidden',
        ciphertextHiding: 'forbidden',
        aliasCheck: 'forbidden',
        iommuWriteSafe: 'forbidden',
        tio: 'forbidden',
      },
    },
  })
  assert.equal(kind, 'refused')
  assert.ok('reasons' in result)
  assert.equal(result.reasons.length, 1 + 1 + 1 + 1 + 20 + 10 + 9 + 1 + 1 + 1)
  for (const { field, expected, actual, remedy } of result.reasons) {
    assert.ok(field.length <= 80)
    for (const text of [expected, actual, remedy]) assert.ok(text.length >= 1 && text.length <= 400, text)
  }
})

test('the reasons are against the nearest release: of the measurement, then with the fewest', () => {
  const stranger = { ...RELEASE, id: 'worker-9', measurements: [OTHER] }
  const strict = { ...RELEASE, id: 'worker-2', vmpl: 1, trust: ['x'.repeat(43)] }
  const near = { ...RELEASE, id: 'worker-3', vmpl: 1 }
  const given = verdict({ policy: { releases: [stranger, strict, near] } })
  assert.equal(given.kind, 'refused')
  assert.equal(given.nearest, 'worker-3')
  assert.deepEqual(
    given.reasons.map(({ code }) => code),
    ['vmpl.violated'],
  )
})

test('of two releases that match, the one that gives more assurance counts', () => {
  const platform = { ...RELEASE, id: 'worker-p', assurance: 'platform' as const }
  for (const releases of [
    [platform, RELEASE],
    [RELEASE, platform],
  ]) {
    const given = verdict({ policy: { releases } })
    assert.equal(given.kind === 'accepted' && given.release, 'worker-1')
  }
})

test('measured satisfies platform, platform does not satisfy measured', () => {
  assert.deepEqual(
    [
      meetsAssurance('measured', 'platform'),
      meetsAssurance('measured', 'measured'),
      meetsAssurance('platform', 'platform'),
      meetsAssurance('platform', 'measured'),
    ],
    [true, true, true, false],
  )
})
