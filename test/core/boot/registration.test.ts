import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bootOf, logOrigin } from '#core/boot/boot.ts'
import {
  type Registration,
  RegistrationFormat,
  readRegistration,
  registrationName,
} from '#core/boot/registration.ts'
import { toBase64url, utf8 } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import { P384Jwk } from '#core/jwk.ts'
import { keySigner, type Signer, signCompact } from '#core/jws.ts'
import { NOW, p384, workerKeys } from '../release/releaseWorld.ts'

const grantCa = keySigner(p384())
const { evidenceKey } = workerKeys()
const boot = bootOf(evidenceKey)
const worker: Registration = {
  v: 1,
  role: 'worker',
  boot,
  origin: logOrigin('worker', boot),
  key: evidenceKey,
  attestation: {
    runtimeDataDigest: toBase64url(Buffer.alloc(32, 1)),
    reportDigest: toBase64url(Buffer.alloc(32, 2)),
    measurement: 'a5'.repeat(48),
    reference: 'worker-1',
    assurance: 'measured',
    client: 'acme',
  },
  simulation: true,
  time: NOW,
}
const verifier: Registration = {
  ...worker,
  role: 'verifier',
  origin: logOrigin('verifier', boot),
  attestation: null,
}

type Case = {
  readonly registration: Registration
  readonly signer?: Signer
  readonly name?: string
  /** End of the grant CA's certification. */
  readonly exp?: number
}

async function read({ registration, signer = grantCa, name, exp = NOW + 1 }: Case): Promise<Registration> {
  const jws = await signCompact(RegistrationFormat, registration, signer)
  const certified = [{ jwk: P384Jwk.parse(grantCa.jwk), exp }]
  return readRegistration(utf8(jws), name ?? registrationName(registration.boot), certified)
}

test('a registration of a worker or a Verifier is read as it was signed', async () => {
  assert.deepEqual(await read({ registration: worker }), worker)
  assert.deepEqual(await read({ registration: verifier }), verifier)
})

const another = workerKeys().evidenceKey
for (const { name, given } of [
  { name: 'another signer', given: { registration: worker, signer: keySigner(p384()) } },
  { name: 'a grant CA whose certification had ended', given: { registration: worker, exp: NOW } },
  {
    name: 'the name of another boot',
    given: { registration: worker, name: registrationName('b'.repeat(26)) },
  },
  { name: 'another key', given: { registration: { ...worker, key: another } } },
  { name: 'the origin of another role', given: { registration: { ...worker, origin: verifier.origin } } },
  { name: 'a worker without an attestation', given: { registration: { ...worker, attestation: null } } },
  {
    name: 'a Verifier with an attestation',
    given: { registration: { ...verifier, attestation: worker.attestation } },
  },
] satisfies readonly { name: string; given: Case }[])
  test(`refused: ${name}`, async () => {
    await assert.rejects(read(given), {
      code: 'evidence.inconsistent' satisfies ErrorCode,
    })
  })

test('bytes that are not UTF-8 are evidence.malformed', () => {
  assert.throws(() => readRegistration(Buffer.from([0xff]), registrationName(boot), []), {
    code: 'evidence.malformed' satisfies ErrorCode,
  })
})
