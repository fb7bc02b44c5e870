/** Names of governance objects. The content of an object gives its name. */
import { sha256, toHex } from '../bytes.ts'
import { CodedError, type ErrorCode } from '../errors.ts'

export type DocumentName = { readonly kind: string; readonly seq: number; readonly digest: string }

const DIGITS = 9
/** The lists of a dataset have a folder of their own: `consent/<dataset>/`. */
const NAME = /^([a-z-]+|consent\/[a-z0-9][a-z0-9.-]{0,63})\/(\d{9})-([0-9a-f]{32})$/

/**
 * `<kind>/<number>-<32 hex of SHA-256(payload)>`. The number is zero-padded, so that a listing is in order;
 * with the digest no one can take the name of a document that he does not know.
 */
export function documentName(kind: string, seq: number, payload: Uint8Array): string {
  return `${documentPrefix(kind, seq)}${toHex(sha256(payload)).slice(0, 32)}`
}

/** All documents of one number. */
export function documentPrefix(kind: string, seq: number): string {
  return `${kind}/${String(seq).padStart(DIGITS, '0')}-`
}

/** Undefined for a name that no governance document has. */
export function parseDocumentName(name: string): DocumentName | undefined {
  const [, kind, seq, digest] = NAME.exec(name) ?? []
  if (kind === undefined || digest === undefined || Number(seq) === 0) return undefined
  return { kind, seq: Number(seq), digest }
}

/** Throws `code` unless the object that was read under `name` is named `expected` by its content. */
export function expectName(name: string, expected: string, code: ErrorCode = 'policy.invalid'): void {
  if (name !== expected) throw new CodedError(code, `${name} contains the object ${expected}`)
}
