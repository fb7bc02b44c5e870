import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { toBase64url } from '#core/bytes.ts'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import { keySigner, peekCompact, verifyCompact } from '#core/jws.ts'
import type { GrantedObject } from '#core/release/decide.ts'
import { GrantKeyFormat } from '#core/release/grant.ts'
import { idKeyAssociatedData } from '#core/release/idKey.ts'
import { unwrapKeys, unwrapListKey } from '#core/release/wrap.ts'
import { listAssociatedData } from '#core/sealed/consentList.ts'
import { headerDigest, SealHeaderFormat, sealAssociatedData } from '#core/sealed/header.ts'
import { plainMemory } from '#core/secretMemory.ts'
import type { AssociatedData, KeyVault } from '#ports/keyVault.ts'
import { createCustody } from '../../src/verifier/custody.ts'
import { createGrantKeys } from '../../src/verifier/grantKeys.ts'
import { unavailable } from '../adapters/evidence/stores.ts'
import { consentListOf, datasetOf, jobOf, NOW, p384, workerKeys } from '../core/release/releaseWorld.ts'
import { steerableClock } from './steerableClock.ts'

const worker = workerKeys()
const nonce = randomBytes(61)
const to = { wrapKey: worker.wrapKey, nonce }
const { signal } = new AbortController()
const asking = { expectRelease: () => {}, signal }
const dataset = datasetOf()
const dek = randomBytes(32)
const idKey = randomBytes(32)
const [reference] = (await jobOf()).objects
assert.ok(reference !== undefined)
const { payload: header } = peekCompact(SealHeaderFormat, reference.header, 'object.malformed')
const object: GrantedObject = { reference, header, headerDigest: headerDigest(reference.header) }

const listDeks = [randomBytes(32), randomBytes(32)]
const listAt = (at: number) => {
  const { list } = consentListOf()
  const custody = { ...list.custody, wrappedDek: toBase64url(Buffer.alloc(64, 10 + at)) }
  return consentListOf({ seq: at + 1, list: { ...list, id: `0${at}`.repeat(16), custody } })
}
const consent = { inForce: [listAt(0), listAt(1)], digest: toBase64url(Buffer.alloc(32, 7)) }

/** A Vault that holds ciphertexts, each under its associated data. `before` runs inside each call. */
function vaultOf(
  changes: {
    readonly dek?: Buffer
    readonly fail?: () => CodedError | undefined
    readonly before?: (keyId: string) => Promise<void>
  } = {},
) {
  const asked: string[] = []
  const given: { readonly keyId: string; readonly key: Buffer }[] = []
  const known = new Map([
    [header.custody.wrappedDek, { data: sealAssociatedData(header), key: changes.dek ?? dek }],
    [dataset.idKey.wrapped, { data: idKeyAssociatedData('hospital', 'cohort'), key: idKey }],
    ...listDeks.map((key, at): [string, { data: AssociatedData; key: Buffer }] => {
      const { id, custody } = listAt(at).list
      const data = listAssociatedData({ tenant: 'hospital', dataset: 'cohort', id })
      return [custody.wrappedDek, { data, key }]
    }),
  ])
  const decrypt = async (keyId: string, wrapped: Uint8Array, data: AssociatedData) => {
    asked.push(keyId)
    await changes.before?.(keyId)
    const failure = changes.fail?.()
    if (failure !== undefined) throw failure
    const entry = known.get(toBase64url(wrapped))
    assert.deepEqual(data, entry?.data)
    const key = Buffer.from(entry?.key ?? [])
    given.push({ keyId, key })
    return key
  }
  const absent = async (): Promise<never> => {
    throw new CodedError('service.missing', 'not asked for here')
  }
  const vault: KeyVault = {
    decrypt,
    generateDataKey: absent,
    encrypt: absent,
    decryptRsa: absent,
    signer: absent,
    publicKey: absent,
  }
  const givenFor = (keyId: string) => given.filter((one) => one.keyId === keyId).map(({ key }) => key)
  return { vault, asked, givenFor }
}

