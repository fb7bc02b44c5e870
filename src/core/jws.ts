/**
 * JSON Web Signatures (RFC 7515) over canonical payloads. `typ` separates the domains: a signature for one
 * kind of document never verifies for another. The protected header has exactly `alg`, `kid` and `typ`. The
 * key decides `alg`, never the document.
 */
import { type KeyObject, sign, verify } from 'node:crypto'
import { z } from 'zod'
import { fromBase64url, toBase64url, utf8 } from './bytes.ts'
import { canonicalBytes, checkShape, type Format, parseCanonical, parseJson } from './canonical.ts'
import { CodedError, type ErrorCode, under } from './errors.ts'
import { keyThumbprint } from './fields.ts'
import { exportJwk, importJwk, type SigningJwk, thumbprint } from './jwk.ts'

/** A document format and its `typ`. */
export type SignedFormat<T> = Format<T> & { readonly typ: string }

/**
 * The holder of a private key: this process, a file or a Vault. `sign` gets the signing input, not a digest.
 * The interface is in core, not in ports, because core signs its formats with it and core imports no ports.
 */
export type Signer = {
  readonly jwk: SigningJwk
  /** EdDSA: 64 bytes. ES384: r ‖ s, 96 bytes (RFC 7518 §3.4). */
  readonly sign: (message: Uint8Array) => Promise<Uint8Array>
}

export type Verified<T> = { readonly payload: T; readonly kid: string }

const Header = z.strictObject({
  alg: z.enum(['EdDSA', 'ES384']),
  kid: keyThumbprint,
  typ: z.string().regex(/^[A-Za-z0-9-]{1,40}$/, 'must be a type of letters, digits and "-"'),
})

export const GeneralJws = z.strictObject({
  payload: z.string(),
  signatures: z
    .array(z.strictObject({ protected: z.string().max(400), signature: z.string().max(200) }))
    .min(1)
    .max(16),
})
export type GeneralJws = z.output<typeof GeneralJws>

/** A key of a root that has signed: its owner, and its thumbprint. */
export type RootKey = { readonly person: string; readonly kid: string }
/** A trust root of several persons: at least `threshold` of them must sign. */
export type QuorumRoot = {
  /** A quorum counts persons, not keys. */
  readonly keys: readonly { readonly person: string; readonly jwk: SigningJwk }[]
  readonly threshold: number
}

export function defineSigned<T>(typ: string, format: Format<T>): SignedFormat<T> {
  return { ...format, typ }
}

/**
 * A signer with a private key in this process. Throws `encoding.invalid` for a key other than Ed25519 or
 * P-384.
 */
