import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { renderReport } from '#cli/report/text.ts'
import { judgeCase, MAX_CASE_BYTES } from '#core/appraisal/conformanceCase.ts'
import { STRICT } from '#core/appraisal/strict.ts'
import { toBase64url, utf8 } from '#core/bytes.ts'
import { AMD_ROOTS } from '#core/snp/amdRoots.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { toRfc3339 } from '#core/time.ts'
import { SERIALS } from '#lab/amd/authority.ts'
import { crlOf, mint, noon, testAuthority } from '../../amd.ts'
import { readDocument } from '../../docs/document.ts'
import { temporaryFolder } from '../../lab/emulator/testEmulator.ts'

const amd = new TrustStore(AMD_ROOTS)
const genoa = await testAuthority()
const at = toRfc3339(noon(genoa))
const { bytes, certs } = mint(genoa)
const debug = mint(genoa, { guestPolicy: { debug: true } })
const vlek = mint(genoa, { signingKey: 'vlek' })
const forged = Buffer.from(bytes)
forged[0x90] = 0

const good = {
  v: 1,
  name: 'a good report',
  report: toBase64url(bytes),
  certs: certs.map(toBase64url),
  roots: [{ product: 'Genoa', ark: toBase64url(genoa.arkDer), ask: toBase64url(genoa.askDer) }],
  crls: [toBase64url(crlOf(genoa))],
  reference: 'strict',
  at,
}
const withoutRoots = { ...good, roots: undefined, crls: [] }

const judged = (value: unknown) => judgeCase(utf8(JSON.stringify(value)), amd)

const cases: readonly (readonly [
  name: string,
  value: unknown,
  exit: number,
  verdict: string,
  ...codes: string[],
])[] = [
  ['a good report', good, 0, 'accepted'],
  ['a case without a name', { ...good, name: '' }, 0, 'accepted'],
  ['authenticity only', { ...good, reference: 'none' }, 0, 'authentic'],
  ['reference values of its own', { ...good, reference: { ...STRICT, id: 'mine' } }, 0, 'accepted'],
  [
    'reference values with another measurement and a required list',
    {
      ...good,
      crls: [],
      reference: { ...STRICT, measurements: ['00'.repeat(48)], crl: { graceSeconds: 0 } },
    },
    1,
    'refused',
    'measurement.unknown',
    'crl.missing',
  ],
  [
    'reference values that list worker configurations',
    { ...good, reference: { ...STRICT, trust: [toBase64url(Buffer.alloc(32))] } },
    1,
    'refused',
    'trust.unknown',
  ],
  [
    'the ASK beside the leaf',
    {
      ...good,
      certs: [...good.certs, toBase64url(genoa.askDer)],
      roots: [{ ...good.roots[0], ask: undefined }],
    },
    0,
    'accepted',
  ],
  [
    'a VLEK under the ASVK of the roots',
    {
      ...good,
      report: toBase64url(vlek.bytes),
      certs: vlek.certs.map(toBase64url),
      roots: [{ product: 'Genoa', ark: toBase64url(genoa.arkDer), asvk: toBase64url(genoa.asvkDer) }],
      reference: 'none',
    },
    0,
    'authentic',
  ],
  ['the expectation of a suite', { ...good, expect: { verdict: 'refused', codes: [] } }, 0, 'accepted'],
  ["AMD's roots, which did not sign the chain", withoutRoots, 1, 'refused', 'chain.untrusted'],
  ['no root at all', { ...good, crls: [], roots: [] }, 1, 'refused', 'chain.untrusted'],
  ['a debugged guest', { ...good, report: toBase64url(debug.bytes) }, 1, 'refused', 'guest-policy.debug'],
  ['a forged report', { ...good, report: toBase64url(forged) }, 1, 'refused', 'report.signature'],
  ['an empty report', { ...good, report: '' }, 2, 'refused', 'report.malformed'],
  ['no certificate', { ...good, certs: [] }, 1, 'refused', 'chain.missing'],
  [
    'more certificates than a chain has',
    { ...good, certs: Array(4).fill(good.certs[0]) },
    2,
    'refused',
    'chain.malformed',
  ],
  ['an invalid root', { ...good, roots: [{ product: 'Genoa', ark: '' }] }, 2, 'refused', 'chain.malformed'],
  [
    'a revoked ASK',
    { ...good, crls: [toBase64url(crlOf(genoa, { revoked: [SERIALS.ask] }))] },
    1,
    'refused',
    'chain.revoked',
  ],
  ['an invalid list', { ...good, crls: [''] }, 2, 'refused', 'crl.malformed'],
  ['a list of an absent root', { ...withoutRoots, crls: good.crls }, 1, 'refused', 'crl.untrusted'],
]
for (const [name, value, exit, verdict, ...codes] of cases)
  test(`${name}: ${verdict}, exit ${exit}`, () => {
    const given = judged(value)
    assert.deepEqual([given.exit, given.result.verdict], [exit, verdict])
    assert.deepEqual(
      given.result.reasons.map(({ code }) => code),
      codes,
    )
  })

