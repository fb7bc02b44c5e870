/** The witness over stores that replicas share: forks, races, restarts, and each reason against a permit. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { createEvidenceLog, type EvidenceLog } from '#adapters/evidence/log.ts'
import { createFolderStore } from '#adapters/system/folderStore.ts'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import { type Registration, RegistrationFormat, registrationName } from '#core/boot/registration.ts'
import { toBase64url, utf8 } from '#core/bytes.ts'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import { signCheckpoint } from '#core/evidence/checkpoint.ts'
import { openPermit, openPermitRefusal } from '#core/evidence/witness/acceptance.ts'
import { CommitFormat, commitName } from '#core/evidence/witness/commit.ts'
import { cosignedAt, cosignerKey } from '#core/evidence/witness/cosignature.ts'
import { Ed25519Jwk, exportJwk, P384Jwk, thumbprint } from '#core/jwk.ts'
import { keySigner, signCompact } from '#core/jws.ts'
import type { Revoked } from '#core/policy/revocation.ts'
import type { AcceptedGrant } from '#core/release/accept.ts'
import { resultIdOfGrant } from '#core/release/resultId.ts'
import { toUnixSeconds } from '#core/time.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'
import { jobOf, NOW, p384 } from '../core/release/releaseWorld.ts'
import { acceptedGrant, attestation, grantCa } from '../worker/workerBoot.ts'
import { witnessBoot } from './witnessBoot.ts'

const NAMESPACE = 'hospital'
const own = { namespace: NAMESPACE, bucket: 'evidence-verifier' }
const workers = { namespace: NAMESPACE, bucket: 'evidence-worker' }
const trusted = [{ jwk: P384Jwk.parse(grantCa.jwk), exp: NOW + 1000 }]
const { signal } = new AbortController()

async function world(wrap: (store: ObjectStore) => ObjectStore = (store) => store) {
  const store = createFolderStore({ root: await temporaryFolder(), namespace: NAMESPACE })
  const replica = () => witnessBoot({ store: wrap(store), own, workers, grantCa, now: NOW })
  return { store, replica, verifier: await replica() }
}

/** A registered worker with a log of its own, of which a copy may tell another story. */
async function workerIn(store: ObjectStore, change: Partial<Registration> = {}) {
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = Ed25519Jwk.parse(exportJwk(privateKey))
  const boot = bootOf(key)
  const origin = logOrigin('worker', boot)
  const registration: Registration = {
    v: 1,
    role: 'worker',
    boot,
    origin,
    key,
    attestation,
    simulation: true,
    time: NOW,
    ...change,
  }
  const jws = await signCompact(RegistrationFormat, registration, grantCa)
  await store.create({ ...own, name: registrationName(boot) }, utf8(jws))
  const logIn = (at: ObjectStore): EvidenceLog =>
    createEvidenceLog({
      store: at,
      bucket: workers,
      role: 'worker',
      key: privateKey,
      boot,
      software: 'test/1',
      simulation: true,
      now: () => toUnixSeconds(NOW),
    })
  return { boot, key, privateKey, origin, log: logIn(store), logIn }
}

const idOf = (n: number) => String(n).padStart(32, '0')
const digestOf = (n: number) => toBase64url(Buffer.alloc(32, n))
const failed = (n: number) =>
  ({
    event: 'job.failed',
    jobId: idOf(n),
    traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
    releaseId: null,
    code: 'workload.failed',
  }) as const

function announce(log: EvidenceLog, { grant, signed }: AcceptedGrant, output = 1, change: object = {}) {
  const index = log.append({
    event: 'result.intent',
    releaseId: grant.releaseId,
    resultId: resultIdOfGrant(grant),
    attempt: idOf(log.nextIndex()),
    contentDigest: digestOf(9),
    outputDigest: digestOf(output),
    termsDigest: grant.termsDigest,
    recipient: thumbprint(grant.recipient.jwk),
    counts: 'a.b.c.d.e',
    ...change,
  })
  return { index, ...signed }
}

/** The code of a permit's answer; empty if it is given. */
async function codeOf(
  { permits, grantKey }: Awaited<ReturnType<Awaited<ReturnType<typeof witnessBoot>>['submit']>>,
  place: { readonly boot: string; readonly intentIndex: number; readonly size: number },
  at = 0,
): Promise<ErrorCode | ''> {
  const answer = permits[at] ?? assert.fail('there is no answer')
  if ('refusal' in answer) return openPermitRefusal(answer.refusal, grantKey, place, trusted).code
  const { boot, intentIndex, size } = openPermit({ permit: answer.permit, permitKey: grantKey }, trusted)
  assert.deepEqual({ boot, intentIndex, size }, place)
  return ''
}

