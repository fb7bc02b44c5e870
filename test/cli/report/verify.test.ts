import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { renderReport } from '#cli/report/text.ts'
import { type ReportOptions, verifyReportFile } from '#cli/report/verify.ts'
import type { ReportResult } from '#core/appraisal/reportResult.ts'
import { signGeneral } from '#core/jws.ts'
import { PolicyFormat } from '#core/policy/policy.ts'
import { addSeconds, toRfc3339 } from '#core/time.ts'
import { SERIALS } from '#lab/amd/authority.ts'
import { crlOf, MEASUREMENT, mint, noon, storeOf, testAuthority } from '../../amd.ts'
import { policyOf, signers } from '../../core/release/releaseWorld.ts'

const amd = await testAuthority()
const folder = await mkdtemp(join(tmpdir(), 'cw-report-'))
after(() => rm(folder, { recursive: true }))
const at = noon(amd)

const { bytes, certs } = mint(amd)
const [vcek = Buffer.alloc(0)] = certs
const debug = mint(amd, { guestPolicy: { debug: true } })
const forged = Buffer.from(bytes)
forged[0x90] = 0
const reserved = Buffer.from(bytes)
reserved[0x4c] = 1

const [root] = storeOf(amd).roots
const [reference] = policyOf().referenceValues
assert.ok(root && reference)
const policy = policyOf({
  roots: [{ product: 'Genoa', ark: root.fingerprint, simulated: true }],
  referenceValues: [
    {
      ...reference,
      notBefore: 0,
      notAfter: at,
      measurements: [MEASUREMENT],
      guestPolicy: { ...reference.guestPolicy, debug: 'forbidden', abi: { major: 0, minor: 0 } },
    },
  ],
})

const pem = (der: Buffer, label = 'CERTIFICATE') =>
  `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`
const milan = await testAuthority('Milan')
const files = {
  'good.bin': bytes,
  'debug.bin': debug.bytes,
  'forged.bin': forged,
  'reserved.bin': reserved,
  'short.bin': bytes.subarray(1),
  'vcek.der': vcek,
  'vcek.pem': pem(vcek),
  'text.der': 'not a certificate',
  'roots/Genoa/ark.der': amd.arkDer,
  'roots/Genoa/ask.der': amd.askDer,
  'bare/Genoa/ark.der': amd.arkDer,
  'chain/vcek.crt': pem(vcek),
  'chain/cert_chain.pem': pem(amd.askDer) + pem(amd.arkDer),
  'chain/other.der': mint(amd, { hardwareId: '11'.repeat(64) }).certs[0] ?? '',
  'chips/a.der': vcek,
  'chips/b.der': mint(amd, { hardwareId: '11'.repeat(64) }).certs[0] ?? '',
  'chips/c.der': 'not a certificate',
  'chain/readme.txt': 'not a certificate',
  'empty/readme.txt': '',
  'large.bin': Buffer.alloc(4 * 1024 * 1024 + 1),
  'ark.pem': pem(amd.arkDer),
  'genoa.crl': crlOf(amd),
  'genoa-crl.pem': pem(crlOf(amd), 'X509 CRL'),
  'milan.crl': crlOf(milan),
  'old.crl': crlOf(amd, { thisUpdate: at - 200, nextUpdate: at - 100 }),
  'future.crl': crlOf(amd, { thisUpdate: at + 100 }),
  'revoking.crl': crlOf(amd, { revoked: [SERIALS.ask] }),
  'chain-roots/Genoa/ark.der': amd.arkDer,
  'chain-roots/Genoa/ask.der': amd.askDer,
  'roots/Milan/ark.der': milan.arkDer,
  'crossed/Genoa/ark.der': amd.arkDer,
  'crossed/Genoa/ask.der': milan.askDer,
  'broken/Genoa/ark.der': amd.arkDer.subarray(1),
  'header.bin': Buffer.concat([Buffer.alloc(32), bytes, Buffer.alloc(2784)]),
  'policy.json': JSON.stringify(policy, undefined, 2),
  'signed.json': JSON.stringify(await signGeneral(PolicyFormat, policy, signers)),
  'foreign.json': JSON.stringify({ ...policy, roots: policyOf().roots }),
  'empty.json': '{"v": 1}',
  'unknown.json': JSON.stringify({ ...policy, extra: true }),
}
for (const [name, content] of Object.entries(files)) {
  await mkdir(join(folder, name, '..'), { recursive: true })
  await writeFile(join(folder, name), content)
}
const path = (name: string) => join(folder, name)

