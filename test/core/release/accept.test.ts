import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { bootOf } from '#core/boot/boot.ts'
import { fromBase64url, toBase64url } from '#core/bytes.ts'
import { Ed25519Jwk, P384Jwk, thumbprint } from '#core/jwk.ts'
import { keySigner, type Signer, signCompact, signGeneral } from '#core/jws.ts'
import { Floor } from '#core/policy/floor.ts'
import type { Freshness } from '#core/policy/freshness.ts'
import { type VerifierKeys, VerifierKeysFormat } from '#core/policy/verifierKeys.ts'
import { acceptAnswer, acceptRefused, type Expectation, keysOf } from '#core/release/accept.ts'
import { decideJobs } from '#core/release/decide.ts'
import { type Grant, GrantFormat, type GrantKey, GrantKeyFormat } from '#core/release/grant.ts'
import { grantExpiry, grantOf, keyDigest } from '#core/release/issue.ts'
import { mintNonce } from '#core/release/nonce.ts'
import { type Denial, RefusalFormat, signRefusal } from '#core/release/refusal.ts'
import type { ReleaseResponse } from '#core/release/request.ts'
import { wrapKeys } from '#core/release/wrap.ts'
import { headerDigest } from '#core/sealed/header.ts'
import { plainMemory } from '#core/secretMemory.ts'
import { addSeconds } from '#core/time.ts'
import {
  AUDIENCE,
  acceptedAt,
  DAY,
  DEPLOYMENT,
  ed25519,
  freshnessKey,
  freshnessOf,
  jobOf,
  NOW,
  p384,
  policyOf,
  root,
  SET,
  setJobOf,
  signers,
  workerKeys,
} from './releaseWorld.ts'

const worker = workerKeys()
const nonce = mintNonce({ epoch: 1, key: randomBytes(32) }, AUDIENCE, NOW, randomBytes(16))
const asker = { client: 'acme', purpose: 'HRESCH', scopesDigest: null }
const keys = { dek: randomBytes(32), idKey: randomBytes(32) }
const job = await jobOf()
const grantCa = keySigner(p384())
const grantKey = keySigner(ed25519())
const boot = bootOf(worker.evidenceKey)

const expected: Expectation = {
  providerRoot: root,
  audience: AUDIENCE,
  asker,
  boot,
  nonce,
  wrapKey: worker.wrapKey,
  jobs: [job],
  simulation: true,
  now: NOW,
  floor: new Floor(),
}

const policy = policyOf()
const digest = headerDigest(job.objects[0]?.header ?? '')
const jwe = wrapKeys(keys, worker.wrapKey, { nonce, headerDigest: digest })

function grant(changes: Partial<Grant> = {}): Grant {
  const [decision] = decideJobs(
    [job],
    { kind: 'accepted', asker, verdict: acceptedAt('measured') },
    { policy, revocation: { objects: [], permissions: [] }, consent: new Map(), now: NOW },
  )
  assert.equal(decision?.kind, 'granted')
  const granted = grantOf(decision, {
    asker,
    policy,
    now: NOW,
    releaseId: 'cd'.repeat(16),
    nonce: toBase64url(nonce),
    boot,
    wrapKey: thumbprint(worker.wrapKey),
    expiry: grantExpiry(NOW),
    revocationSeq: 0,
    keys: [jwe],
    consent: null,
    log: { boot, checkpoint: 'a note', index: 3 },
  })
  return { ...granted, ...changes }
}

/** A response, each layer of which a case can change. */
async function answer(
  change: {
    readonly grant?: Partial<Grant>
    readonly keys?: readonly string[]
    readonly signers?: readonly Signer[]
    readonly keysExpiry?: number
    readonly verifierKeys?: Partial<VerifierKeys>
    readonly freshness?: Partial<Freshness>
    readonly freshnessSigner?: Signer
    readonly earlierKeys?: ReleaseResponse['earlierKeys']
    readonly grantCa?: Signer
    readonly grantKeyWindow?: { readonly nbf: number; readonly exp: number }
    readonly grantSigner?: Signer
  } = {},
): Promise<ReleaseResponse> {
  const verifierKeys: VerifierKeys = {
    v: 1,
    seq: 1,
    ...DEPLOYMENT,
    issuedAt: NOW - DAY,
    exp: change.keysExpiry ?? NOW + 86_400,
    grantCa: { jwk: P384Jwk.parse(grantCa.jwk), keyId: 'ocid1.key.oc1..ca' },
    freshnessKey: freshnessKey.jwk,
    ...change.verifierKeys,
  }
  const certified: GrantKey = {
    v: 1,
    jwk: Ed25519Jwk.parse(grantKey.jwk),
    ...(change.grantKeyWindow ?? { nbf: NOW - 60, exp: NOW + 86_400 }),
  }
  return {
    verifierKeys: await signGeneral(
      VerifierKeysFormat,
      verifierKeys,
      change.signers ?? [signers[0], signers[2]],
    ),
    grantKey: await signCompact(GrantKeyFormat, certified, change.grantCa ?? grantCa),
    freshness: await freshnessOf(verifierKeys, change.freshness, change.freshnessSigner),
    earlierKeys: change.earlierKeys ?? [],
    answers: [
      {
        grant: await signCompact(GrantFormat, grant(change.grant), change.grantSigner ?? grantKey),
        keys: [...(change.keys ?? [jwe])],
        consentKeys: null,
      },
    ],
  }
}