const filled = (bytes: number) => {
  const text = Buffer.alloc(bytes, ' ')
  text.write(JSON.stringify(good))
  return text
}
const some = <T>(count: number, value: T): readonly T[] => Array.from({ length: count }, () => value)
const expecting = (count: number) => ({ verdict: 'accepted', codes: some(count, 'chain.missing') })
const limits: readonly (readonly [name: string, most: unknown, beyond: unknown])[] = [
  ['a case', filled(4_194_304), filled(4_194_305)],
  ['a name', { ...good, name: 'é'.repeat(200) }, { ...good, name: 'é'.repeat(201) }],
  [
    'a report',
    { ...good, report: toBase64url(Buffer.alloc(2_097_152)) },
    { ...good, report: toBase64url(Buffer.alloc(2_097_153)) },
  ],
  ['certificates', { ...good, certs: some(16, 'AA') }, { ...good, certs: some(17, 'AA') }],
  ['lists', { ...good, crls: some(16, 'AA') }, { ...good, crls: some(17, 'AA') }],
  ['roots', { ...good, roots: some(16, good.roots[0]) }, { ...good, roots: some(17, good.roots[0]) }],
  ['expected codes', { ...good, expect: expecting(64) }, { ...good, expect: expecting(65) }],
]
test('a case that is not JSON is told so', () => {
  const [reason] = judgeCase(utf8('{'), amd).result.reasons
  assert.equal(reason?.actual, 'the case is not JSON in UTF-8')
})

for (const [name, most, beyond] of limits)
  test(`${name} at the limit is read, beyond it is not`, () => {
    const isRead = (value: unknown) => {
      const { result } = value instanceof Uint8Array ? judgeCase(value, amd) : judged(value)
      return !result.reasons.some(({ code }) => code === 'case.malformed')
    }
    assert.deepEqual([isRead(most), isRead(beyond)], [true, false])
  })

test('the result names the reference values, the policy and the roots that were used', () => {
  const { result } = judged({ ...good, reference: { ...STRICT, id: 'mine', hostData: ['00'.repeat(32)] } })
  assert.deepEqual(
    [result.policy, result.reference, result.roots, result.at],
    ['given', 'mine', 'replaced', at],
  )
  assert.ok(!result.unconstrained.includes('hostData'))
  assert.ok(!result.unconstrained.includes('trust'))
  assert.ok(typeof result.revocation === 'object' && result.revocation.current)
  assert.equal(judged({ ...good, reference: 'none' }).result.policy, 'none')
  assert.equal(judged(withoutRoots).result.roots, 'amd')
  const revoked = judged({ ...good, crls: [toBase64url(crlOf(genoa, { revoked: [SERIALS.ask] }))] })
  assert.equal(revoked.result.revocation, 'revoked')
})

const { crls: _, ...incomplete } = good
const malformed: readonly (readonly [string, Uint8Array | unknown])[] = [
  ['an empty file', Buffer.alloc(0)],
  ['text that is not JSON', utf8('{')],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['two cases', utf8(`${JSON.stringify(good)} ${JSON.stringify(good)}`)],
  ['a list of cases', [good]],
  ['an unknown field', { ...good, more: 1 }],
  ['a missing field', incomplete],
  ['another version', { ...good, v: 2 }],
  ['bytes with padding', { ...good, report: 'AA==' }],
  ['bytes in base64', { ...good, report: '+/+/' }],
  ['bytes with stray bits', { ...good, report: 'AB' }],
  ['a time with an offset', { ...good, at: '2026-01-01T00:00:00+01:00' }],
  ['an invalid day', { ...good, at: '2026-02-30T00:00:00Z' }],
  ['an unknown name of reference values', { ...good, reference: 'lax' }],
  ['a reference with an unknown field', { ...good, reference: { ...STRICT, more: 1 } }],
  ['a reference without a field', { ...good, reference: { ...STRICT, vmpl: undefined } }],
  ['an unknown product', { ...good, roots: [{ ...good.roots[0], product: 'Venice' }] }],
  ['a root without an ARK', { ...good, roots: [{ product: 'Genoa' }] }],
  ['more than 4 MiB', Buffer.alloc(4 * 1024 * 1024 + 1, ' ')],
]
for (const [name, value] of malformed)
  test(`refuses ${name} as a case`, () => {
    const { exit, result } = value instanceof Uint8Array ? judgeCase(value, amd) : judged(value)
    assert.equal(exit, 2)
    const { reasons, ...rest } = result
    assert.deepEqual(
      reasons.map(({ code, field }) => [code, field]),
      [['case.malformed', 'case']],
    )
    assert.deepEqual(rest, {
      verdict: 'refused',
      assurance: null,
      report: null,
      reference: null,
      policy: 'none',
      tcb: null,
      unconstrained: [],
      roots: 'amd',
      root: null,
      revocation: 'not-checked',
      at: null,
    })
  })

