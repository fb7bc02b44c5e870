/**
 * The report library as others get it: packed, installed into an empty folder, type-checked and run there.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { buildFirmware, seededBytes } from '../core/snp/launch/firmwareFile.ts'
import { VECTORS } from '../core/snp/launch/vectors.ts'
import { readDocument } from '../docs/document.ts'
import { type Area, type Case, casesOf } from '../vectors/snp/vector.ts'
import { installLibrary, NODE } from './consumer.ts'

const consumer = installLibrary()
after(() => consumer.remove())
const installed = join(consumer.folder, 'node_modules/snp-report')
const version = execFileSync(NODE, ['--version'], { encoding: 'utf8' }).trim()

describe(`snp-report under Node ${version} (${NODE})`, () => {
  test('runs under a Node that the package names', (t) => {
    t.diagnostic(`node ${version} at ${NODE}`)
    assert.ok(Number(version.slice(1).split('.')[0]) >= 20)
  })

  test('is JavaScript, declarations, licence and README, and depends on nothing', () => {
    const others = consumer.packed.filter((name) => !/\.(?:js|d\.ts)$/.test(name))
    assert.deepEqual(others.sort(), ['package/LICENSE', 'package/README.md', 'package/package.json'])
    assert.deepEqual(readdirSync(join(consumer.folder, 'node_modules')).filter(isVisible), ['snp-report'])
    const imports = textsOf('.js').flatMap((text) => [
      ...text.matchAll(/(?:from |import\()['"]([^.'"][^'"]*)/g),
    ])
    assert.deepEqual([...new Set(imports.map(([, name]) => name))], ['node:crypto'])
  })

  test('declares no type of Node and none of zod', () => {
    for (const text of textsOf('.d.ts'))
      assert.doesNotMatch(text.replace(/\/\*.*?\*\/|\/\/.*$/gms, ''), /\b(?:Buffer|KeyObject|zod|node:)/)
  })

  test('explains every export in a comment', () => {
    const door = readFileSync(join(installed, 'index.d.ts'), 'utf8')
    const bare = [...door.matchAll(/export (?:type )?\{([^}]*)\} from '([^']*)'/g)].flatMap(
      ([, names = '', from = '']) => {
        const text = readFileSync(join(installed, from.replace(/js$/, 'd.ts')), 'utf8')
        const declared = (name: string) =>
          new RegExp(`\\*/\\nexport (?:declare )?(?:const|function|class|type) ${name}\\b`).test(text)
        return names
          .split(',')
          .map((name) => name.trim().replace('type ', ''))
          .filter((name) => name !== '' && !declared(name))
      },
    )
    assert.deepEqual(bare, [])
  })

  test('type-checks in a strict project without @types/node, and each step takes only the one before', () => {
    consumer.write('tsconfig.json', TSCONFIG)
    consumer.write('consumer.ts', CONSUMER)
    assert.deepEqual(consumer.check(), { code: 0, output: '' })
  })

  test('verifies, appraises and explains a minted report step by step', () => {
    const [good] = casesIn('14-rules.json').filter(({ expect }) => expect.verdict === 'accepted')
    assert.ok(good !== undefined)
    consumer.write('steps.mjs', STEPS)
    assert.deepEqual(JSON.parse(consumer.run('steps.mjs', good)), {
      accepted: 'accepted',
      explained: 'accepted',
      root: 'root.untrusted',
      tampered: 'report.signature',
      expired: 'chain.expired',
    })
  })

  for (const file of ['02-products-genoa.json', '04-report.json', '13-crl.json', '16-reference.json'])
    test(`gives the verdicts of test/vectors/snp/${file}`, () => {
      consumer.write('cases.mjs', CASES)
      const cases = casesIn(file)
      const said: unknown = JSON.parse(consumer.run('cases.mjs', cases))
      assert.deepEqual(
        said,
        cases.map(({ expect: { verdict, codes } }) => ({ verdict, codes })),
      )
    })

  test('measures launches as test/vectors/launch does', () => {
    const vectors = VECTORS.filter(({ ovmfHash }) => ovmfHash === null)
    assert.ok(vectors.length > 3)
    consumer.write('measure.mjs', MEASURE)
    const inputs = vectors.map((vector) => ({
      firmware: buildFirmware(vector.firmware).toString('base64'),
      kernel: seeded(vector.kernel),
      initrd: seeded(vector.initrd),
      append: vector.append,
      vcpus: vector.vcpus,
      vcpu: Number(vector.vcpuSig),
      features: vector.guestFeatures,
      fpu: vector.fpuState,
    }))
    assert.deepEqual(
      JSON.parse(consumer.run('measure.mjs', inputs)),
      vectors.map(({ measurement }) => measurement),
    )
  })

  const real = new URL('../../../shared/fixtures/snp/genoa-v5-siena/', import.meta.url)
  const skip = existsSync(real) ? false : 'the folder of real reports is absent'
  test('verifies the report of a real machine with the ten lines of the README', { skip }, async () => {
    for (const name of ['report.bin', 'vcek.der']) consumer.write(name, readFileSync(new URL(name, real)))
    const page = await readDocument('packages/snp-report/README.md')
    const lines = /```ts\n(.*?)```/s.exec(page)?.[1]
    assert.ok(lines !== undefined)
    assert.ok(lines.trimEnd().split('\n').length <= 10)
    consumer.write('readme.mjs', `${lines}console.log(verdict.kind, verdict.reference)\n`)
    assert.equal(consumer.run('readme.mjs'), 'accepted built-in\n')
  })
})

test('the README of the repository shows the same ten lines', async () => {
  const block = (page: string) => /```ts\n(import .*?)```/s.exec(page)?.[1]
  const own = block(await readDocument('packages/snp-report/README.md'))
  const shown = block(await readDocument('README.md'))
  assert.ok(shown === undefined || shown === own)
})

const TSCONFIG = JSON.stringify({
  compilerOptions: {
    target: 'es2022',
    lib: ['es2022'],
    module: 'nodenext',
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  },
  files: ['consumer.ts'],
})

const CONSUMER = `
import * as snp from 'snp-report'
import type { Crl, Reference, Report, ReportErrorCode, UnixSeconds, Verdict, VerifiedReport } from 'snp-report'