test('checkpoints are cosigned in their order, by any replica, also after a restart', async () => {
  const { store, replica, verifier } = await world()
  const { boot, key, origin, log } = await workerIn(store)
  const replicas = [verifier, await replica(), await replica()]
  for (let n = 0; n < 12; n += 1) {
    for (let i = 0; i <= n * 7; i += 1) log.append(failed(i))
    const { checkpoint } = await log.flush()
    const by = replicas[n % 3] ?? verifier
    const { cosigned, status, permits } = await by.submit(boot, { checkpoint, intents: [] })
    assert.deepEqual([status, permits], ['current', []])
    const { key: own } = by.verifier.registration
    assert.equal(cosignedAt(cosigned, cosignerKey(by.verifier.registration.origin, own)), NOW)
    assert.ok(cosigned.startsWith(checkpoint) && cosigned.includes(origin))
    // Again: the same note, whoever is asked.
    for (const other of [...replicas, await replica()])
      assert.equal((await other.submit(boot, { checkpoint, intents: [] })).cosigned, cosigned)
  }
  assert.ok(log.nextIndex() > 256, 'no tile was full')
  assert.equal(Ed25519Jwk.parse(key).crv, 'Ed25519')
})

test('of a fork one branch is cosigned, whichever replica and size it comes with', async () => {
  const { store, replica, verifier } = await world()
  const elsewhere = createFolderStore({ root: await temporaryFolder(), namespace: NAMESPACE })
  const { boot, privateKey, origin, log, logIn } = await workerIn(store)
  const first = await log.flush()
  await verifier.submit(boot, { checkpoint: first.checkpoint, intents: [] })
  const forked = { code: 'checkpoint.forked' }

  // A signed checkpoint over nothing that is stored.
  const forged = signCheckpoint({ origin, size: first.size, root: Buffer.alloc(32, 7) }, privateKey)
  await assert.rejects(verifier.submit(boot, { checkpoint: forged, intents: [] }), forked)

  // Two stories of three and of four entries, both stored: their tiles have different names.
  const liar = logIn(elsewhere)
  for (let n = 0; n < 3; n += 1) liar.append(failed(100 + n))
  const other = await liar.flush()
  for await (const { name } of elsewhere.list(workers, `${boot}/`))
    await store
      .create({ ...workers, name }, await elsewhere.readAll({ ...workers, name }, 100_000))
      .catch(() => {})
  for (let n = 0; n < 2; n += 1) log.append(failed(n))
  const second = await log.flush()
  const [one, two] = [await replica(), await replica()]
  const outcomes = await Promise.allSettled([
    one.submit(boot, { checkpoint: second.checkpoint, intents: [] }),
    two.submit(boot, { checkpoint: other.checkpoint, intents: [] }),
  ])
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  const [lost] = outcomes.filter((outcome) => outcome.status === 'rejected')
  assert.ok(['checkpoint.forked', 'checkpoint.behind'].includes(lost?.reason.code), lost?.reason.code)
  // No replica cosigns the other one later.
  const late = await replica()
  const won = outcomes[0]?.status === 'fulfilled' ? other : second
  await assert.rejects(
    late.submit(boot, { checkpoint: won.checkpoint, intents: [] }),
    (error) => error instanceof CodedError && ['checkpoint.forked', 'checkpoint.behind'].includes(error.code),
  )
})

test('a shorter checkpoint, or one of no entries, is behind', async () => {
  const { store, verifier } = await world()
  const { boot, privateKey, origin, log } = await workerIn(store)
  const first = await log.flush()
  log.append(failed(1))
  const { checkpoint } = await log.flush()
  await verifier.submit(boot, { checkpoint, intents: [] })
  const behind = { code: 'checkpoint.behind' }
  await assert.rejects(verifier.submit(boot, { checkpoint: first.checkpoint, intents: [] }), behind)
  const fresh = await workerIn(store)
  const empty = signCheckpoint({ origin: fresh.origin, size: 0, root: Buffer.alloc(32) }, fresh.privateKey)
  await assert.rejects(verifier.submit(fresh.boot, { checkpoint: empty, intents: [] }), behind)
  assert.ok(origin !== fresh.origin && privateKey !== fresh.privateKey)
})