test('every case gets a verdict, and no changed report is accepted', () => {
  const any = fc.uint8Array({ maxLength: 1300 }).map(toBase64url)
  const nearly = (from: Buffer) =>
    fc.tuple(fc.nat(from.byteLength - 1), fc.integer({ min: 1, max: 255 })).map(([index, mask]) => {
      const changed = Buffer.from(from)
      changed.writeUInt8(changed.readUInt8(index) ^ mask, index)
      return toBase64url(changed)
    })
  const [leaf = Buffer.alloc(0)] = certs
  const report = fc.oneof(any, nearly(bytes))
  const cert = fc.oneof(any, nearly(leaf), fc.constant(toBase64url(leaf)))
  const crl = fc.oneof(any, nearly(crlOf(genoa)))
  fc.assert(
    fc.property(
      report,
      fc.array(cert, { maxLength: 3 }),
      fc.array(crl, { maxLength: 1 }),
      (report, certs, crls) => {
        const { exit, result } = judged({ ...good, report, certs, crls })
        assert.notEqual(exit, 0)
        assert.equal(result.verdict, 'refused')
        assert.ok(result.reasons.length > 0)
        assert.ok(renderReport(result).startsWith('REFUSED'))
      },
    ),
    { numRuns: 150 },
  )
})

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))

async function conformance(input: string, ...more: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, 'report', 'conformance', ...more])
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  assert.equal(stderr, '')
  assert.ok(stdout === '' || stdout.endsWith('\n'))
  return { code, lines: stdout.split('\n').slice(0, -1) }
}

test('one case gives one line and its exit code', async () => {
  const inputs = [good, { ...good, report: toBase64url(forged) }, { ...good, report: '' }, { ...good, v: 2 }]
  const given = await Promise.all(inputs.map((value) => conformance(JSON.stringify(value, undefined, 2))))
  for (const [index, value] of inputs.entries()) {
    const { exit, result } = judged(value)
    assert.deepEqual(given[index], { code: exit, lines: [JSON.stringify(result)] })
  }
})

test('with --lines, each line gets its verdict, whatever comes before it', async () => {
  const lines = [good, { ...good, report: toBase64url(forged) }].map((value) => JSON.stringify(value))
  const given = await conformance(lines.join('\n'), '--lines')
  assert.deepEqual(given, {
    code: 0,
    lines: [good, { ...good, report: toBase64url(forged) }].map((value) =>
      JSON.stringify(judged(value).result),
    ),
  })
  const tooLong = ' '.repeat(MAX_CASE_BYTES + 100_000)
  const mixed = await conformance(`{\n\n${tooLong}\n${lines[0]}\n`, '--lines')
  assert.equal(mixed.code, 2)
  assert.deepEqual(
    mixed.lines.map((line) => JSON.parse(line).reasons[0]?.code),
    ['case.malformed', 'case.malformed', 'case.malformed', undefined],
  )
  assert.deepEqual(await conformance('', '--lines'), { code: 0, lines: [] })
})

test('a case that does not end is cut off at the limit', { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, [MAIN, 'report', 'conformance'])
  child.stdin.on('error', () => undefined)
  child.stdin.write(' '.repeat(MAX_CASE_BYTES + 1))
  const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  assert.equal(code, 2)
  assert.match(JSON.parse(stdout).reasons[0].actual, /more than 4194304 bytes/)
})

test('the example of docs/conformance.md prints what the page says', async () => {
  const page = await readDocument('docs/conformance.md')
  const input = /<<'EOF'\n(.*?)\nEOF\n/s.exec(page)?.[1]
  const printed = /```json\n(.*)\n```/.exec(page)?.[1]
  assert.ok(input !== undefined && printed !== undefined)
  assert.deepEqual(await conformance(input), { code: 2, lines: [printed] })
})

const python = spawnSync('python3', ['--version']).status === 0 ? false : 'there is no python3 here'
test('the suite of docs/conformance.md runs the cases and finds a wrong one', {
  skip: python,
}, async (t) => {
  const folder = await temporaryFolder(t)
  const suite = /```python\n(.*?)```/s.exec(await readDocument('docs/conformance.md'))?.[1]
  assert.ok(suite !== undefined)
  await writeFile(join(folder, 'suite.py'), suite)
  const shim = `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`
  await writeFile(join(folder, 'confidential-worker'), shim, { mode: 0o755 })
  const run = async (area: string) => {
    await mkdir(join(folder, 'cases'), { recursive: true })
    await writeFile(join(folder, 'cases/area.json'), area)
    const child = spawn('python3', [join(folder, 'suite.py'), join(folder, 'cases')], {
      env: { ...process.env, PATH: `${folder}:${process.env['PATH']}` },
    })
    const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
    return { code, last: stdout.trimEnd().split('\n').at(-1) }
  }
  const area = await readDocument('test/vectors/snp/02-products-genoa.json')
  const { cases } = JSON.parse(area)
  assert.deepEqual(await run(area), { code: 0, last: `${cases.length} cases, 0 wrong` })
  const changed = area.replace('"codes": []', '"codes": ["report.signature"]')
  assert.notEqual(changed, area)
  assert.deepEqual(await run(changed), { code: 1, last: `${cases.length} cases, 1 wrong` })
})