export function accept(bytes: Uint8Array, chain: readonly Uint8Array[], list: Uint8Array): Verdict {
  const at: UnixSeconds = snp.parseRfc3339('2026-11-21T00:00:00Z')
  const roots = new snp.TrustStore(snp.AMD_ROOTS)
  const crls: readonly Crl[] = [snp.openCrl(list, roots.roots)]
  const report: Report = snp.parseReport(bytes)
  const nonce: Uint8Array = report.reportData
  const verified: VerifiedReport = snp.verifyReport(report, chain, { roots, crls, at })
  const mine: Reference = { ...snp.STRICT, id: 'mine', hostData: ['00'.repeat(32)] }
  const verdict = snp.appraise(verified, [mine], { at })
  if (verdict.kind === 'refused') {
    const codes: readonly ReportErrorCode[] = verdict.reasons.map(({ code }) => code)
    throw new Error(codes.join() + nonce.byteLength)
  }
  const { tcb } = snp.explain(verdict)
  const level: number | undefined = tcb.rows[0]?.values.microcode
  return level === undefined ? snp.appraise(verified, [snp.readReference(level)], { at }) : verdict
}

export const table: Uint8Array | undefined = snp.parseCertificateTable(new Uint8Array(24)).vcek
export const digest: Uint8Array = snp.measure({ firmware: new Uint8Array(4096), vcpus: 1, vcpu: 'EPYC-Genoa' })
export const answer = (text: Uint8Array) => snp.judgeCase(text, new snp.TrustStore(snp.AMD_ROOTS)).result.verdict

export function mistakes(report: Report, at: UnixSeconds, roots: snp.TrustStore): void {
  // @ts-expect-error a report that is not verified
  snp.appraise(report, [snp.STRICT], { at })
  // @ts-expect-error a number that is not a time
  snp.verifyReport(report, [], { roots, crls: [], at: 1 })
  // @ts-expect-error not a code of the library
  new snp.CodedError('grant.invalid', 'x')
}
`

const READ = `
import { readFileSync } from 'node:fs'
import * as snp from 'snp-report'
const input = JSON.parse(readFileSync(0, 'utf8'))
const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64url'))
`

const STEPS = `${READ}
const at = snp.parseRfc3339(input.at)
const roots = new snp.TrustStore(
  input.roots.map(({ product, ark, ask, asvk }) => ({
    product, ark: bytes(ark), ask: ask && bytes(ask), asvk: asvk && bytes(asvk), simulated: true,
  })),
)
const crls = input.crls.map((der) => snp.openCrl(bytes(der), roots.roots))
const certs = input.certs.map(bytes)
const raw = bytes(input.report)
const verified = snp.verifyReport(snp.parseReport(raw), certs, { roots, crls, at })
const references = [input.reference === 'strict' ? snp.STRICT : snp.readReference(input.reference)]
const verdict = snp.appraise(verified, references, { at, simulation: true })
const codeOf = (work) => {
  try {
    work()
  } catch (error) {
    return error instanceof snp.CodedError ? error.code : String(error)
  }
}
const tampered = Uint8Array.from(raw)
tampered[0x90] ^= 1
console.log(JSON.stringify({
  accepted: verdict.kind,
  explained: snp.explain(verdict).verdict,
  root: snp.appraise(verified, references, { at }).reasons[0].code,
  tampered: codeOf(() => snp.verifyReport(snp.parseReport(tampered), certs, { roots, crls, at })),
  expired: codeOf(() => snp.verifyReport(snp.parseReport(raw), certs, { roots, crls, at: snp.toUnixSeconds(0) })),
}))
`

const CASES = `${READ}
const amd = new snp.TrustStore(snp.AMD_ROOTS)
const said = input.map((one) => {
  const { verdict, reasons } = snp.judgeCase(new TextEncoder().encode(JSON.stringify(one)), amd).result
  return { verdict, codes: reasons.map(({ code }) => code) }
})
console.log(JSON.stringify(said))
`

const MEASURE = `${READ}
console.log(JSON.stringify(input.map(({ firmware, kernel, initrd, append, features, ...rest }) =>
  Buffer.from(snp.measure({
    ...rest,
    firmware: bytes(firmware),
    features: BigInt(features),
    ...(kernel !== null && {
      kernel: { kernel: bytes(kernel), ...(initrd !== null && { initrd: bytes(initrd) }), append: append ?? '' },
    }),
  })).toString('hex'),
)))
`

function casesIn(file: string): readonly Case[] {
  const area = JSON.parse(readFileSync(new URL(`../vectors/snp/${file}`, import.meta.url), 'utf8')) as Area // held to its generator by test/core/snp/vectors.test.ts
  return casesOf(area) as unknown as readonly Case[]
}

function seeded(file: { readonly seed: string; readonly bytes: number } | null): string | null {
  return file && seededBytes(file.seed, file.bytes).toString('base64')
}

function textsOf(ending: string): readonly string[] {
  return readdirSync(installed, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(join(installed, name), 'utf8'))
}

function isVisible(name: string): boolean {
  return !name.startsWith('.')
}