const isWiped = (key: Buffer | undefined) => key?.every((byte) => byte === 0)

test('the keys of the Vault are wrapped in a JWE for this TEE, nonce and header', async () => {
  const { vault } = vaultOf()
  const jwe = await createCustody(vault, 'hospital', steerableClock()).wrapFor(object, dataset, to, asking)
  const { headerDigest } = object
  assert.deepEqual(unwrapKeys(jwe, worker.wrap, { nonce, headerDigest }, plainMemory), { dek, idKey })
})

test("a dataset's identity key is decrypted once per minute, a DEK each time", async () => {
  const { vault, asked } = vaultOf()
  const clock = steerableClock()
  const custody = createCustody(vault, 'hospital', clock)
  const counts = async () => {
    await custody.wrapFor(object, dataset, to, asking)
    return [header.custody.keyId, dataset.idKey.keyId].map((id) => asked.filter((one) => one === id).length)
  }
  assert.deepEqual(await counts(), [1, 1])
  clock.pass(59)
  assert.deepEqual(await counts(), [2, 1])
  clock.pass(1)
  assert.deepEqual(await counts(), [3, 2])
  custody.close()
  assert.deepEqual(await counts(), [4, 3])
})

test('the keys of consent lists are wrapped in their order, and decrypted once per minute', async () => {
  const { vault, asked, givenFor } = vaultOf()
  const clock = steerableClock()
  const custody = createCustody(vault, 'hospital', clock)
  const context = { nonce, consentDigest: Buffer.alloc(32, 7) }
  const unwrapped = async () => {
    const jwe = await custody.wrapLists(consent, to)
    return [0, 1].map((index) => unwrapListKey(jwe, worker.wrap, context, { index, count: 2 }, plainMemory))
  }
  assert.deepEqual(await unwrapped(), listDeks)
  clock.pass(59)
  assert.deepEqual(await unwrapped(), listDeks)
  assert.equal(asked.length, 2)
  clock.pass(1)
  assert.deepEqual(await unwrapped(), listDeks)
  assert.equal(asked.length, 4)
  custody.close()
  await setImmediate()
  assert.ok(givenFor('ocid1.key.oc1..consent').every(isWiped))
})

test('one consent list whose key does not come: none is given', async () => {
  const [first, second] = consent.inForce
  const { vault } = vaultOf()
  const failing = async (...call: Parameters<KeyVault['decrypt']>) => {
    if (toBase64url(call[1]) === second?.list.custody.wrappedDek) throw unavailable()
    return await vault.decrypt(...call)
  }
  const custody = createCustody({ ...vault, decrypt: failing }, 'hospital', steerableClock())
  await assert.rejects(custody.wrapLists(consent, to), { code: 'service.unavailable' })
  assert.ok(first && (await custody.wrapLists({ ...consent, inForce: [first] }, to)))
})

test('a replaced identity key is wiped when its last user is done, and not before', async () => {
  const gate = Promise.withResolvers<void>()
  const entered = Promise.withResolvers<void>()
  let held = true
  const { vault, givenFor } = vaultOf({
    before: async (keyId) => {
      if (!held || keyId !== header.custody.keyId) return
      held = false
      entered.resolve()
      await gate.promise
    },
  })
  const clock = steerableClock()
  const custody = createCustody(vault, 'hospital', clock)
  const slow = custody.wrapFor(object, dataset, to, asking)
  await entered.promise
  clock.pass(60)
  await custody.wrapFor(object, dataset, to, asking)
  const [first, second] = givenFor(dataset.idKey.keyId)
  assert.deepEqual([isWiped(first), isWiped(second)], [false, false])

  gate.resolve()
  const { headerDigest } = object
  assert.deepEqual(unwrapKeys(await slow, worker.wrap, { nonce, headerDigest }, plainMemory), { dek, idKey })
  await setImmediate()
  assert.deepEqual([isWiped(first), isWiped(second)], [true, false])
  custody.close()
  await setImmediate()
  assert.equal(isWiped(second), true)
  assert.deepEqual(givenFor(header.custody.keyId).map(isWiped), [true, true])
})

