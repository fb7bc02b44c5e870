/** The Verifier keys v1: the quorum's statement of which Vault key is the grant CA. */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { CodedError } from '../errors.ts'
import { ocid, sequence, time, version1 } from '../fields.ts'
import { P384Jwk, type SigningJwk } from '../jwk.ts'
import { defineSigned, type GeneralJws, parseGeneral, type QuorumRoot, verifyQuorum } from '../jws.ts'
import { expectName } from './objectName.ts'

const VerifierKeys = z.strictObject({
  v: version1,
  seq: sequence,
  exp: time,
  grantCa: z.strictObject({ jwk: P384Jwk, keyId: ocid }),
})
export type VerifierKeys = z.output<typeof VerifierKeys>

/** Create-once object `verifier-keys/<seq>`, by a quorum of the policy signers; no rules in it. */
export const VerifierKeysFormat = defineSigned(
  'cw-verifier-keys',
  defineFormat({ name: 'verifier keys', maxBytes: 2048, code: 'grant.invalid', schema: VerifierKeys }),
)

export function verifierKeysName(seq: number): string {
  return `verifier-keys/${String(seq).padStart(9, '0')}`
}

/** A key that registers boots, and until when it is certified. */
export type GrantCa = { readonly jwk: P384Jwk; readonly exp: number }

/** A `verifier-keys/<seq>` object. Throws `evidence.inconsistent`: no quorum of the root, or under another name. */
export function readGrantCa(bytes: Uint8Array, name: string, root: QuorumRoot): GrantCa {
  const signed = parseGeneral(bytes, 'evidence.inconsistent')
  const { payload } = verifyQuorum(VerifierKeysFormat, signed, root, 'evidence.inconsistent')
  expectName(name, verifierKeysName(payload.seq), 'evidence.inconsistent')
  return { jwk: payload.grantCa.jwk, exp: payload.exp }
}

export type LoadedKeys = {
  readonly verifierKeys: VerifierKeys
  /** As signed: it goes to the workers unchanged. */
  readonly signed: GeneralJws
}

/** Throws `policy.invalid`, also for a key that is not the P-384 key that this Verifier signs with. */
export function readVerifierKeys(
  bytes: Uint8Array,
  name: string,
  root: QuorumRoot,
  own: { readonly keyId: string; readonly jwk: SigningJwk },
): LoadedKeys {
  const signed = parseGeneral(bytes, 'policy.invalid')
  const { payload: verifierKeys } = verifyQuorum(VerifierKeysFormat, signed, root, 'policy.invalid')
  expectName(name, verifierKeysName(verifierKeys.seq))
  const { grantCa } = verifierKeys
  if (
    grantCa.keyId !== own.keyId ||
    own.jwk.kty !== 'EC' ||
    grantCa.jwk.x !== own.jwk.x ||
    grantCa.jwk.y !== own.jwk.y
  )
    throw new CodedError('policy.invalid', `${name} certifies another grant CA than this Verifier's`)
  return { verifierKeys, signed }
}