function run(options: Partial<ReportOptions>) {
  const given = { report: path('good.bin'), roots: path('roots'), crl: [], authenticOnly: false, ...options }
  return verifyReportFile(given, at)
}

const cases: readonly {
  readonly name: string
  readonly options: Partial<ReportOptions>
  readonly exit: number
  readonly verdict: string
  readonly codes?: readonly string[]
}[] = [
  { name: 'a certificate in DER', options: { cert: path('vcek.der') }, exit: 0, verdict: 'accepted' },
  { name: 'a certificate in PEM', options: { cert: path('vcek.pem') }, exit: 0, verdict: 'accepted' },
  {
    name: 'a folder with more files than needed',
    options: { certs: path('chain'), roots: path('bare') },
    exit: 0,
    verdict: 'accepted',
  },
  {
    name: 'a debugged guest',
    options: { report: path('debug.bin'), cert: path('vcek.der') },
    exit: 1,
    verdict: 'refused',
    codes: ['guest-policy.debug'],
  },
  {
    name: 'a debugged guest, only its authenticity',
    options: { report: path('debug.bin'), cert: path('vcek.der'), authenticOnly: true },
    exit: 0,
    verdict: 'authentic',
  },
  {
    name: 'a forged report',
    options: { report: path('forged.bin'), cert: path('vcek.der') },
    exit: 1,
    verdict: 'refused',
    codes: ['report.signature'],
  },
  {
    name: 'a forged report, only its authenticity',
    options: { report: path('forged.bin'), cert: path('vcek.der'), authenticOnly: true },
    exit: 1,
    verdict: 'refused',
    codes: ['report.signature'],
  },
  {
    name: 'a reserved byte',
    options: { report: path('reserved.bin'), cert: path('vcek.der') },
    exit: 1,
    verdict: 'refused',
    codes: ['report.invalid'],
  },
  {
    name: 'a short report',
    options: { report: path('short.bin'), cert: path('vcek.der') },
    exit: 2,
    verdict: 'refused',
    codes: ['report.malformed'],
  },
  {
    name: 'an ARK in place of a leaf',
    options: { cert: path('ark.pem') },
    exit: 1,
    verdict: 'refused',
    codes: ['chain.missing'],
  },
  { name: 'no certificate', options: {}, exit: 1, verdict: 'refused', codes: ['chain.missing'] },
  {
    name: 'a folder without certificates',
    options: { certs: path('empty') },
    exit: 1,
    verdict: 'refused',
    codes: ['chain.missing'],
  },
  {
    name: 'a file that is not a certificate',
    options: { cert: path('text.der') },
    exit: 2,
    verdict: 'refused',
    codes: ['chain.malformed'],
  },
  {
    name: 'no ASK',
    options: { cert: path('vcek.der'), roots: path('bare') },
    exit: 1,
    verdict: 'refused',
    codes: ['chain.untrusted'],
  },
  {
    name: "a chain that is not AMD's, without --roots",
    options: { certs: path('chain'), roots: undefined },
    exit: 1,
    verdict: 'refused',
    codes: ['chain.untrusted'],
  },
  {
    name: 'an ASK of another root beside the ARK',
    options: { cert: path('vcek.der'), roots: path('crossed') },
    exit: 1,
    verdict: 'refused',
    codes: ['chain.untrusted'],
  },
  {
    name: 'a malformed ARK',
    options: { cert: path('vcek.der'), roots: path('broken') },
    exit: 2,
    verdict: 'refused',
    codes: ['chain.malformed'],
  },
  {
    name: 'a revoked ASK',
    options: { cert: path('vcek.der'), crl: [path('milan.crl'), path('revoking.crl')] },
    exit: 1,
    verdict: 'refused',
    codes: ['chain.revoked'],
  },
  {
    name: 'a file that is not a revocation list',
    options: { cert: path('vcek.der'), crl: [path('vcek.der')] },
    exit: 2,
    verdict: 'refused',
    codes: ['crl.malformed'],
  },
  {
    name: 'a revocation list of a root that is not trusted',
    options: { cert: path('vcek.der'), roots: path('chain-roots'), crl: [path('milan.crl')] },
    exit: 1,
    verdict: 'refused',
    codes: ['crl.untrusted'],
  },
  {
    name: "a report behind the kernel's header",
    options: { report: path('header.bin'), cert: path('vcek.der') },
    exit: 2,
    verdict: 'refused',
    codes: ['report.malformed'],
  },
  {
    name: 'a time before the certificates',
    options: { cert: path('vcek.der'), at: '2020-01-01T00:00:00Z' },
    exit: 1,
    verdict: 'refused',
    codes: ['chain.expired'],
  },
]
for (const { name, options, exit, verdict, codes = [] } of cases)
  test(`${name}: ${verdict}, exit ${exit}`, async () => {
    const given = await run(options)
    assert.equal(given.exit, exit)
    assert.equal(given.result.verdict, verdict)
    assert.deepEqual(
      given.result.reasons.map(({ code }) => code),
      codes,
    )
    // The result survives JSON, and the text names every reason.
    assert.deepEqual(JSON.parse(JSON.stringify(given.result)), given.result)
    const text = renderReport(given.result)
    for (const code of codes) assert.ok(text.includes(code))
  })

