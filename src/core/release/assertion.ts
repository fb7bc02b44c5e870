/**
 * The client assertion: SMART Backend Services `private_key_jwt` (ES384), signed in the consumer's Vault on behalf of
 * one request. It attributes the request and says what for; it never replaces attestation. Its exact claims and
 * canonical form make it one text for one meaning, and RFC 7519 still reads it.
 */
import { z } from 'zod'
import { fromBase64url, sameBytes, toBase64url } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import { CodedError } from '../errors.ts'
import { audience, base64urlBytes, keyThumbprint, name, purpose, randomId, time } from '../fields.ts'
import type { P384Jwk } from '../jwk.ts'
import { defineSigned, peekCompact, type Signer, signCompact, verifyCompact } from '../jws.ts'
import { addSeconds, type UnixSeconds } from '../time.ts'
import { NONCE_BYTES } from './challenge.ts'

const ASSERTION_LIFETIME_SECONDS = 300
/** The signature is made by a Vault, the time may be of a guest whose clock runs ahead by this much. */
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
  /** SMART v2 scopes, each once, separated by one space. */
  scope: z
    .string()
    .max(2048)
    .regex(/^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/, 'must be scopes separated by one space'),
  /** RFC 7800: the key that the released keys are wrapped to. */
  cnf: z.strictObject({ jkt: keyThumbprint }),
})
type Claims = z.output<typeof Claims>

/** `typ` is `JWT`, as SMART demands; no other document of this project has it. */
const ClientAssertionFormat = defineSigned(
  'JWT',
  defineFormat({ name: 'client assertion', maxBytes: 3000, code: 'assertion.invalid', schema: Claims }),
)

/** Who asks, for which purpose, for what: from a verified assertion. */
export type Asker = {
  readonly client: string
  readonly purpose: string
  /** Sorted, each once. */
  readonly scopes: readonly string[]
}

export async function signAssertion(
  asker: Asker,
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
    throw new CodedError('config.invalid', 'the client key is not P-384, which ES384 needs')
  const claims: Claims = {
    iss: asker.client,
    sub: asker.client,
    aud: binding.audience,
    iat: binding.iat,
    exp: addSeconds(binding.iat, ASSERTION_LIFETIME_SECONDS),
    jti: binding.jti,
    nonce: toBase64url(binding.nonce),
    purpose: asker.purpose,
    scope: sortedScopes(asker.scopes).join(' '),
    cnf: { jkt: binding.wrapKey },
  }
  return signCompact(ClientAssertionFormat, claims, signer)
}

/** Throws `assertion.invalid`: by whom it must be, for whom, when, and that it is about this very request. */
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
): Asker {
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
  return { client: payload.iss, purpose: payload.purpose, scopes: sortedScopes(payload.scope.split(' ')) }
}

function sortedScopes(scopes: readonly string[]): readonly string[] {
  return [...new Set(scopes)].sort()
}