for (const tile of ['tile/entries/000.p/2', 'tile/0/000.p/2'])
  test(`nothing is cosigned while ${tile} cannot be read, or if it is another`, async () => {
    let failing: Buffer | 'missing' | undefined
    const { store, verifier } = await world((inner) => ({
      ...inner,
      readAll: async (object, ...rest) => {
        if (!object.name.endsWith(tile) || failing === undefined) return await inner.readAll(object, ...rest)
        if (failing === 'missing') throw new CodedError('service.missing', 'no such object')
        return failing
      },
    }))
    const { boot, log } = await workerIn(store)
    log.append(failed(1))
    const { checkpoint } = await log.flush()
    const submit = () => verifier.submit(boot, { checkpoint, intents: [] })
    failing = 'missing'
    await assert.rejects(submit(), { code: 'checkpoint.unreadable' })
    failing = Buffer.alloc(64)
    await assert.rejects(submit(), { code: 'checkpoint.forked' })
    assert.deepEqual(await Array.fromAsync(store.list(own, 'witnessed/')), [])
    failing = undefined
    assert.equal((await submit()).status, 'current')
  })

test('a checkpoint is of a registered worker, who signed it', async () => {
  const { store, verifier } = await world()
  const [worker, other] = [await workerIn(store), await workerIn(store)]
  const { checkpoint } = await worker.log.flush()
  const submit = (boot: string, note = checkpoint) => verifier.submit(boot, { checkpoint: note, intents: [] })
  await assert.rejects(submit('a'.repeat(26)), { code: 'boot.unregistered' })
  await assert.rejects(submit(verifier.verifier.boot), { code: 'boot.unregistered' })
  await assert.rejects(submit(other.boot), { code: 'checkpoint.unsigned' })
  await assert.rejects(submit(worker.boot, 'no note'), { code: 'checkpoint.unsigned' })
  const forged = signCheckpoint({ origin: worker.origin, size: 1, root: Buffer.alloc(32) }, other.privateKey)
  await assert.rejects(submit(worker.boot, forged), { code: 'checkpoint.unsigned' })
  await assert.rejects(submit('../x'), { code: 'request.malformed' })
  await assert.rejects(verifier.submit(worker.boot, { checkpoint, intents: [], more: 1 } as never), {
    code: 'request.malformed',
  })
  const stranger = keySigner(p384())
  const { registration } = { registration: { ...verifier.verifier.registration } }
  const unknown = { ...registration, boot: 'b'.repeat(26) }
  await store.create(
    { ...own, name: registrationName(unknown.boot) },
    utf8(await signCompact(RegistrationFormat, unknown, stranger)),
  )
  await assert.rejects(submit(unknown.boot), { code: 'boot.unregistered' })
})

test('foreign signatures under a note are not passed on', async () => {
  const { store, verifier } = await world()
  const { boot, log } = await workerIn(store)
  const { checkpoint } = await log.flush()
  const junk = `${checkpoint}— stranger ${Buffer.alloc(20).toString('base64')}\n`
  const { cosigned } = await verifier.submit(boot, { checkpoint: junk, intents: [] })
  assert.ok(cosigned.startsWith(checkpoint) && !cosigned.includes('stranger'))
})

const refusals: readonly (readonly [
  name: string,
  code: ErrorCode,
  change: {
    readonly revoke?: (accepted: AcceptedGrant, boot: string) => Partial<Revoked>
    readonly pass?: number
    readonly intent?: object
    readonly asked?: (
      intent: ReturnType<typeof announce>,
      other: AcceptedGrant,
    ) => ReturnType<typeof announce>
  },
])[] = [
  ['the boot is revoked', 'boot.mismatch', { revoke: (_, boot) => ({ boots: [boot] }) }],
  [
    'the permission is revoked',
    'permission.none',
    { revoke: ({ grant }) => ({ permissions: [grant.permission] }) },
  ],
  [
    'the reference values are revoked',
    'reference.revoked',
    { revoke: ({ grant }) => ({ referenceValues: [grant.reference] }) },
  ],
  [
    'an object is withdrawn',
    'object.withdrawn',
    { revoke: ({ grant }) => ({ objects: grant.objects.map(({ sealId }) => sealId) }) },
  ],
  ['the grant has expired', 'grant.expired', { pass: 3600 }],
  ['the entry is no intent', 'intent.mismatched', { asked: (intent) => ({ ...intent, index: 0 }) }],
  ['the entry is not there yet', 'intent.mismatched', { asked: (intent) => ({ ...intent, index: 99 }) }],
  ['the intent names another release', 'intent.mismatched', { intent: { releaseId: 'f'.repeat(32) } }],
  ['the intent names another result', 'intent.mismatched', { intent: { resultId: 'f'.repeat(64) } }],
  ['the intent names other terms', 'intent.mismatched', { intent: { termsDigest: digestOf(8) } }],
  ['the intent names another recipient', 'intent.mismatched', { intent: { recipient: digestOf(8) } }],
  [
    'the grant is of another boot',
    'intent.mismatched',
    { asked: (intent, other) => ({ ...intent, ...other.signed }) },
  ],
  [
    'the grant is by another key than the certified one',
    'grant.invalid',
    { asked: (intent, other) => ({ ...intent, grantKey: other.signed.grantKey }) },
  ],
  [
    'the grant is no JWS of this Verifier',
    'grant.invalid',
    { asked: (intent) => ({ ...intent, grant: 'a.b.c' }) },
  ],
]
for (const [name, code, { revoke, pass, intent, asked }] of refusals)
  test(`no permit, and still a cosignature, if ${name}: another intent is permitted`, async () => {
    const { store, verifier } = await world()
    const { boot, log } = await workerIn(store)
    const accepted = await acceptedGrant(boot, await jobOf())
    const bad = announce(log, accepted, 1, intent)
    const good = announce(log, await acceptedGrant(boot, await jobOf({ sealId: 'e'.repeat(32) })))
    const { checkpoint, size } = await log.flush()
    if (revoke !== undefined) verifier.revoke(revoke(accepted, boot))
    verifier.pass(pass ?? 0)
    const first = asked?.(bad, await acceptedGrant('c'.repeat(26), await jobOf())) ?? bad
    const answer = await verifier.submit(boot, { checkpoint, intents: [first, good] })
    assert.ok(answer.cosigned.startsWith(checkpoint))
    assert.equal(answer.status, code === 'boot.mismatch' ? 'revoked' : 'current')
    assert.equal(await codeOf(answer, { boot, intentIndex: first.index, size }), code)
    const both = ['boot.mismatch', 'permission.none', 'reference.revoked', 'grant.expired'].includes(code)
    assert.equal(await codeOf(answer, { boot, intentIndex: good.index, size }, 1), both ? code : '')
    const [refused] = verifier.entries
    assert.ok(refused?.event === 'permit.refused')
    assert.deepEqual([refused.boot, refused.index, refused.code], [boot, first.index, code])
    const commits = await Array.fromAsync(store.list(own, 'commit/'))
    assert.equal(commits.length, both ? 0 : 1)
  })

