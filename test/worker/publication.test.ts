import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toBase64url } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { signCompact, verifyCompact } from '#core/jws.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import { resultIdOfGrant } from '#core/release/resultId.ts'
import { manifestDigest, manifestName, ResultManifestFormat } from '#core/sealed/manifest.ts'
import type { ObjectStore } from '#ports/objectStore.ts'
import {
  announce,
  type ComputedResult,
  findResult,
  type PublicationBoot,
  show,
} from '../../src/worker/publication.ts'
import { temporaryFolder } from '../adapters/evidence/stores.ts'
import { jobOf } from '../core/release/releaseWorld.ts'
import { acceptedGrant, bucket, earlierCa, folderStore, grantCa, publicationBootOf } from './workerBoot.ts'

const { signal } = new AbortController()
const computed = {
  output: Buffer.from('{"table":[]}'),
  outputDigest: toBase64url(Buffer.alloc(32, 4)),
  contentType: 'application/json',
  counts: { read: 3, kept: { Observation: 2 }, withheld: { scope: 1 } },
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
}

/** By a grant for this boot. */
async function publish(job: ReleaseJob, result: ComputedResult, boot: PublicationBoot, aborted: AbortSignal) {
  const accepted = await acceptedGrant(boot.evidence.boot, job)
  return await show(await announce(accepted, result, boot, aborted), boot, aborted)
}

const find = async (job: ReleaseJob, boot: PublicationBoot) =>
  await findResult(await acceptedGrant(boot.evidence.boot, job), boot, signal)

async function stage() {
  const store = folderStore(await temporaryFolder())
  const job = await jobOf()
  const resultId = resultIdOfGrant((await acceptedGrant(undefined, job)).grant)
  return { store, job, resultId, manifest: { ...bucket('results'), name: manifestName(resultId) } }
}

const textOf = async (store: ObjectStore, object: Parameters<ObjectStore['readAll']>[0]) =>
  (await store.readAll(object, 1_000_000)).toString()

test('a result is visible by a manifest that this boot signs and the log announces', async () => {
  const { store, job, manifest, resultId } = await stage()
  const boot = await publicationBootOf(store)
  const published = await publish(job, computed, boot, signal)
  assert.deepEqual(published, { kind: 'visible', resultId })
  const jws = await textOf(store, manifest)
  const { payload } = verifyCompact(ResultManifestFormat, jws, [boot.signer.jwk], 'result.foreign')
  assert.equal(payload.intentIndex, 1)
  assert.equal(payload.traceparent, computed.traceparent)
  assert.match(payload.workerCheckpoint, /\n2\n/)
  assert.deepEqual(await find(job, boot), { digest: manifestDigest(jws) })
})

test('a second worker with the same work finds the first result and is superseded', async () => {
  const { store, job, manifest } = await stage()
  await publish(job, computed, await publicationBootOf(store), signal)
  const first = await textOf(store, manifest)
  const published = await publish(job, computed, await publicationBootOf(store), signal)
  assert.equal(published.kind, 'superseded')
  assert.equal(await textOf(store, manifest), first)
})

test('a manifest whose answer was lost is recognised as our own', async () => {
  const { store, job, manifest } = await stage()
  const boot = await publicationBootOf({
    ...store,
    create: async (object, bytes, aborted) => {
      const created = await store.create(object, bytes, aborted)
      if (object.name === manifest.name) throw new CodedError('service.conflict', 'sent twice')
      return created
    },
  })
  assert.equal((await publish(job, computed, boot, signal)).kind, 'visible')
})

test('a part whose answer was lost is recognised as our own, and another one is not', async () => {
  const { store, job } = await stage()
  const lostAfter = (alter: (bytes: Uint8Array) => Uint8Array): Partial<ObjectStore> => ({
    create: async (object, bytes, aborted) => {
      const isPart = object.name.endsWith('/0')
      const created = await store.create(object, isPart ? alter(bytes) : bytes, aborted)
      if (isPart) throw new CodedError('service.conflict', 'sent twice')
      return created
    },
  })
  const foreign = await publicationBootOf({ ...store, ...lostAfter(() => Buffer.from('another')) })
  await assert.rejects(publish(job, computed, foreign, signal), { code: 'service.conflict' })
  const ours = await publicationBootOf({ ...store, ...lostAfter((bytes) => bytes) })
  assert.equal((await publish(job, computed, ours, signal)).kind, 'visible')
})

/** The manifest that an honest worker makes of this job, in a store of its own. */
async function manifestElsewhere(job: ReleaseJob, name: string) {
  const aside = folderStore(await temporaryFolder())
  const honest = await publicationBootOf(aside)
  await publish(job, computed, honest, signal)
  const jws = await textOf(aside, { ...bucket('results'), name })
  const key = honest.signer.jwk
  const { payload } = verifyCompact(ResultManifestFormat, jws, [key], 'result.foreign')
  return { honest, jws, payload }
}

/** Where the registrations of an honest deployment go too, but for those of the boots that are left out. */
async function register(store: ObjectStore, from: ObjectStore, without: readonly string[] = []) {
  for await (const { name } of from.list(bucket('registrations'), 'registration/')) {
    if (without.some((boot) => name.endsWith(boot))) continue
    await store.create(
      { ...bucket('registrations'), name },
      await from.readAll({ ...bucket('registrations'), name }, 8192),
    )
  }
}