test('the result names the reference values and every unchecked field', async () => {
  const { result } = await run({ cert: path('vcek.der') })
  const { report, root, tcb, ...rest } = result
  assert.deepEqual(rest, {
    verdict: 'accepted',
    assurance: 'platform',
    reasons: [],
    reference: 'built-in',
    policy: 'built-in',
    unconstrained: [
      'measurement',
      'familyId',
      'imageId',
      'idKeyDigest',
      'authorKeyDigest',
      'hostData',
      'chipId',
      'reportData',
    ],
    roots: 'replaced',
    revocation: 'not-checked',
    at: toRfc3339(at),
  })
  assert.equal(root?.simulated, true)
  assert.equal(report?.measurement, MEASUREMENT)
  assert.equal(report?.product, 'Genoa')
  assert.deepEqual(report?.tcb?.reported, { fmc: 0, bootloader: 10, tee: 0, snp: 27, microcode: 86 })
  assert.deepEqual(tcb?.rows[0], {
    name: 'reported',
    values: { bootloader: 10, tee: 0, snp: 27, microcode: 86 },
    belowFloor: [],
    inconsistent: [],
    provisional: [],
  })
})

test('the members of the result have the documented order', async () => {
  const { result } = await run({ cert: path('vcek.der') })
  assert.deepEqual(Object.keys(result), [
    ...['verdict', 'assurance', 'reasons', 'report', 'reference', 'policy', 'tcb', 'unconstrained'],
    ...['roots', 'root', 'revocation', 'at'],
  ])
})