test('a response that verifies up to the provider root, about this request, gives the keys', async () => {
  const [accepted] = acceptAnswer(await answer(), expected)
  assert.equal(accepted?.kind, 'granted')
  assert.deepEqual(accepted.grant, grant())
  assert.deepEqual(keysOf(accepted, 0, worker.wrap, plainMemory), keys)
})

const denial: Denial = { code: 'object.withdrawn', denialId: 'ef'.repeat(16) }

test('a refusal that the grant key signed is an answer', async () => {
  const refusal = await signRefusal(denial, { nonce, job: 0 }, grantKey)
  const [refused] = acceptAnswer({ ...(await answer()), answers: [{ refusal }] }, expected)
  assert.deepEqual(refused, {
    kind: 'refused',
    denial,
    message: `the Verifier refuses the job with object.withdrawn, about object, denial ${denial.denialId}`,
  })
  const { answers: _answers, earlierKeys: _keys, ...envelope } = await answer()
  const whole = await signRefusal(denial, { nonce, job: null }, grantKey)
  const { name, code, denialId, message } = acceptRefused({ ...envelope, refusal: whole }, expected)
  assert.deepEqual({ name, code, denialId }, { name: 'RequestRefused', ...denial })
  assert.match(message, /^the Verifier refuses the request with object.withdrawn/)
})

test('a code that this version does not know, or does not expect of a Verifier, is known as that', async () => {
  for (const code of ['object.of-tomorrow', 'config.invalid', 'evidence.conflict']) {
    const payload = { v: 1, nonce: toBase64url(nonce), job: 1, code, about: 'object' } as const
    const refusal = await signCompact(RefusalFormat, { ...payload, denialId: denial.denialId }, grantKey)
    const response = await answer()
    // One such answer does not spoil the others.
    const [granted, refused] = acceptAnswer(
      { ...response, answers: [...response.answers, { refusal }] },
      { ...expected, jobs: [job, job] },
    )
    assert.ok(granted?.kind === 'granted' && refused?.kind === 'refused')
    assert.equal(refused.denial.code, 'refusal.unknown')
    assert.match(refused.message, new RegExp(`with ${code}, about object`))
  }
})

for (const { name, by = grantKey, of = {}, envelope = {}, at = NOW } of [
  { name: 'by another key', by: keySigner(ed25519()) },
  { name: 'by the key of a worker', by: worker.evidenceSigner },
  { name: 'of another request', of: { nonce: Buffer.alloc(61, 7) } },
  { name: 'of another job', of: { job: 1 } },
  { name: 'under a grant key of another CA', envelope: { grantCa: keySigner(p384()) } },
  { name: 'under verifier keys of one person', envelope: { signers: [signers[0]] } },
  { name: 'under an expired grant key', envelope: { grantKeyWindow: { nbf: NOW - 100, exp: NOW } } },
  { name: 'under expired verifier keys', envelope: { keysExpiry: NOW } },
  { name: 'of a time that has passed', envelope: { keysExpiry: NOW + 500 }, at: addSeconds(NOW, 500) },
  { name: 'under a grant key to come', envelope: { grantKeyWindow: { nbf: NOW + 300, exp: NOW + 900 } } },
])
  test(`no refusal: one ${name}`, async () => {
    const untrusted = { code: 'verifier.untrusted' }
    const signed = async (job: number | null) => signRefusal(denial, { nonce, job, ...of }, by)
    const response = await answer(envelope)
    const expects = { ...expected, floor: new Floor(), now: at }
    const one = { ...response, answers: [{ refusal: await signed(0) }] }
    assert.throws(() => acceptAnswer(one, expects), untrusted)
    const { answers: _answers, earlierKeys: _keys, ...keys } = response
    const whole = { ...keys, refusal: await signed(null) }
    assert.throws(() => acceptRefused(whole, expects), untrusted)
  })