type Scene = Awaited<ReturnType<typeof stage>>
for (const { name, put } of [
  {
    name: 'no signer: not a manifest',
    put: async ({ store, manifest }: Scene) => {
      await store.create(manifest, Buffer.from('x.y.z'))
    },
  },
  {
    name: 'a registered boot, about another result',
    put: async ({ store, manifest }: Scene) => {
      const boot = await publicationBootOf(store)
      const other = await jobOf()
      const { resultId } = await publish(other, computed, boot, signal)
      const moved = await textOf(store, { ...manifest, name: manifestName(resultId) })
      await store.create(manifest, Buffer.from(moved))
    },
  },
  {
    name: 'a boot whose name holds the registration of another',
    put: async ({ store, job, manifest }: Scene) => {
      const { honest, jws } = await manifestElsewhere(job, manifest.name)
      const { boot } = honest.evidence
      await register(store, honest.store, [boot])
      const other = await publicationBootOf(store)
      const nameOf = (id: string) => ({ ...bucket('registrations'), name: `registration/${id}` })
      const borrowed = await textOf(store, nameOf(other.evidence.boot))
      await store.create(nameOf(boot), Buffer.from(borrowed))
      await store.create(manifest, Buffer.from(jws))
    },
  },
  {
    name: 'a registered boot’s name, with another key',
    put: async ({ store, job, manifest }: Scene) => {
      const { honest, payload } = await manifestElsewhere(job, manifest.name)
      await register(store, honest.store)
      const { boot } = (await publicationBootOf(store)).evidence
      const forged = await signCompact(ResultManifestFormat, { ...payload, boot }, honest.signer)
      await store.create(manifest, Buffer.from(forged))
    },
  },
  {
    name: 'a registered boot, without a permit of the Verifier',
    put: async ({ store, job, manifest }: Scene) => {
      const { honest, payload } = await manifestElsewhere(job, manifest.name)
      await register(store, honest.store)
      const permit = `${payload.permit.slice(0, -4)}AAAA`
      const unpermitted = await signCompact(ResultManifestFormat, { ...payload, permit }, honest.signer)
      await store.create(manifest, Buffer.from(unpermitted))
    },
  },
])
  test(`a manifest by ${name} is foreign`, async () => {
    const scene = await stage()
    await put(scene)
    const boot = await publicationBootOf(scene.store)
    const foreign = { name: 'CodedError', code: 'result.foreign' }
    await assert.rejects(find(scene.job, boot), foreign)
    await assert.rejects(publish(scene.job, computed, boot, signal), foreign)
  })

test('a manifest whose signer is not registered yet is no evidence of another writer', async () => {
  const { store, job, manifest } = await stage()
  const { honest, jws } = await manifestElsewhere(job, manifest.name)
  await register(store, honest.store, [honest.evidence.boot])
  await store.create(manifest, Buffer.from(jws))
  const boot = await publicationBootOf(store)
  const unregistered = { name: 'CodedError', code: 'signer.unregistered' }
  await assert.rejects(find(job, boot), unregistered)
  await assert.rejects(publish(job, computed, boot, signal), unregistered)
})

test('another output of a result gets no permit, the same one does: also without its manifest', async () => {
  const { store, job } = await stage()
  const swallowing: ObjectStore = {
    ...store,
    create: async (object, ...rest) => {
      if (object.name.endsWith('/result')) throw new CodedError('service.unavailable', 'swallowed')
      return await store.create(object, ...rest)
    },
  }
  const first = await publicationBootOf(swallowing)
  await assert.rejects(publish(job, computed, first, signal), { code: 'service.unavailable' })
  const other = { ...computed, outputDigest: toBase64url(Buffer.alloc(32, 5)) }
  const second = await publicationBootOf(store)
  await assert.rejects(publish(job, other, second, signal), {
    name: 'PermitRefused',
    code: 'result.committed',
  })
  assert.equal((await publish(job, computed, await publicationBootOf(store), signal)).kind, 'visible')
})

test('jobs that announce at the same time share one call, and each gets its own permit', async () => {
  const store = folderStore(await temporaryFolder())
  const calls: number[] = []
  const boot = await publicationBootOf(store, grantCa, (intents) => calls.push(intents))
  const jobs = await Promise.all(Array.from({ length: 5 }, (_, i) => jobOf({ sealId: `${i}`.repeat(32) })))
  const announced = []
  for (const job of jobs)
    announced.push(await announce(await acceptedGrant(boot.evidence.boot, job), computed, boot, signal))
  const published = await Promise.all(announced.map((each) => show(each, boot, signal)))
  assert.deepEqual(new Set(published.map(({ kind }) => kind)), new Set(['visible']))
  assert.equal(new Set(published.map(({ resultId }) => resultId)).size, 5)
  assert.deepEqual(calls, [5])
})

test('a result of a boot that a grant CA of before registered stands after the rotation of the CA', async () => {
  const { store, job } = await stage()
  const before = await publicationBootOf(store, earlierCa)
  const granted = await acceptedGrant(before.evidence.boot, job, [earlierCa])
  const first = await show(await announce(granted, computed, before, signal), before, signal)
  assert.equal(first.kind, 'visible')
  const after = await publicationBootOf(store)
  const accepted = await acceptedGrant(after.evidence.boot, job, [grantCa, earlierCa])
  assert.notEqual(await findResult(accepted, after, signal), undefined)
  const published = await show(await announce(accepted, computed, after, signal), after, signal)
  assert.equal(published.kind, 'superseded')
  // One that the provider's root did not certify stays another writer.
  await assert.rejects(find(job, after), { name: 'CodedError', code: 'result.foreign' })
})