for (const [name, crl, since, until, current] of [
  ['that is current', 'genoa.crl', -3600, 45 * 86_400 - 3600, true],
  ['in PEM', 'genoa-crl.pem', -3600, 45 * 86_400 - 3600, true],
  ['that has ended', 'old.crl', -200, -100, false],
  ['that begins later', 'future.crl', 100, 45 * 86_400 + 100, false],
] as const)
  test(`a revocation list ${name} is described in the result`, async () => {
    const { exit, result } = await run({ cert: path('vcek.der'), crl: [path('milan.crl'), path(crl)] })
    assert.deepEqual([exit, codesOf(result)], current ? [0, []] : [1, ['crl.stale']])
    assert.ok(typeof result.revocation === 'object')
    const { digest, ...revocation } = result.revocation
    assert.match(digest, /^[0-9a-f]{64}$/)
    assert.deepEqual(revocation, {
      thisUpdate: toRfc3339(addSeconds(at, since)),
      nextUpdate: toRfc3339(addSeconds(at, until)),
      number: '01',
      current,
    })
    assert.match(renderReport(result), current ? /\nrevocation.*, current;/ : /\nrevocation.*, NOT current /)
  })

test('of several certificates the nearest one is reported', async () => {
  const accepted = await run({ certs: path('chips') })
  assert.equal(accepted.exit, 0)
  const refused = await run({ certs: path('chips'), report: path('forged.bin') })
  assert.deepEqual([refused.exit, refused.result.reasons.map(({ code }) => code)], [1, ['report.signature']])
})

test("a report behind the kernel's header is refused, with the command that cuts it out", async () => {
  const { result } = await run({ report: path('header.bin') })
  assert.match(result.reasons[0]?.actual ?? '', /"tail -c \+33 FILE \| head -c 1184 > report\.bin"$/)
})

test('the remedy names the missing certificate', async () => {
  const elsewhere = await run({})
  assert.doesNotMatch(elsewhere.result.reasons[0]?.remedy ?? '', /https:/)
  const { result } = await run({ roots: undefined })
  assert.match(
    result.reasons[0]?.remedy ?? '',
    new RegExp(
      `https://kdsintf\\.amd\\.com/vcek/v1/Genoa/${amd.hardwareId}\\?blSPL=10&teeSPL=0&snpSPL=27&ucodeSPL=86$`,
    ),
  )
})

test('a refusal names the input', async () => {
  const fields = async (options: Partial<ReportOptions>) =>
    (await run({ cert: path('vcek.der'), ...options })).result.reasons.map(({ field }) => field)
  assert.deepEqual(await fields({ roots: path('broken') }), ['roots'])
  assert.deepEqual(await fields({ cert: path('text.der') }), ['certs'])
  assert.deepEqual(await fields({ crl: [path('vcek.der')] }), ['crl'])
  assert.deepEqual(await fields({ report: path('short.bin') }), ['report'])
  assert.deepEqual(await fields({ report: path('forged.bin') }), ['signature'])
})

test('a list of another root does not count for this chain, and --crl then requires one that does', async () => {
  const options = { cert: path('vcek.der'), crl: [path('milan.crl')] }
  const { exit, result } = await run(options)
  assert.deepEqual([exit, codesOf(result), result.revocation], [1, ['crl.missing'], 'not-checked'])
  const authentic = await run({ ...options, authenticOnly: true })
  assert.deepEqual([authentic.exit, authentic.result.revocation], [0, 'not-checked'])
})

function codesOf({ reasons }: ReportResult): readonly string[] {
  return reasons.map(({ code }) => code)
}

test('the top shows in capitals what is replaced, simulated or refused', async () => {
  const accepted = renderReport((await run({ cert: path('vcek.der') })).result)
  assert.match(accepted, /^ACCEPTED .*\nSIMULATED .*\nROOTS REPLACED +by --roots: /)
  assert.match(accepted, /\nrevocation +not checked: /)
  assert.match(accepted, /\nnot checked +measurement, /)
  const refused = renderReport((await run({ report: path('forged.bin'), cert: path('vcek.der') })).result)
  assert.match(refused, /^REFUSED +not to be trusted\nROOTS REPLACED .*\nbecause of +report\.signature\n/)
  assert.match(refused, /\nreport\.signature {2}signature\n {2}expected .*\n {2}actual .*\n {2}remedy /)
  assert.match(refused, /\nThe report claims \(nothing here is verified\)\n(?:.+\n)*measurement /)
  assert.match(accepted, /\nThe report says\n/)
  for (const line of `${accepted}${refused}`.split('\n')) assert.ok(line.length <= 110, line)
})