test('a refusal of a job is none of the request, and the other way round', async () => {
  const response = await answer()
  const { answers: _answers, earlierKeys: _keys, ...keys } = response
  const ofJob = await signRefusal(denial, { nonce, job: 0 }, grantKey)
  const ofRequest = await signRefusal(denial, { nonce, job: null }, grantKey)
  assert.throws(() => acceptRefused({ ...keys, refusal: ofJob }, expected), { code: 'verifier.untrusted' })
  assert.throws(() => acceptAnswer({ ...response, answers: [{ refusal: ofRequest }] }, expected), {
    code: 'verifier.untrusted',
  })
})

const mine = grant().objects
const setJob = await setJobOf()
/** The three members, whose keys are all the one of this test. */
const grantedSet = {
  set: SET,
  objects: setJob.objects.flatMap(({ header, bucket, name, etag }) =>
    mine.map((object) => ({
      ...object,
      headerDigest: toBase64url(headerDigest(header)),
      bucket,
      name,
      etag,
    })),
  ),
}
const later = (seq: number) => ({ seq, digest: toBase64url(randomBytes(32)) })
const other = wrapKeys(keys, worker.wrapKey, { nonce, headerDigest: randomBytes(32) })

const ofSet = { ...expected, jobs: [setJob] }
const threeKeys = [jwe, jwe, jwe]

test('a grant of a set is accepted for the job of its record', async () => {
  const [accepted] = acceptAnswer(await answer({ grant: grantedSet, keys: threeKeys }), ofSet)
  assert.equal(accepted?.kind === 'granted' && accepted.grant.set, SET)
})

for (const [what, changed, field] of [
  ['another set', { set: 'd'.repeat(32) }, 'set'],
  ['no set', { set: null }, 'set'],
  ['its members in another order', { objects: grantedSet.objects.toReversed() }, 'objects.0'],
  ['not all of its members', { objects: grantedSet.objects.slice(0, 2) }, 'objects'],
  ['a member twice', { objects: grantedSet.objects.flatMap((one) => [one, one]) }, 'objects'],
] as const)
  test(`refused for a set: a grant of ${what}`, async () => {
    const objects = [...('objects' in changed ? changed.objects : grantedSet.objects)]
    const given = { grant: { ...grantedSet, ...changed, objects }, keys: objects.map(() => jwe) }
    const response = await answer(given)
    assert.throws(() => acceptAnswer(response, ofSet), {
      code: 'grant.invalid',
      message: new RegExp(`^${field} of the grant is not`),
    })
  })

test('a grant key certifies from the second of its beginning to the one before its end', async () => {
  const given = await answer({
    grantKeyWindow: { nbf: NOW, exp: NOW + 1 },
    keysExpiry: NOW + 1,
    grant: { exp: NOW + 1 },
  })
  assert.equal(acceptAnswer(given, { ...expected, floor: new Floor() }).length, 1)
})

test('a real grant is accepted, by a real worker and in simulation', async () => {
  const real = await answer({ grant: { simulation: false } })
  for (const simulation of [false, true])
    assert.equal(acceptAnswer(real, { ...expected, floor: new Floor(), simulation }).length, 1)
})

test('keys of an object that the grant does not have are a fault of ours', async () => {
  const [accepted] = acceptAnswer(await answer(), expected)
  assert.equal(accepted?.kind, 'granted')
  assert.throws(() => keysOf(accepted, 1, worker.wrap, plainMemory), { code: 'internal.fault' })
})

