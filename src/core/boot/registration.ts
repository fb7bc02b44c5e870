/** The registration of a boot: the grant CA's statement that a log and its key belong to it. */
import { z } from 'zod'
import { fromUtf8 } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import { CodedError, under } from '../errors.ts'
import { boot, name, sha256Digest, time, version1 } from '../fields.ts'
import { Ed25519Jwk, thumbprint } from '../jwk.ts'
import { defineSigned, verifyCompact } from '../jws.ts'
import { expectName } from '../policy/objectName.ts'
import type { GrantCa } from '../policy/verifierKeys.ts'
import { bootOf, logOrigin } from './boot.ts'

const Registration = z.strictObject({
  v: version1,
  role: z.enum(['worker', 'verifier']),
  boot,
  /** Origin of the boot's log and the key that signs its checkpoints. */
  origin: z.string().regex(/^confidential-worker\/(worker|verifier)\/[a-z2-7]{26}$/),
  key: Ed25519Jwk,
  /** From the worker's first accepted request. Null for a Verifier, which registers itself. */
  attestation: z.union([
    z.null(),
    z.strictObject({
      runtimeDataDigest: sha256Digest,
      reportDigest: sha256Digest,
      measurement: z.string().regex(/^[0-9a-f]{96}$/),
      reference: name,
      assurance: z.enum(['measured', 'platform']),
      client: name,
    }),
  ]),
  simulation: z.boolean(),
  time,
})
export type Registration = z.output<typeof Registration>

/** The grant CA signs it: an auditor then needs only the provider root to tell which program wrote a log. */
export const RegistrationFormat = defineSigned(
  'cw-registration',
  defineFormat({ name: 'registration', maxBytes: 4096, code: 'evidence.malformed', schema: Registration }),
)

export function registrationName(id: string): string {
  return `registration/${id}`
}

/** Throws `evidence.malformed` for bytes that are no registration, else `evidence.inconsistent`. */
export function readRegistration(
  bytes: Uint8Array,
  name: string,
  grantCas: readonly GrantCa[],
): Registration {
  const jws = under('evidence.malformed', () => fromUtf8(bytes, name))
  const keys = grantCas.map(({ jwk }) => jwk)
  const { payload, kid } = verifyCompact(RegistrationFormat, jws, keys, 'evidence.inconsistent')
  if (!grantCas.some(({ jwk, exp }) => thumbprint(jwk) === kid && payload.time < exp))
    throw new CodedError('evidence.inconsistent', 'the certification of its grant CA had ended')
  expectName(name, registrationName(payload.boot), 'evidence.inconsistent')
  const { boot: id, key, origin, role } = payload
  if (bootOf(key) !== id || origin !== logOrigin(role, id))
    throw new CodedError('evidence.inconsistent', 'boot or origin does not follow from the key')
  if ((role === 'worker') === (payload.attestation === null))
    throw new CodedError('evidence.inconsistent', 'a worker needs an attestation, a Verifier has none')
  return payload
}
