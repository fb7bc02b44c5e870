/** Reading a governance bucket: each document once, junk passed over, faults passed on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { P384Jwk } from '#core/jwk.ts'
import { keySigner, type Signer } from '#core/jws.ts'
import type { ObjectReader } from '#core/objectReader.ts'
import { GovernanceBucket } from '#core/policy/bucket.ts'
import { consentKind } from '#core/policy/consent.ts'
import { type Kind, maxStoredBytes, signDocument } from '#core/policy/document.ts'
import { POLICY } from '#core/policy/policy.ts'
import { REVOCATION } from '#core/policy/revocation.ts'
import { VERIFIER_KEYS } from '#core/policy/verifierKeys.ts'
import {
  consentListOf,
  datasetOf,
  ed25519,
  p384,
  policyOf,
  revocationOf,
  root,
  signers,
  verifierKeysOf,
} from '../release/releaseWorld.ts'

const two = signers.slice(0, 2)
const stranger = [keySigner(ed25519())]
const grantCa = { jwk: P384Jwk.parse(keySigner(p384()).jwk), keyId: 'ocid1.key.oc1..ca' }
const signal = new AbortController().signal

async function stored<T extends { readonly seq: number }>(
  kind: Kind<T>,
  content: T,
  by: readonly Signer[] = two,
): Promise<readonly [string, Buffer]> {
  const { name, signed } = await signDocument(kind, content, by)
  return [name, utf8(JSON.stringify(signed))]
}
const policy = await stored(POLICY, policyOf())
const keys = await stored(VERIFIER_KEYS, verifierKeysOf(grantCa))
const list = await stored(REVOCATION, revocationOf())
const all = [policy, keys, list]

/** A bucket in memory. `asked` has what was read, with its limit. */
class Objects implements ObjectReader {
  readonly stored: Map<string, Buffer | Error | undefined>
  readonly asked: (readonly [string, number])[] = []
  readonly signals = new Set<AbortSignal | undefined>()
  atOnce = 0
  mostAtOnce = 0

  constructor(stored: readonly (readonly [string, Buffer | Error | undefined])[]) {
    this.stored = new Map(stored)
  }

  async *list(prefix: string, given?: AbortSignal) {
    this.signals.add(given)
    yield* [...this.stored.keys()].filter((name) => name.startsWith(prefix)).sort()
  }

  async read(name: string, maxBytes: number, given?: AbortSignal): Promise<Buffer | undefined> {
    this.signals.add(given)
    this.asked.push([name, maxBytes])
    this.atOnce += 1
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce)
    await Promise.resolve()
    this.atOnce -= 1
    const found = this.stored.get(name)
    if (found instanceof Error) throw found
    return found
  }

  get names(): readonly string[] {
    return this.asked.map(([name]) => name)
  }
}

const namesOf = ({ candidates }: GovernanceBucket) =>
  Object.values(candidates).map((documents: readonly { readonly name: string }[]) =>
    documents.map(({ name }) => name),
  )

test('the documents of every kind, each under its own limit and the given signal', async () => {
  const objects = new Objects(all)
  const bucket = new GovernanceBucket(objects, root)
  await bucket.refresh(signal)
  assert.deepEqual(namesOf(bucket), [[policy[0]], [keys[0]], [list[0]], []])
  assert.deepEqual(bucket.junk, [])
  assert.deepEqual(bucket.candidates.policies[0]?.content, policyOf())
  assert.deepEqual(
    new Map(objects.asked),
    new Map([
      [policy[0], maxStoredBytes(POLICY)],
      [keys[0], maxStoredBytes(VERIFIER_KEYS)],
      [list[0], maxStoredBytes(REVOCATION)],
    ]),
  )
  assert.deepEqual([...objects.signals], [signal])
})

test('an object is read once: later, only what is new', async () => {
  const junk = await stored(POLICY, policyOf({ seq: 9 }), stranger)
  const objects = new Objects([...all, junk])
  const bucket = new GovernanceBucket(objects, root)
  await bucket.refresh()
  await bucket.refresh()
  assert.equal(objects.asked.length, 4)
  const next = await stored(POLICY, policyOf({ seq: 8 }))
  objects.stored.set(...next)
  await bucket.refresh()
  assert.deepEqual(objects.names.slice(4), [next[0]])
  assert.deepEqual(namesOf(bucket)[0], [policy[0], next[0]])
})