test('an identity key that expired is wiped when another dataset is asked for', async () => {
  const { vault, givenFor } = vaultOf()
  const clock = steerableClock()
  const custody = createCustody(vault, 'hospital', clock)
  await custody.wrapFor(object, dataset, to, asking)
  clock.pass(60)
  const other = datasetOf({ idKey: { ...dataset.idKey, keyId: 'ocid1.key.oc1..other' } })
  await custody.wrapFor(object, other, to, asking)
  await setImmediate()
  assert.deepEqual(givenFor(dataset.idKey.keyId).map(isWiped), [true])
  assert.deepEqual(givenFor(other.idKey.keyId).map(isWiped), [false])
})

test('a failure is not remembered', async () => {
  let failing = true
  const { vault } = vaultOf({ fail: () => (failing ? unavailable() : undefined) })
  const custody = createCustody(vault, 'hospital', steerableClock())
  await assert.rejects(custody.wrapFor(object, dataset, to, asking), { code: 'service.unavailable' })
  failing = false
  assert.ok(await custody.wrapFor(object, dataset, to, asking))
})

test('a request whose release is not expected any more, or whose deadline passed, asks for no DEK', async () => {
  const { vault, asked } = vaultOf()
  const custody = createCustody(vault, 'hospital', steerableClock())
  const changed = new CodedError('policy.changed', 'another policy')
  const expectRelease = () => {
    throw changed
  }
  await assert.rejects(custody.wrapFor(object, dataset, to, { ...asking, expectRelease }), changed)
  assert.deepEqual(asked, [dataset.idKey.keyId])
})

test('a DEK that waits for its turn is asked for only if its release is still expected', async () => {
  const gate = Promise.withResolvers<void>()
  const { vault, asked } = vaultOf({
    before: async (keyId) => (keyId === dataset.idKey.keyId ? undefined : await gate.promise),
  })
  const custody = createCustody(vault, 'hospital', steerableClock())
  const first = Array.from({ length: 64 }, () => custody.wrapFor(object, dataset, to, asking))
  let expected = true
  const late = custody.wrapFor(object, dataset, to, {
    ...asking,
    expectRelease: () => {
      if (!expected) throw unavailable()
    },
  })
  await setImmediate()
  assert.equal(asked.length, 65)
  expected = false
  gate.resolve()
  await assert.rejects(late, { code: 'service.unavailable' })
  await Promise.all(first)
  assert.equal(asked.length, 65)
})

test('a wrapped key of the wrong length is refused', async () => {
  const { vault } = vaultOf({ dek: randomBytes(16) })
  const custody = createCustody(vault, 'hospital', steerableClock())
  await assert.rejects(custody.wrapFor(object, dataset, to, asking), {
    code: 'key.unopened' satisfies ErrorCode,
  })
})

test('a grant key is certified for a day and replaced after half a day', async () => {
  const clock = steerableClock()
  const grantCa = keySigner(p384())
  let failing = false
  const keys = await createGrantKeys(
    {
      ...grantCa,
      sign: async (message) => {
        if (failing) throw unavailable()
        return await grantCa.sign(message)
      },
    },
    clock.now,
  )
  const first = keys.current()
  const { payload } = verifyCompact(GrantKeyFormat, first.certificate, [grantCa.jwk], 'grant.invalid')
  assert.deepEqual(payload, {
    v: 1,
    jwk: first.signer.jwk,
    nbf: NOW - 60,
    exp: NOW + 24 * 3600 - 60,
  })
  clock.pass(12 * 3600 - 61)
  await keys.renewIfDue()
  assert.equal(keys.current(), first)
  clock.pass(1)
  failing = true
  await assert.rejects(keys.renewIfDue(), { code: 'service.unavailable' })
  assert.equal(keys.current(), first)
  failing = false
  await keys.renewIfDue()
  assert.notEqual(keys.current().signer.jwk, first.signer.jwk)
})
