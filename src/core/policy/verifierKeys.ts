/** The Verifier keys v1: the quorum's statement that one Vault key is the grant CA. */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { CodedError } from '../errors.ts'
import { ocid, sequence, time, version1 } from '../fields.ts'
import { P384Jwk, type SigningJwk } from '../jwk.ts'
import { defineSigned, type GeneralJws, parseGeneral, type QuorumRoot, verifyQuorum } from '../jws.ts'
import { expectName, numberedName } from './objectName.ts'

const VerifierKeys = z.strictObject({
  v: version1,
  seq: sequence,
  exp: time,
  grantCa: z.strictObject({ jwk: P384Jwk, keyId: ocid }),
})
export type VerifierKeys = z.output<typeof VerifierKeys>

/**
 * The create-once object `verifier-keys/<seq>`, signed by a quorum of the policy signers. It contains no
 * rules.
 */
export const VerifierKeysFormat = defineSigned(
  'cw-verifier-keys',
  defineFormat({ name: 'verifier keys', maxBytes: 2048, code: 'grant.invalid', schema: VerifierKeys }),
)

export function verifierKeysName(seq: number): string {
  return numberedName('verifier-keys', seq)
}

/** A key that registers boots, and the end of its certification. */
export type GrantCa = { readonly jwk: P384Jwk; readonly exp: number }

/**
 * Reads `verifier-keys/<seq>` for an audit. Throws `evidence.inconsistent` without a quorum, or under another
 * name.
 */
export function readGrantCa(bytes: Uint8Array, name: string, root: QuorumRoot): GrantCa {
  const signed = parseGeneral(bytes, 'evidence.inconsistent')
  const { payload } = verifyQuorum(VerifierKeysFormat, signed, root, 'evidence.inconsistent')
  expectName(name, verifierKeysName(payload.seq), 'evidence.inconsistent')
  return { jwk: payload.grantCa.jwk, exp: payload.exp }
}

export type LoadedKeys = {
  readonly verifierKeys: VerifierKeys
  /** As signed. The workers get it unchanged. */
  readonly signed: GeneralJws
}

/** Reads them for the Verifier. Throws `policy.invalid`, also if they certify another key than its own. */
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
