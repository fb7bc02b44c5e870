/**
 * A vector: one input, its required outcome, and the reason. docs/formats/sealed.md says how to run them
 * elsewhere.
 */
import type { ErrorCode } from '#core/errors.ts'
import type { SigningJwk } from '#core/jwk.ts'

type Bytes = string // unpadded base64url

export type SignedInput = { readonly jws: string; readonly keys: readonly SigningJwk[] }

type Operation =
  | { readonly operation: 'read-seal-header'; readonly input: { readonly prefix: Bytes } }
  | { readonly operation: 'read-set-record'; readonly input: { readonly object: Bytes } }
  | {
      readonly operation: 'open-floe'
      readonly input: {
        readonly dek: Bytes
        readonly aad: Bytes
        readonly segmentBytes: number
        readonly rotationMask: number
        readonly ciphertext: Bytes
      }
    }
  | {
      readonly operation: 'open-object'
      readonly input: { readonly dek: Bytes; readonly size: number; readonly object: Bytes }
    }
  | {
      readonly operation: 'open-result'
      readonly input: { readonly resultId: string; readonly dek: Bytes; readonly parts: readonly Bytes[] }
    }
  | {
      readonly operation: 'open-list'
      readonly input: {
        readonly dek: Bytes
        readonly tenant: string
        readonly dataset: string
        readonly list: string
        readonly object: Bytes
      }
    }
  | {
      readonly operation: 'read-list'
      readonly input: { readonly beginning: Bytes; readonly size: number }
    }
  | {
      readonly operation:
        | 'verify-seal-header'
        | 'verify-seal-record'
        | 'verify-set-record'
        | 'verify-result-manifest'
      readonly input: SignedInput
    }

export type Vector = Operation & {
  readonly name: string
  readonly spec: string
  readonly expect: 'accepted' | { readonly error: ErrorCode }
  /** Of an accepted operation: bytes, or the fields that it gives. */
  readonly output?: unknown
  readonly note: string
}