test('components below the floor are marked under the table', async () => {
  const old = { fmc: 0, bootloader: 10, tee: 0, snp: 8, microcode: 115 }
  const minted = mint(amd, { tcb: old })
  await writeFile(path('old.bin'), minted.bytes)
  await writeFile(path('old.der'), minted.certs[0] ?? '')
  const { result } = await run({ report: path('old.bin'), cert: path('old.der') })
  assert.deepEqual(
    result.reasons.map(({ code, field }) => `${code} ${field}`),
    ['reported', 'committed', 'current', 'launch'].map((name) => `tcb.below-floor tcb.${name}.snp`),
  )
  const text = renderReport(result)
  assert.match(text, /\nbecause of +tcb\.below-floor \(4 times\)\n/)
  assert.match(text, /\nfloor +0 +0 +23 +84\nreported +10 +0 +8 +115\n {28}\^\n/)
  assert.match(text, /\n\^ {2}below the floor\n/)
})

test('a policy is compared as written or as signed; its signatures are not checked', async () => {
  for (const name of ['policy.json', 'signed.json']) {
    const { exit, result } = await run({ cert: path('vcek.der'), policy: path(name) })
    assert.deepEqual(
      [exit, result.verdict, result.assurance, result.reference],
      [0, 'accepted', 'measured', 'worker-1'],
    )
    assert.deepEqual(result.policy, { seq: 7, signatures: 'not-checked' })
    assert.deepEqual(
      result.unconstrained.filter((field) => ['measurement', 'trust', 'reportData'].includes(field)),
      ['trust', 'reportData'],
    )
    const refused = await run({ report: path('debug.bin'), cert: path('vcek.der'), policy: path(name) })
    assert.deepEqual(
      refused.result.reasons.map(({ code }) => code),
      ['guest-policy.debug'],
    )
  }
})

test('a given root must be one that the policy names', async () => {
  const { exit, result } = await run({ cert: path('vcek.der'), policy: path('foreign.json') })
  assert.equal(exit, 1)
  assert.deepEqual(
    result.reasons.map(({ code }) => code),
    ['root.untrusted'],
  )
})

test('an unauthentic report is shown with its claims', async () => {
  const { result } = await run({ report: path('forged.bin'), cert: path('vcek.der') })
  assert.equal(result.root, null)
  assert.equal(result.report?.product, 'Genoa')
})

for (const [name, options, code] of [
  ['a missing report', { report: path('none.bin') }, 'input.unreadable'],
  ['a report of more than 4 MiB', { report: path('large.bin') }, 'input.unreadable'],
  ['a missing certificate', { cert: path('none.der') }, 'input.unreadable'],
  ['a missing folder', { certs: path('none') }, 'input.unreadable'],
  ['missing roots', { roots: path('empty') }, 'input.unreadable'],
  ['a missing revocation list', { crl: [path('none.crl')] }, 'input.unreadable'],
  ['a policy with --authentic-only', { policy: path('policy.json'), authenticOnly: true }, 'usage.invalid'],
  ['--cert and --certs', { cert: path('vcek.der'), certs: path('chain') }, 'usage.invalid'],
  ['a time with an offset', { at: '2026-01-01T00:00:00+01:00' }, 'usage.invalid'],
  ['a policy without fields', { policy: path('empty.json') }, 'policy.invalid'],
  ['a policy with an unknown field', { policy: path('unknown.json') }, 'policy.invalid'],
  ['a policy that is not JSON', { policy: path('good.bin') }, 'policy.invalid'],
] as const)
  test(`no verdict: ${name}`, async () => {
    await assert.rejects(run(options), { name: 'CodedError', code })
  })