test('a name that no document has is not read', async () => {
  const objects = new Objects([['policy/README', utf8('x')], ['policy/7', utf8('x')], ...all])
  const bucket = new GovernanceBucket(objects, root)
  await bucket.refresh()
  assert.equal(objects.asked.length, 3)
  assert.deepEqual(bucket.junk, [])
})

test('junk of every kind is named, and hides nothing', async () => {
  const junk = [
    await stored(VERIFIER_KEYS, verifierKeysOf(grantCa, { seq: 2 }), stranger),
    await stored(REVOCATION, revocationOf({ seq: 2 }), stranger),
    await stored(POLICY, policyOf({ seq: 8 }), stranger),
  ]
  const bucket = new GovernanceBucket(new Objects([...all, ...junk]), root)
  await bucket.refresh()
  assert.deepEqual(namesOf(bucket), [[policy[0]], [keys[0]], [list[0]], []])
  assert.deepEqual(
    bucket.junk,
    junk.map(([name]) => ({ name, reason: `${name} is signed by no signer` })),
  )
})

test('a consent list is read under the keys that policies give its dataset', async () => {
  const officer = keySigner(ed25519())
  const withKeys = (...consentKeys: readonly Signer[]) => [
    datasetOf({ consent: { keys: consentKeys.map(({ jwk }) => jwk), keyIds: ['ocid1.key.oc1..consent'] } }),
  ]
  const first = await stored(POLICY, policyOf({ datasets: withKeys(keySigner(ed25519())) }))
  const withdrawn = await stored(consentKind('cohort'), consentListOf(), [officer])
  const elsewhere = await stored(consentKind('other'), consentListOf({ dataset: 'other' }), [officer])
  const objects = new Objects([first, keys, list, withdrawn, elsewhere])
  const bucket = new GovernanceBucket(objects, root)
  await bucket.refresh()
  assert.deepEqual(namesOf(bucket)[3], [])
  assert.deepEqual(
    bucket.junk.map(({ name }) => name),
    [withdrawn[0]],
  )
  objects.stored.set(...(await stored(POLICY, policyOf({ seq: 8, datasets: withKeys(officer) }))))
  await bucket.refresh()
  assert.deepEqual(namesOf(bucket)[3], [withdrawn[0]])
  assert.deepEqual(bucket.junk, [])
  const { length } = objects.asked
  await bucket.refresh()
  assert.equal(objects.asked.length, length)
})

test('an object beyond its limit is junk', async () => {
  const [name] = policy
  const tooLarge = new CodedError('evidence.malformed', `${name} is too large`)
  const bucket = new GovernanceBucket(new Objects([[name, tooLarge]]), root)
  await bucket.refresh()
  assert.deepEqual(bucket.junk, [{ name, reason: `${name} is too large` }])
})

test('a listed object that is absent is asked for again', async () => {
  const [name, bytes] = policy
  const objects = new Objects([[name, undefined]])
  const bucket = new GovernanceBucket(objects, root)
  await bucket.refresh()
  assert.deepEqual([namesOf(bucket)[0], bucket.junk], [[], []])
  objects.stored.set(name, bytes)
  await bucket.refresh()
  assert.deepEqual(namesOf(bucket)[0], [name])
})

for (const fault of [
  new CodedError('service.failed', 'the store is down'),
  new Error('a fault of ours'),
  Object.assign(new Error('a library that has our codes'), { code: 'policy.invalid' }),
])
  test(`${fault.message}: the refresh fails, and the next one goes on`, async () => {
    const next = await stored(POLICY, policyOf({ seq: 8 }))
    const objects = new Objects([policy, [next[0], fault]])
    const bucket = new GovernanceBucket(objects, root)
    await assert.rejects(bucket.refresh(), fault)
    assert.deepEqual([namesOf(bucket)[0], bucket.junk], [[policy[0]], []])
    objects.stored.set(...next)
    await bucket.refresh()
    assert.deepEqual(namesOf(bucket)[0], [policy[0], next[0]])
    assert.equal(objects.names.filter((name) => name === policy[0]).length, 1)
  })

test('sixteen objects are read at once', async () => {
  const many = await Promise.all(
    Array.from({ length: 20 }, (_, at) => stored(REVOCATION, revocationOf({ seq: at + 1 }))),
  )
  const objects = new Objects(many)
  await new GovernanceBucket(objects, root).refresh()
  assert.equal(objects.mostAtOnce, 16)
})
