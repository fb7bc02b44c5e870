import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBase64url } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { signCompact, verifyCompact } from '#core/jws.ts'
import { resultIdOfGrant } from '#core/release/resultId.ts'
import { manifestDigest, manifestName, ResultManifestFormat } from '#core/sealed/manifest.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import { findResult, publish } from '../../src/worker/publication.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'
import { acceptedGrant, bucket, earlierCa, folderStore, publicationBootOf } from './workerBoot.ts'

const { signal } = new AbortController()
const computed = {
  output: Buffer.from('{"table":[]}'),
  outputDigest: toBase64url(Buffer.alloc(32, 4)),
  contentType: 'application/json',
  counts: { read: 3, kept: { Observation: 2 }, withheld: { scope: 1 } },
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
}

async function stage(earlier = false) {
  const store = folderStore(await temporaryFolder())
  const accepted = await acceptedGrant(earlier)
  const name = manifestName(resultIdOfGrant(accepted.grant))
  const manifest = { ...bucket('results'), name }
  return { store, accepted, manifest }
}

const textOf = async (store: ObjectStore, object: Parameters<ObjectStore['readAll']>[0]) =>
  (await store.readAll(object, 1_000_000)).toString()

test('a result is visible by a manifest that this boot signs and the log announces', async () => {
  const { store, accepted, manifest } = await stage()
  const boot = await publicationBootOf(store)
  const published = await publish(accepted, computed, boot, signal)
  assert.deepEqual(published, { kind: 'visible', resultId: resultIdOfGrant(accepted.grant) })
  const jws = await textOf(store, manifest)
  const { payload } = verifyCompact(ResultManifestFormat, jws, [boot.signer.jwk], 'result.foreign')
  assert.equal(payload.intentIndex, 1)
  assert.equal(payload.traceparent, computed.traceparent)
  assert.match(payload.workerCheckpoint, /\n2\n/)
  assert.deepEqual(await findResult(accepted, boot, signal), { digest: manifestDigest(jws) })
})

test('a second worker with the same work finds the first result and is superseded', async () => {
  const { store, accepted, manifest } = await stage()
  await publish(accepted, computed, await publicationBootOf(store), signal)
  const first = await textOf(store, manifest)
  const published = await publish(accepted, computed, await publicationBootOf(store), signal)
  assert.equal(published.kind, 'superseded')
  assert.equal(await textOf(store, manifest), first)
})

test('a manifest whose answer was lost is recognised as our own', async () => {
  const { store, accepted, manifest } = await stage()
  const boot = await publicationBootOf({
    ...store,
    create: async (object, bytes, aborted) => {
      const created = await store.create(object, bytes, aborted)
      if (object.name === manifest.name) throw new CodedError('service.conflict', 'sent twice')
      return created
    },
  })
  assert.equal((await publish(accepted, computed, boot, signal)).kind, 'visible')
})

test('a part whose answer was lost is recognised as our own, and another one is not', async () => {
  const { store, accepted } = await stage()
  const lostAfter = (alter: (bytes: Uint8Array) => Uint8Array): Partial<ObjectStore> => ({
    create: async (object, bytes, aborted) => {
      const isPart = object.name.endsWith('/0')
      const created = await store.create(object, isPart ? alter(bytes) : bytes, aborted)
      if (isPart) throw new CodedError('service.conflict', 'sent twice')
      return created
    },
  })
  const foreign = await publicationBootOf({ ...store, ...lostAfter(() => Buffer.from('another')) })
  await assert.rejects(publish(accepted, computed, foreign, signal), { code: 'service.conflict' })
  const ours = await publicationBootOf({ ...store, ...lostAfter((bytes) => bytes) })
  assert.equal((await publish(accepted, computed, ours, signal)).kind, 'visible')
})

for (const { name, put } of [
  {
    name: 'no signer: not a manifest',
    put: async ({ store, manifest }: Awaited<ReturnType<typeof stage>>) => {
      await store.create(manifest, Buffer.from('x.y.z'))
    },
  },
  {
    name: 'a registered boot, about another result',
    put: async ({ store, manifest }: Awaited<ReturnType<typeof stage>>) => {
      const boot = await publicationBootOf(store)
      const other = await acceptedGrant()
      await publish(other, computed, boot, signal)
      const moved = await textOf(store, { ...manifest, name: manifestName(resultIdOfGrant(other.grant)) })
      await store.create(manifest, Buffer.from(moved))
    },
  },
  {
    name: 'a boot whose name holds the registration of another',
    put: async ({ store, accepted }: Awaited<ReturnType<typeof stage>>) => {
      const boot = await publicationBootOf(store, null)
      const honest = await publicationBootOf(store)
      const nameOf = (boot: string) => ({ ...bucket('registrations'), name: `registration/${boot}` })
      const borrowed = await textOf(store, nameOf(honest.evidence.boot))
      await store.create(nameOf(boot.evidence.boot), Buffer.from(borrowed))
      await publish(accepted, computed, { ...boot, signer: honest.signer }, signal)
    },
  },
  {
    name: 'a registered boot’s name, with another key',
    put: async ({ store, accepted, manifest }: Awaited<ReturnType<typeof stage>>) => {
      const aside = folderStore(await temporaryFolder())
      const honest = await publicationBootOf(aside)
      await publish(accepted, computed, honest, signal)
      const { payload } = verifyCompact(
        ResultManifestFormat,
        await textOf(aside, manifest),
        [honest.signer.jwk],
        'result.foreign',
      )
      const { boot } = (await publicationBootOf(store)).evidence
      const forged = await signCompact(ResultManifestFormat, { ...payload, boot }, honest.signer)
      await store.create(manifest, Buffer.from(forged))
    },
  },
])
  test(`a manifest by ${name} is foreign`, async () => {
    const scene = await stage()
    await put(scene)
    const boot = await publicationBootOf(scene.store)
    const foreign = { name: 'CodedError', code: 'result.foreign' }
    await assert.rejects(findResult(scene.accepted, boot, signal), foreign)
    await assert.rejects(publish(scene.accepted, computed, boot, signal), foreign)
  })

test('a manifest whose signer is not registered yet is no evidence of another writer', async () => {
  const { store, accepted } = await stage()
  await publish(accepted, computed, await publicationBootOf(store, null), signal)
  const boot = await publicationBootOf(store)
  const unregistered = { name: 'CodedError', code: 'signer.unregistered' }
  await assert.rejects(findResult(accepted, boot, signal), unregistered)
  await assert.rejects(publish(accepted, computed, boot, signal), unregistered)
})

test('a result of a boot that a grant CA of before registered stands after the rotation of the CA', async () => {
  const { store, accepted } = await stage(true)
  const before = await publicationBootOf(store, earlierCa)
  assert.equal((await publish(accepted, computed, before, signal)).kind, 'visible')
  const after = await publicationBootOf(store)
  assert.equal((await publish(accepted, computed, after, signal)).kind, 'superseded')
  // One that the provider's root did not certify stays another writer.
  const { accepted: uncertified } = await stage()
  await assert.rejects(findResult({ ...uncertified, grant: accepted.grant }, after, signal), {
    name: 'CodedError',
    code: 'result.foreign',
  })
})
