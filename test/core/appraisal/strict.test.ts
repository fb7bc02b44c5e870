/**
 * The built-in reference values against minted reports, field by field, and against reports of real machines.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { type Evaluation, evaluate } from '#core/appraisal/appraise.ts'
import { readReference } from '#core/appraisal/referenceGrammar.ts'
import { STRICT } from '#core/appraisal/strict.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { PRODUCTS, type Product } from '#core/snp/product.ts'
import { parseReport } from '#core/snp/report.ts'
import type { Tcb } from '#core/snp/tcb.ts'
import { type VerifiedReport, verifyReport } from '#core/snp/verify.ts'
import { parseRfc3339 } from '#core/time.ts'
import type { PlatformInput } from '#lab/amd/platform.ts'
import { mint, noon, storeOf, testAuthority } from '../../amd.ts'

test('the built-in set is complete reference values', () => {
  assert.deepEqual(readReference(STRICT), STRICT)
})

function evaluateStrictly(
  verified: VerifiedReport,
  store: TrustStore,
  at: VerifiedReport['endorsement']['notBefore'],
): Evaluation {
  const roots = store.roots.map(({ product, fingerprint, simulated }) => ({
    product,
    ark: fingerprint,
    simulated,
  }))
  return evaluate(
    { verified, trust: undefined, at, revoked: [] },
    // Like a production policy if the roots are AMD's.
    { roots, simulation: roots.some(({ simulated }) => simulated), referenceValues: [STRICT] },
  )
}

function told(evaluation: Evaluation): readonly string[] {
  return evaluation.kind === 'accepted' ? [] : evaluation.reasons.map(({ code, field }) => `${code} ${field}`)
}

const levels = (snp: number, microcode: number): Tcb => ({ fmc: 0, bootloader: 10, tee: 0, snp, microcode })
const minted: readonly {
  readonly name: string
  readonly product?: Product
  readonly platform?: Partial<PlatformInput>
  readonly vmpl?: number
  readonly reasons: readonly string[]
}[] = [
  { name: 'Genoa', reasons: [] },
  { name: 'Turin', product: 'Turin', reasons: [] },
  { name: 'Milan', product: 'Milan', reasons: ['product.excluded processor'] },
  { name: 'Genoa B1 at its floor', platform: { tcb: levels(0x17, 0x54) }, reasons: [] },
  {
    name: 'Siena at its floor',
    platform: { cpuid: { family: 0x19, model: 0xa0, stepping: 2 }, tcb: levels(0x17, 0x19) },
    reasons: [],
  },
  {
    name: 'Turin C1 at its floor',
    product: 'Turin',
    platform: { tcb: { fmc: 0, bootloader: 0, tee: 0, snp: 4, microcode: 0x51 } },
    reasons: [],
  },
  ...(['reported', 'launch'] as const).flatMap((name) =>
    (['snp', 'microcode'] as const).map((component) => {
      const low = { ...levels(0x17, 0x54), [component]: component === 'snp' ? 0x16 : 0x53 }
      const enough = levels(0x17, 0x54)
      const platform =
        name === 'launch'
          ? { tcb: enough, launchTcb: low }
          : { tcb: low, committedTcb: enough, currentTcb: enough, launchTcb: enough }
      return {
        name: `a low ${component} ${name}`,
        platform,
        reasons: [`tcb.below-floor tcb.${name}.${component}`],
      }
    }),
  ),
  {
    name: 'another stepping of Genoa',
    platform: { cpuid: { family: 0x19, model: 0x11, stepping: 2 } },
    reasons: ['product.excluded processor'],
  },
  { name: 'a report without stepping', platform: { version: 2 }, reasons: ['product.excluded processor'] },
  { name: 'a VLEK', platform: { signingKey: 'vlek' }, reasons: ['signing-key.excluded signingKey'] },
  {
    name: 'firmware of an earlier ABI',
    platform: { firmware: { major: 1, minor: 54, build: 255 } },
    reasons: ['firmware.below-floor firmware.current', 'firmware.below-floor firmware.committed'],
  },
  {
    name: 'provisional firmware',
    platform: {
      firmware: { major: 1, minor: 58, build: 1 },
      committedFirmware: { major: 1, minor: 55, build: 49 },
    },
    reasons: ['tcb.provisional firmware.committed'],
  },
  {
    name: 'debugging',
    platform: { guestPolicy: { debug: true } },
    reasons: ['guest-policy.debug guestPolicy.debug'],
  },
  {
    name: 'migration',
    platform: { guestPolicy: { migrateMa: true } },
    reasons: ['guest-policy.migration guestPolicy.migrateMa'],
  },
  {
    name: 'a migration agent',
    platform: { reportIdMa: '00'.repeat(32) },
    reasons: ['guest-policy.migration reportIdMa'],
  },
  {
    name: 'CXL',
    platform: { guestPolicy: { cxl: true } },
    reasons: ['guest-policy.violated guestPolicy.cxl'],
  },
  {
    name: 'no ECC',
    platform: { platformInfo: { ecc: false } },
    reasons: ['platform-info.violated platformInfo.ecc'],
  },
  {
    name: 'no alias check',
    platform: { platformInfo: { aliasCheck: false } },
    reasons: ['platform-info.violated platformInfo.aliasCheck'],
  },
  {
    name: 'TIO',
    platform: { platformInfo: { tio: true } },
    reasons: ['platform-info.violated platformInfo.tio'],
  },
  { name: 'VMPL 1', vmpl: 1, reasons: ['vmpl.violated vmpl'] },
  {
    name: 'fields that only the owner of a guest knows',
    platform: {
      measurement: '77'.repeat(48),
      hostData: '11'.repeat(32),
      familyId: '11'.repeat(16),
      imageId: '11'.repeat(16),
      idKeyDigest: '11'.repeat(48),
      hardwareId: '22'.repeat(64),
    },
    reasons: [],
  },
]
for (const { name, product = 'Genoa', platform, vmpl = 0, reasons } of minted)
  test(`minted, ${name}: ${reasons.join(', ') || 'accepted'}`, async () => {
    const amd = await testAuthority(product)
    const { bytes, certs } = mint(amd, platform, { vmpl })
    const [store, at] = [storeOf(amd), noon(amd)]
    const verified = verifyReport(parseReport(bytes), certs, { roots: store, crls: [], at })
    assert.deepEqual(told(evaluateStrictly(verified, store, at)), reasons)
  })

const FOLDER = new URL('../../../../shared/fixtures/snp/', import.meta.url)
const skip = existsSync(FOLDER) ? false : 'the folder of real reports is absent'
const NOW = '2026-11-21T00:00:00Z'
const OLD_FIRMWARE = ['firmware.below-floor firmware.current', 'firmware.below-floor firmware.committed']
const NO_ALIAS_CHECK = [
  'platform-info.violated platformInfo.ecc',
  'platform-info.violated platformInfo.aliasCheck',
]
const real: Readonly<Record<string, readonly string[]>> = {
  'genoa-v3-azure-aci': [],
  'genoa-v3-azure-trustee': [],
  'genoa-v3-veraison': [],
  'genoa-v5-siena': [],
  'turin-v5-azure-aci': [],
  'turin-v5-openanolis': [],
  'milan-v3-azure-aci': ['product.excluded processor'],
  'milan-v3-gcp-oak': ['product.excluded processor'],
  'milan-v3-oldtcb-dstack': ['product.excluded processor'],
  'milan-v2-virtee': ['product.excluded processor', ...OLD_FIRMWARE, ...NO_ALIAS_CHECK],
  'milan-v2-vmpl1-snpguard': ['product.excluded processor', 'vmpl.violated vmpl', ...NO_ALIAS_CHECK],
  'milan-v2-trustee': [
    'product.excluded processor',
    'tcb.provisional tcb.committed.microcode',
    ...OLD_FIRMWARE,
    ...NO_ALIAS_CHECK,
  ],
  'milan-v2-azure-hcl': [
    'product.excluded processor',
    'tcb.provisional tcb.committed.microcode',
    ...OLD_FIRMWARE,
    ...NO_ALIAS_CHECK,
  ],
  'milan-v3-vlek-vmpl1-aws': [
    'signing-key.excluded signingKey',
    'product.excluded processor',
    'tcb.provisional tcb.committed.microcode',
    'vmpl.violated vmpl',
  ],
}
for (const [name, reasons] of Object.entries(real))
  test(`${name}: ${reasons.join(', ') || 'accepted'}`, { skip }, () => {
    const read = (path: string) => readFileSync(new URL(path, FOLDER))
    const amd = new TrustStore(
      PRODUCTS.map((product) => ({
        product,
        ark: read(`amd-roots/${product}/ark.der`),
        ask: read(`amd-roots/${product}/ask.der`),
        asvk: read(`amd-roots/${product}/asvk.der`),
        simulated: false,
      })),
    )
    const isVlek = name.includes('vlek')
    // That key lived for a year.
    const at = parseRfc3339(isVlek ? '2025-06-01T00:00:00Z' : NOW)
    const leaf = read(`${name}/${isVlek ? 'vlek' : 'vcek'}.der`)
    const verified = verifyReport(parseReport(read(`${name}/report.bin`)), [leaf], {
      roots: amd,
      crls: [],
      at,
    })
    assert.deepEqual(told(evaluateStrictly(verified, amd, at)), reasons)
  })
