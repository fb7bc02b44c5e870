/** `report verify --ear`: read back by jose and by a strict schema of draft-ietf-rats-ear-04. */
import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { calculateJwkThumbprint, exportJWK, jwtVerify } from 'jose'
import { z } from 'zod'
import { earOf } from '#cli/report/ear.ts'
import { verifyReportFile } from '#cli/report/verify.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'
import { mint, noon, testAuthority } from '../../amd.ts'
import { temporaryFolder } from '../../lab/emulator/testEmulator.ts'
import { cli } from '../process.ts'

/** AR4SI §2.3: int8, in the tiers none, affirming, warning and contraindicated. */
const TrustworthinessClaim = z.int().min(-128).max(127)
const CATEGORIES = [
  'instance-identity',
  'configuration',
  'executables',
  'file-system',
  'hardware',
  'runtime-opaque',
  'storage-opaque',
  'sourced-data',
] as const
const Appraisal = z.strictObject({
  ear_status: z.enum(['none', 'affirming', 'warning', 'contraindicated']),
  ear_trustworthiness_vector: z.partialRecord(z.enum(CATEGORIES), TrustworthinessClaim),
  ear_appraisal_policy_ids: z
    .array(z.string().regex(/^[a-z][a-z0-9+.-]*:/))
    .min(1)
    .optional(),
})
/** The claims that the draft requires, and no other at the top. */
const EarClaims = z.strictObject({
  eat_profile: z.literal('tag:ietf.org,2026:rats/ear#04'),
  iat: z.int(),
  ear_verifier_id: z.strictObject({ developer: z.string().min(1), build: z.string().min(1) }),
  submods: z.record(z.string(), Appraisal),
})
type Appraised = z.output<typeof Appraisal>

/** The status is not better than the worst tier of the vector. */
function assertConsistent({ ear_status, ear_trustworthiness_vector }: Appraised): void {
  const tiers = ['none', 'affirming', 'warning', 'contraindicated']
  const tierOf = (value: number) => (value < 2 ? 0 : value < 32 ? 1 : value < 96 ? 2 : 3)
  const worst = Math.max(...Object.values(ear_trustworthiness_vector).map(tierOf))
  assert.ok(
    tiers.indexOf(ear_status) >= worst,
    `${ear_status} with ${JSON.stringify(ear_trustworthiness_vector)}`,
  )
}

const amd = await testAuthority()
const at = toRfc3339(noon(amd))
async function files(t: import('node:test').TestContext) {
  const folder = await temporaryFolder(t)
  const at = (name: string) => join(folder, name)
  const good = mint(amd)
  const forged = Buffer.from(good.bytes)
  forged[0x90] = 0
  await mkdir(at('roots/Genoa'), { recursive: true })
  const contents = {
    'good.bin': good.bytes,
    'forged.bin': forged,
    'debug.bin': mint(amd, { guestPolicy: { debug: true } }).bytes,
    'short.bin': good.bytes.subarray(1),
    'vcek.der': good.certs[0] ?? Buffer.alloc(0),
    'roots/Genoa/ark.der': amd.arkDer,
    'roots/Genoa/ask.der': amd.askDer,
  }
  for (const [name, content] of Object.entries(contents)) await writeFile(at(name), content)
  return at
}

test('a verdict becomes a status and a vector, in which a simulated root is never affirmed', async (t) => {
  const file = await files(t)
  const judged = async (report: string, authenticOnly = false) => {
    const { result } = await verifyReportFile(
      { report: file(report), cert: file('vcek.der'), roots: file('roots'), crl: [], at, authenticOnly },
      toUnixSeconds(0),
    )
    return result
  }
  const appraisalOf = (result: Awaited<ReturnType<typeof judged>>): Appraised => {
    const claims = EarClaims.parse(earOf(result, toUnixSeconds(1_800_000_000), 'test 1'))
    const [appraisal] = Object.values(claims.submods)
    assert.ok(appraisal)
    assertConsistent(appraisal)
    return appraisal
  }
  const authentic = await judged('good.bin', true)
  const real = { ...authentic, root: { fingerprint: '00', simulated: false } }
  const accepted = {
    ...real,
    verdict: 'accepted',
    assurance: 'measured',
    policy: { seq: 7, signatures: 'not-checked' },
  } as const
  for (const [name, result, status, vector] of [
    ['accepted', accepted, 'affirming', [2, 2, 2, 0, 2]],
    ['accepted, disk not measured', { ...accepted, assurance: 'platform' }, 'warning', [2, 0, 2, 0, 2]],
    [
      'accepted under a simulated root',
      { ...accepted, root: authentic.root },
      'contraindicated',
      [97, 2, 2, 0, 2],
    ],
    ['genuine, nothing compared', real, 'warning', [2, 0, 0, 0, 2]],
    ['genuine under a simulated root', authentic, 'contraindicated', [97, 0, 0, 0, 2]],
    ['forged', await judged('forged.bin'), 'contraindicated', [99, 99, 99, 99, 99]],
    ['no report', await judged('short.bin'), 'none', [1, 1, 1, 1, 1]],
  ] as const) {
    const appraisal = appraisalOf(result)
    const values = [
      'hardware',
      'executables',
      'configuration',
      'instance-identity',
      'runtime-opaque',
    ] as const
    assert.deepEqual(
      [appraisal.ear_status, values.map((category) => appraisal.ear_trustworthiness_vector[category])],
      [status, vector],
      name,
    )
  }
  const debug = await judged('debug.bin')
  assert.ok(debug.reasons.some(({ code }) => code === 'guest-policy.debug'))
  assert.equal(appraisalOf(debug).ear_trustworthiness_vector.configuration, 96)
  assert.deepEqual(appraisalOf(accepted).ear_appraisal_policy_ids, ['urn:confidential-worker:policy:7'])
  assert.equal(appraisalOf(real).ear_appraisal_policy_ids, undefined)
})

for (const [type, alg] of [
  ['ed25519', 'EdDSA'],
  ['ec', 'ES384'],
] as const)
  test(`jose verifies the JWT by ${alg}, and reads the claims that --ear prints`, async (t) => {
    const file = await files(t)
    const { privateKey } = generateKeyPairSync(type as 'ec', { namedCurve: 'P-384' })
    await writeFile(file('key.pem'), privateKey.export({ format: 'pem', type: 'pkcs8' }))
    const verify = ['report', 'verify', '--report', file('good.bin'), '--cert', file('vcek.der')]
    const options = ['--roots', file('roots'), '--at', at, '--authentic-only']
    const { code, stdout, stderr } = await cli(...verify, ...options, '--ear-key', file('key.pem'))
    assert.equal(code, 0, stderr)
    const key = createPublicKey(privateKey)
    const { payload, protectedHeader } = await jwtVerify(stdout.trim(), key, {
      typ: 'eat+jwt',
      algorithms: [alg],
    })
    assert.equal(protectedHeader.kid, await calculateJwkThumbprint(await exportJWK(key)))
    const claims = EarClaims.parse(payload)
    const plain = await cli(...verify, ...options, '--ear')
    const printed = EarClaims.parse(JSON.parse(plain.stdout))
    assert.deepEqual({ ...printed, iat: 0 }, { ...claims, iat: 0 })
    if (type === 'ec') return
    await writeFile(file('key.pem'), 'no key')
    const failed = await cli(...verify, ...options, '--ear-key', file('key.pem'))
    assert.deepEqual([failed.code, failed.stdout], [78, ''])
    assert.match(failed.stderr, /^error: --ear-key\.path is not a private key .* \(config\.invalid\)$/m)
  })
