/** Whose log and whose result something is: a boot's registration, led back to the provider root. */

import { fromUtf8 } from '../bytes.ts'
import { CodedError, under } from '../errors.ts'
import { type P384Jwk, thumbprint } from '../jwk.ts'
import { parseGeneral, type Root, verifyCompact, verifyQuorum } from '../jws.ts'
import {
  logOrigin,
  type Registration,
  RegistrationFormat,
  registrationName,
  VerifierKeysFormat,
  verifierKeysName,
} from '../release/grant.ts'
import { bootOf } from './boot.ts'

/** A key that registers boots, and until when it is certified. */
export type GrantCa = { readonly jwk: P384Jwk; readonly exp: number }

/** A `verifier-keys/<seq>` object. Throws `evidence.inconsistent`: no quorum of the root, or under another name. */
export function readGrantCa(bytes: Uint8Array, name: string, root: Root): GrantCa {
  const signed = parseGeneral(bytes, 'evidence.inconsistent')
  const { payload } = verifyQuorum(VerifierKeysFormat, signed, root, 'evidence.inconsistent')
  expectName(name, verifierKeysName(payload.seq))
  return { jwk: payload.grantCa.jwk, exp: payload.exp }
}

/** A `registration/<boot>` object. Throws `evidence.inconsistent`, or `evidence.malformed` for what is none. */
export function readRegistration(
  bytes: Uint8Array,
  name: string,
  grantCas: readonly GrantCa[],
): Registration {
  const jws = under('evidence.malformed', () => fromUtf8(bytes, name))
  const keys = grantCas.map(({ jwk }) => jwk)
  const { payload, kid } = verifyCompact(RegistrationFormat, jws, keys, 'evidence.inconsistent')
  if (!grantCas.some(({ jwk, exp }) => thumbprint(jwk) === kid && payload.time < exp))
    throw new CodedError('evidence.inconsistent', 'its grant CA was no longer certified')
  expectName(name, registrationName(payload.boot))
  const { boot, key, origin, role } = payload
  if (bootOf(key) !== boot || origin !== logOrigin(role, boot))
    throw new CodedError('evidence.inconsistent', 'key, origin and boot do not belong together')
  if ((role === 'worker') === (payload.attestation === null))
    throw new CodedError(
      'evidence.inconsistent',
      'a worker is registered by its attestation, a Verifier without',
    )
  return payload
}

function expectName(name: string, expected: string): void {
  if (name !== expected)
    throw new CodedError('evidence.inconsistent', `it holds what belongs under ${expected}`)
}