test('a revocation that comes while the commit is stored still bites', async () => {
  let during = () => {}
  const { store, verifier } = await world((inner) => ({
    ...inner,
    create: async (object, ...rest) => {
      if (object.name.startsWith('commit/')) during()
      return await inner.create(object, ...rest)
    },
  }))
  const { boot, log } = await workerIn(store)
  const intent = announce(log, await acceptedGrant(boot, await jobOf()))
  const { checkpoint, size } = await log.flush()
  during = () => verifier.revoke({ boots: [boot] })
  const answer = await verifier.submit(boot, { checkpoint, intents: [intent] })
  assert.equal(await codeOf(answer, { boot, intentIndex: intent.index, size }), 'boot.mismatch')
})

test('two replicas race for a commit: one output wins, and only that one may come again', async () => {
  const { store, replica, verifier } = await world()
  const job = await jobOf()
  const attempts = await Promise.all(
    [1, 2].map(async (output) => {
      const { boot, log } = await workerIn(store)
      const intent = announce(log, await acceptedGrant(boot, job), output)
      const { checkpoint, size } = await log.flush()
      const by = output === 1 ? verifier : await replica()
      return { output, boot, size, intent, submit: () => by.submit(boot, { checkpoint, intents: [intent] }) }
    }),
  )
  const codes = await Promise.all(
    attempts.map(async ({ boot, size, intent, submit }) =>
      codeOf(await submit(), { boot, intentIndex: intent.index, size }),
    ),
  )
  assert.deepEqual([...codes].sort(), ['', 'result.committed'])
  const { grant } = await acceptedGrant('d'.repeat(26), job)
  const name = commitName(resultIdOfGrant(grant))
  const commit = CommitFormat.decode(await store.readAll({ ...own, name }, 1024))
  assert.equal(commit.outputDigest, digestOf(codes[0] === '' ? 1 : 2))
  for (const [at, { boot, size, intent, submit }] of attempts.entries())
    assert.equal(await codeOf(await submit(), { boot, intentIndex: intent.index, size }), codes[at])
})

test('an intent is permitted at any later checkpoint, also behind full tiles and after a restart', async () => {
  const { store, replica, verifier } = await world()
  const { boot, log } = await workerIn(store)
  const intent = announce(log, await acceptedGrant(boot, await jobOf()))
  const first = await log.flush()
  await verifier.submit(boot, { checkpoint: first.checkpoint, intents: [] })
  for (let n = 0; n < 700; n += 1) log.append(failed(n))
  const { checkpoint, size } = await log.flush()
  const place = { boot, intentIndex: intent.index, size }
  assert.equal(await codeOf(await verifier.submit(boot, { checkpoint, intents: [intent] }), place), '')
  assert.equal(
    await codeOf(await (await replica()).submit(boot, { checkpoint, intents: [intent] }), place),
    '',
  )
  assert.equal(signal.aborted, false)
})
