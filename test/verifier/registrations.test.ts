import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import { type Registration, RegistrationFormat, registrationName } from '#core/boot/registration.ts'
import { toBase64url, utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { keySigner, signCompact, verifyCompact } from '#core/jws.ts'
import { createRegistrations } from '../../src/verifier/registrations.ts'
import { NOW, p384, workerKeys } from '../core/release/releaseWorld.ts'
import { bucket, emptyStore, repeatingCreates } from './testBucket.ts'

const grantCa = keySigner(p384())
const { evidenceKey } = workerKeys()
const boot = bootOf(evidenceKey)
const attestation = {
  runtimeDataDigest: toBase64url(Buffer.alloc(32, 1)),
  reportDigest: toBase64url(Buffer.alloc(32, 2)),
  measurement: 'a5'.repeat(48),
  reference: 'worker-1',
  assurance: 'measured' as const,
  client: 'acme',
}
const registration: Registration = {
  v: 1,
  role: 'worker',
  boot,
  origin: logOrigin('worker', boot),
  key: evidenceKey,
  attestation,
  simulation: true,
  time: NOW,
}
const later = {
  ...registration,
  attestation: { ...attestation, reportDigest: toBase64url(Buffer.alloc(32, 3)), reference: 'worker-2' },
  time: NOW + 60,
}
const mismatch = { code: 'boot.mismatch' }

test('the first registration is signed and stored; later reports of the boot do not change it', async () => {
  const store = await emptyStore()
  const one = createRegistrations(store, bucket, grantCa)
  const first: Registration[] = []
  const take = (stored: Registration) => first.push(stored)
  const full = () => {
    throw new CodedError('evidence.unavailable', 'the log is full')
  }
  await assert.rejects(one.register(registration, full), { code: 'evidence.unavailable' })
  await one.register(registration, take)
  await one.register(later, take)
  assert.deepEqual(first, [registration], 'said once by this process, and again only if it could not be said')
  await createRegistrations(store, bucket, grantCa).register(later, take)
  assert.deepEqual(first, [registration, registration], 'another process says what is in force')
  const written = await store.readAll({ ...bucket, name: registrationName(boot) }, 8192)
  const { payload } = verifyCompact(
    RegistrationFormat,
    written.toString(),
    [grantCa.jwk],
    'evidence.malformed',
  )
  assert.deepEqual(payload, registration)
})

for (const { name, changes } of [
  { name: 'another key', changes: { key: workerKeys().evidenceKey } },
  { name: 'another client', changes: { attestation: { ...attestation, client: 'other' } } },
  {
    name: 'another measurement',
    changes: { attestation: { ...attestation, measurement: 'b6'.repeat(48) } },
  },
  { name: 'another role', changes: { role: 'verifier' as const, attestation: null } },
  { name: 'no simulation', changes: { simulation: false } },
])
  test(`a registered boot is refused with ${name}, at this replica and at the next`, async () => {
    const store = await emptyStore()
    const registry = createRegistrations(store, bucket, grantCa)
    await registry.register(registration)
    await assert.rejects(registry.register({ ...registration, ...changes }), mismatch)
    const next = createRegistrations(store, bucket, grantCa)
    await assert.rejects(next.register({ ...registration, ...changes }), mismatch)
  })

test('an object of another writer under the name is not accepted as a registration', async () => {
  const store = await emptyStore()
  const foreign = await signCompact(RegistrationFormat, registration, keySigner(p384()))
  await store.create({ ...bucket, name: registrationName(boot) }, utf8(foreign))
  await assert.rejects(createRegistrations(store, bucket, grantCa).register(registration), mismatch)
})

test('a create that is repeated because its answer was lost is the first registration', async () => {
  const store = repeatingCreates(await emptyStore())
  const first: Registration[] = []
  await createRegistrations(store, bucket, grantCa).register(registration, (stored) => first.push(stored))
  assert.deepEqual(first, [registration])
})