for (const { name, given, code, expects } of [
  { name: 'verifier keys by one person', given: { signers: [signers[0]] }, code: 'verifier.untrusted' },
  {
    name: 'verifier keys by strangers',
    given: { signers: [keySigner(ed25519()), keySigner(ed25519())] },
    code: 'verifier.untrusted',
  },
  { name: 'a grant key by another CA', given: { grantCa: keySigner(p384()) }, code: 'verifier.untrusted' },
  { name: 'a grant by another key', given: { grantSigner: keySigner(ed25519()) }, code: 'grant.invalid' },
  { name: 'verifier keys that have expired', given: { keysExpiry: NOW }, code: 'grant.invalid' },
  {
    name: 'a grant key that has expired',
    given: { grantKeyWindow: { nbf: NOW - 9, exp: NOW } },
    code: 'grant.invalid',
  },
  {
    name: 'a grant key that is not yet valid',
    given: { grantKeyWindow: { nbf: NOW + 1, exp: NOW + 9 } },
    code: 'grant.invalid',
  },
  { name: 'a grant that has expired', given: { grant: { exp: NOW } }, code: 'grant.invalid' },
  {
    name: 'a grant that has expired by the own clock',
    given: { grant: { exp: NOW + 500 } },
    expects: { now: addSeconds(NOW, 500) },
    code: 'grant.invalid',
  },
  { name: 'a grant from before its nonce', given: { grant: { iat: NOW - 1 } }, code: 'grant.invalid' },
  {
    name: 'a grant from after the nonce expired',
    given: { grant: { iat: NOW + 300 } },
    code: 'grant.invalid',
  },
  { name: 'another nonce', given: { grant: { nonce: toBase64url(randomBytes(61)) } }, code: 'grant.invalid' },
  { name: 'another audience', given: { grant: { aud: 'https://elsewhere.example' } }, code: 'grant.invalid' },
  {
    name: 'another wrap key',
    given: { grant: { wrapKey: toBase64url(randomBytes(32)) } },
    code: 'grant.invalid',
  },
  { name: 'a grant under a lower policy', given: { freshness: { policy: later(8) } }, code: 'grant.stale' },
  {
    name: 'a grant with fewer revocation lists',
    given: { freshness: { revocation: later(1) } },
    code: 'grant.stale',
  },
  {
    name: 'earlier keys by one person',
    given: { earlierKeys: [(await answer({ signers: [signers[0]] })).verifierKeys] },
    code: 'verifier.untrusted',
  },
  { name: 'another tenant', given: { grant: { tenant: 'other' } }, code: 'grant.invalid' },
  {
    name: 'verifier keys for another audience',
    given: { verifierKeys: { audience: 'https://elsewhere.example' } },
    code: 'verifier.untrusted',
  },
  { name: 'another boot', given: { grant: { boot: 'a'.repeat(26) } }, code: 'grant.invalid' },
  { name: 'another client', given: { grant: { client: 'other' } }, code: 'grant.invalid' },
  { name: 'another purpose', given: { grant: { purpose: 'TREAT' } }, code: 'grant.invalid' },
  {
    name: 'other terms than those of its digest',
    given: { grant: { scopes: ['system/Patient.rs'] } },
    code: 'grant.invalid',
  },
  {
    name: 'a simulated grant to a real worker',
    given: {},
    expects: { simulation: false },
    code: 'grant.invalid',
  },
  {
    name: 'another header',
    given: {
      grant: { objects: mine.map((object) => ({ ...object, headerDigest: toBase64url(randomBytes(32)) })) },
    },
    code: 'grant.invalid',
  },
  {
    name: 'another version of the object',
    given: { grant: { objects: mine.map((object) => ({ ...object, etag: 'e-2' })) } },
    code: 'grant.invalid',
  },
  {
    name: 'another bucket',
    given: { grant: { objects: mine.map((object) => ({ ...object, bucket: 'elsewhere' })) } },
    code: 'grant.invalid',
  },
  {
    name: 'another object name',
    given: { grant: { objects: mine.map((object) => ({ ...object, name: 'elsewhere' })) } },
    code: 'grant.invalid',
  },
  { name: 'a set instead of one object', given: { grant: { set: SET } }, code: 'grant.invalid' },
  { name: 'another key than the granted one', given: { keys: [other] }, code: 'grant.invalid' },
  { name: 'an extra key', given: { keys: [jwe, jwe] }, code: 'grant.invalid' },
  {
    name: 'an extra object',
    given: { grant: { objects: [...mine, ...mine] }, keys: [jwe, jwe] },
    code: 'grant.invalid',
  },
  { name: 'a missing answer', given: {}, expects: { jobs: [job, job] }, code: 'verifier.untrusted' },
] satisfies readonly {
  name: string
  given: Parameters<typeof answer>[0]
  expects?: Partial<Expectation>
  code: string
}[])
  test(`refused: ${name}`, async () => {
    const response = await answer(given)
    assert.throws(() => acceptAnswer(response, { ...expected, floor: new Floor(), ...expects }), {
      name: 'CodedError',
      code,
    })
  })

test('a granted key that does not open throws, and no other opened key is left', async () => {
  const objects = mine.map((object) => ({ ...object, keyDigest: keyDigest(other) }))
  const [accepted] = acceptAnswer(await answer({ grant: { objects }, keys: [other] }), expected)
  assert.equal(accepted?.kind, 'granted')
  assert.throws(() => keysOf(accepted, 0, worker.wrap, plainMemory), { code: 'key.unopened' })
})

test('the checkpoint of the Verifier is passed on unchanged', async () => {
  const [accepted] = acceptAnswer(await answer(), expected)
  assert.deepEqual(accepted?.kind === 'granted' && accepted.grant.log, {
    boot,
    checkpoint: 'a note',
    index: 3,
  })
  assert.equal(fromBase64url(grant().nonce).equals(nonce), true)
})
