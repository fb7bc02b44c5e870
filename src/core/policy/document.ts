/**
 * Signed governance documents: policies, verifier keys and revocation lists, each a create-once object that
 * is named by its payload. Here one is read by itself; `inForce.ts` decides what counts among all of them.
 */
import { fromBase64url, sha256, toBase64url } from '../bytes.ts'
import { CodedError, codeOf, under } from '../errors.ts'
import {
  type GeneralJws,
  parseGeneral,
  type QuorumRoot,
  type RootKey,
  type SignedFormat,
  type Signer,
  signersOf,
  signGeneral,
} from '../jws.ts'
import { readEnvelope } from './envelope.ts'
import { documentName, expectName } from './objectName.ts'

/** One kind of document: the folder of its objects, and its format. */
export type Kind<T> = {
  readonly folder: string
  readonly format: SignedFormat<T>
  /** Then it counts by its number alone, also if its content does not match the schema. */
  readonly endsPredecessor: boolean
}

export type GovernanceDocument<T> = {
  readonly name: string
  readonly seq: number
  /** SHA-256 of the payload in base64url. */
  readonly digest: string
  readonly tenant: string
  readonly audience: string
  readonly issuedAt: number
  /** The keys of the root whose signatures verify: at least one. */
  readonly signers: readonly RootKey[]
  /** Bytes of the payload. */
  readonly size: number
  /** As stored. */
  readonly signed: GeneralJws
  /** Undefined if the payload does not match the schema of its kind: of another version, or a mistake. */
  readonly content: T | undefined
}

/** Payload in base64url, and up to 16 signatures. */
export function maxStoredBytes<T>({ format }: Kind<T>): number {
  return format.maxBytes * 2 + 16_384
}

/**
 * Throws `policy.invalid` for junk: no signer of the root has signed it, one of their signatures does not
 * verify, or it has another name than its payload gives it.
 */
export function readDocument<T>(
  kind: Kind<T>,
  name: string,
  bytes: Uint8Array,
  root: QuorumRoot,
): GovernanceDocument<T> {
  if (bytes.byteLength > maxStoredBytes(kind))
    throw new CodedError('policy.invalid', `${name} has more than ${maxStoredBytes(kind)} bytes`)
  const signed = parseGeneral(bytes, 'policy.invalid')
  const signers = signersOf(kind.format, signed, root, 'policy.invalid')
  if (signers.length === 0) throw new CodedError('policy.invalid', `${name} is signed by no signer`)
  const payload = under('policy.invalid', () => fromBase64url(signed.payload))
  const { seq, tenant, audience, issuedAt } = readEnvelope(payload)
  expectName(name, documentName(kind.folder, seq, payload))
  const content = decoded(kind.format, payload)
  if (content === undefined && !kind.endsPredecessor)
    throw new CodedError('policy.invalid', `${name} does not match the schema`)
  return {
    name,
    seq,
    digest: toBase64url(sha256(payload)),
    tenant,
    audience,
    issuedAt,
    signers,
    size: payload.byteLength,
    signed,
    content,
  }
}

/** Signs a document and names it, for its publication. */
export async function signDocument<T extends { readonly seq: number }>(
  kind: Kind<T>,
  content: T,
  signers: readonly Signer[],
): Promise<{ readonly name: string; readonly signed: GeneralJws }> {
  return {
    name: documentName(kind.folder, content.seq, kind.format.encode(content)),
    signed: await signGeneral(kind.format, content, signers),
  }
}

/** How many persons have signed it, without those whose keys are excluded. */
export function personsOf(
  { signers }: Pick<GovernanceDocument<unknown>, 'signers'>,
  excluded: ReadonlySet<string>,
): number {
  return new Set(signers.filter(({ kid }) => !excluded.has(kid)).map(({ person }) => person)).size
}

function decoded<T>(format: SignedFormat<T>, payload: Uint8Array): T | undefined {
  try {
    return format.decode(payload)
  } catch (error) {
    if (codeOf(error) === 'internal.fault') throw error
    return undefined
  }
}
