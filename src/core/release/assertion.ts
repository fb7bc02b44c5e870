/**
 * The client assertion: SMART Backend Services `private_key_jwt` (ES384), signed in the consumer's Vault for
 * one request. It names the client and the purpose; it never replaces attestation. Exact claims in canonical
 * form give each meaning exactly one text, which every RFC 7519 library can read.
 */
import { z } from 'zod'
import { fromBase64url, sameBytes, sha256, toBase64url, utf8 } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import { CodedError } from '../errors.ts'
import { expandScopes, MAX_WRITTEN_SCOPES, scopesDigest } from '../fhir/scope.ts'
import { audience, base64urlBytes, keyThumbprint, name, purpose, randomId, time } from '../fields.ts'
import type { P384Jwk } from '../jwk.ts'
import { defineSigned, peekCompact, type Signer, signCompact, verifyCompact } from '../jws.ts'
import { addSeconds, type UnixSeconds } from '../time.ts'
import { NONCE_BYTES } from './nonce.ts'

const ASSERTION_LIFETIME_SECONDS = 300
/** The time may come from a guest whose clock is ahead by this much. */
const SKEW_SECONDS = 60

const Claims = z.strictObject({
  iss: name,
  sub: name,
  aud: audience,
  iat: time,
  exp: time,
  jti: randomId,
  nonce: base64urlBytes(NONCE_BYTES),
  purpose,
  /** SMART v2 scopes, separated by one space. */
  scope: z
    .string()
    .max(2048)
    .regex(/^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/, 'must be scopes separated by one space')
    .optional(),
  /** RFC 7800: the key that the released keys are wrapped to. */
  cnf: z.strictObject({ jkt: keyThumbprint }),
})
type Claims = z.output<typeof Claims>

/** SMART requires the `typ` `JWT`. No other document of this project has it. */
const ClientAssertionFormat = defineSigned(
  'JWT',
  defineFormat({ name: 'client assertion', maxBytes: 3000, code: 'assertion.invalid', schema: Claims }),
)

/** Who asks, and what for. The terms of the answer are the permission's. */
export type Asker = { readonly client: string; readonly purpose: string }

/** From a verified assertion. */
export type VerifiedAsker = Asker & {
  /** Of the scopes asked for (`scopesDigest`); null if it names none, as a worker does. */
  readonly scopesDigest: string | null
}

export async function signAssertion(
  asker: Asker & { readonly scope?: string },
  binding: {
    readonly audience: string
    readonly nonce: Uint8Array
    readonly wrapKey: string
    readonly iat: UnixSeconds
    readonly jti: string
  },
  signer: Signer,
): Promise<string> {
  if (signer.jwk.kty !== 'EC')
    throw new CodedError('config.invalid', 'the client key is not P-384, which ES384 requires')
  const claims: Claims = {
    iss: asker.client,
    sub: asker.client,
    aud: binding.audience,
    iat: binding.iat,
    exp: addSeconds(binding.iat, ASSERTION_LIFETIME_SECONDS),
    jti: binding.jti,
    nonce: toBase64url(binding.nonce),
    purpose: asker.purpose,
    ...(asker.scope === undefined ? {} : { scope: asker.scope }),
    cnf: { jkt: binding.wrapKey },
  }
  return signCompact(ClientAssertionFormat, claims, signer)
}

/**
 * Throws `assertion.invalid` unless a listed client signed it, in time, for this audience and this request, and
 * `scope.invalid` if it names scopes that no permission can have.
 */
export function verifyAssertion(
  assertion: string,
  expected: {
    readonly clients: readonly { readonly id: string; readonly keys: readonly P384Jwk[] }[]
    readonly audience: string
    readonly nonce: Uint8Array
    /** RFC 7638 thumbprint of the runtime data's wrap key. */
    readonly wrapKey: string
  },
  now: UnixSeconds,
): VerifiedAsker {
  const { iss } = peekCompact(ClientAssertionFormat, assertion, 'assertion.invalid').payload
  const keys = expected.clients.find((client) => client.id === iss)?.keys ?? []
  const { payload } = verifyCompact(ClientAssertionFormat, assertion, keys, 'assertion.invalid')
  const rules: readonly (readonly [boolean, string])[] = [
    [payload.sub === payload.iss, 'sub is not iss'],
    [payload.aud === expected.audience, 'aud is another audience'],
    [payload.iat <= now + SKEW_SECONDS, 'iat is in the future'],
    [payload.exp > now, 'exp has passed'],
    [
      payload.exp > payload.iat && payload.exp - payload.iat <= ASSERTION_LIFETIME_SECONDS,
      `exp is not within ${ASSERTION_LIFETIME_SECONDS} seconds of iat`,
    ],
    [sameBytes(fromBase64url(payload.nonce), expected.nonce), 'nonce is another nonce'],
    [payload.cnf.jkt === expected.wrapKey, 'cnf.jkt is another wrap key'],
  ]
  const broken = rules.filter(([holds]) => !holds).map(([, what]) => what)
  if (broken.length > 0) throw new CodedError('assertion.invalid', `client assertion: ${broken.join('; ')}`)
  return { client: payload.iss, purpose: payload.purpose, scopesDigest: askedScopesDigest(payload.scope) }
}

/** Which assertion it is, for the evidence: SHA-256 of its ASCII, and its id. It is verified before. */
export function tokenOf(assertion: string): { readonly tokenDigest: string; readonly jti: string } {
  const { jti } = peekCompact(ClientAssertionFormat, assertion, 'assertion.invalid').payload
  return { tokenDigest: toBase64url(sha256(utf8(assertion))), jti }
}

export function askedScopesDigest(scope: string | undefined): string | null {
  if (scope === undefined) return null
  const written = scope.split(' ')
  if (written.length > MAX_WRITTEN_SCOPES)
    throw new CodedError('scope.invalid', `${written.length} scopes, the limit is ${MAX_WRITTEN_SCOPES}`)
  return scopesDigest(expandScopes(written))
}