export function keySigner(privateKey: KeyObject): Signer {
  const jwk = exportJwk(privateKey)
  if (jwk.kty === 'RSA' || jwk.crv === 'P-256')
    throw new CodedError('encoding.invalid', 'a signer needs Ed25519 or P-384')
  return {
    jwk,
    sign: async (message) =>
      jwk.kty === 'OKP'
        ? sign(null, message, privateKey)
        : sign('sha384', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  }
}

/** The compact serialisation of `value`, in canonical form. */
export async function signCompact<T>(format: SignedFormat<T>, value: T, signer: Signer): Promise<string> {
  const input = signingInput(format, toBase64url(format.encode(value)), signer.jwk)
  return `${input}.${toBase64url(await signer.sign(utf8(input)))}`
}

/**
 * Payload and key id, decoded but not verified: for documents whose content names the key to verify them
 * with.
 */
export function peekCompact<T>(
  format: SignedFormat<T>,
  jws: string,
  code: ErrorCode,
): { payload: T; kid: string } {
  const { header, payload } = splitCompact(format, jws, code)
  return { payload: format.decode(payload), kid: header.kid }
}

/** Throws the format's own code for a malformed payload, and `code` if none of `keys` has signed the text. */
export function verifyCompact<T>(
  format: SignedFormat<T>,
  jws: string,
  keys: readonly SigningJwk[],
  code: ErrorCode,
): Verified<T> {
  const { header, payload, input, signature } = splitCompact(format, jws, code)
  const jwk = keys.find((key) => thumbprint(key) === header.kid)
  if (jwk === undefined || !isSignedBy(jwk, header, input, signature))
    throw new CodedError(code, `${format.name}: the signature is not by a trusted key (kid ${header.kid})`)
  return { payload: format.decode(payload), kid: header.kid }
}

/** The general JSON serialisation, with one entry per signer. */
export async function signGeneral<T>(
  format: SignedFormat<T>,
  value: T,
  signers: readonly Signer[],
): Promise<GeneralJws> {
  const payload = toBase64url(format.encode(value))
  const signatures = await Promise.all(
    signers.map(async (signer) => {
      const input = signingInput(format, payload, signer.jwk)
      return { protected: input.split('.')[0] ?? '', signature: toBase64url(await signer.sign(utf8(input))) }
    }),
  )
  return { payload, signatures }
}

export function parseGeneral(bytes: Uint8Array, code: ErrorCode): GeneralJws {
  return checkShape(
    GeneralJws,
    under(code, () => parseJson(bytes, 'signed document')),
    'signed document',
    code,
  )
}

/**
 * The keys of `root` that have signed, each once. The document is refused if any signature by a key of the
 * root does not verify. Signatures by other keys are ignored. Throws `code`.
 */
export function signersOf<T>(
  format: SignedFormat<T>,
  jws: GeneralJws,
  root: QuorumRoot,
  code: ErrorCode,
): readonly RootKey[] {
  const signers = new Map<string, RootKey>()
  for (const { protected: protectedHeader, signature } of jws.signatures) {
    const header = parseHeader(format, protectedHeader, code)
    const key = root.keys.find(({ jwk }) => thumbprint(jwk) === header.kid)
    if (key === undefined) continue
    if (
      !isSignedBy(
        key.jwk,
        header,
        utf8(`${protectedHeader}.${jws.payload}`),
        under(code, () => fromBase64url(signature)),
      )
    )
      throw new CodedError(code, `${format.name}: the signature of ${key.person} does not verify`)
    signers.set(header.kid, { person: key.person, kid: header.kid })
  }
  return [...signers.values()]
}

/** The payload, if at least `threshold` different persons of `root` have signed it (`signersOf`). */
export function verifyQuorum<T>(
  format: SignedFormat<T>,
  jws: GeneralJws,
  root: QuorumRoot,
  code: ErrorCode,
): { readonly payload: T; readonly persons: readonly string[] } {
  const persons = new Set(signersOf(format, jws, root, code).map(({ person }) => person))
  if (persons.size < root.threshold)
    throw new CodedError(
      code,
      `${format.name} is signed by ${persons.size} persons, the quorum is ${root.threshold}`,
    )
  return {
    payload: format.decode(under(code, () => fromBase64url(jws.payload))),
    persons: [...persons].sort(),
  }
}

function signingInput<T>(format: SignedFormat<T>, payload: string, jwk: SigningJwk): string {
  const header = { alg: jwk.kty === 'OKP' ? 'EdDSA' : 'ES384', kid: thumbprint(jwk), typ: format.typ }
  return `${toBase64url(canonicalBytes(header))}.${payload}`
}

function splitCompact<T>(format: SignedFormat<T>, jws: string, code: ErrorCode) {
  const parts = jws.split('.')
  const [header = '', payload = '', signature = ''] = parts
  if (parts.length !== 3 || jws.length > format.maxBytes * 2 + 1000)
    throw new CodedError(code, `${format.name} is not a compact JWS`)
  return under(code, () => ({
    header: parseHeader(format, header, code),
    payload: fromBase64url(payload, 'payload'),
    signature: fromBase64url(signature, 'signature'),
    input: utf8(`${header}.${payload}`),
  }))
}

function parseHeader<T>(format: SignedFormat<T>, text: string, code: ErrorCode): z.output<typeof Header> {
  const header = under(code, () =>
    checkShape(
      Header,
      parseCanonical(fromBase64url(text, 'protected header'), 'protected header'),
      'protected header',
      code,
    ),
  )
  if (header.typ !== format.typ)
    throw new CodedError(code, `${format.name}: typ is ${header.typ}, expected ${format.typ}`)
  return header
}

function isSignedBy(
  jwk: SigningJwk,
  header: { alg: string },
  input: Uint8Array,
  signature: Uint8Array,
): boolean {
  const key = importJwk(jwk)
  return jwk.kty === 'OKP'
    ? header.alg === 'EdDSA' && signature.byteLength === 64 && verify(null, input, key, signature)
    : header.alg === 'ES384' &&
        signature.byteLength === 96 &&
        verify('sha384', input, { key, dsaEncoding: 'ieee-p1363' }, signature)
}
