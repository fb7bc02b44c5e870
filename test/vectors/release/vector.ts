/**
 * A vector: one input, its required outcome, and the reason. docs/formats/release.md §10 says how to run them
 * elsewhere.
 */

import type { ErrorCode } from '#core/errors.ts'
import type { Ed25519Jwk, P256Jwk, SigningJwk } from '#core/jwk.ts'
import type { GeneralJws, QuorumRoot } from '#core/jws.ts'
import type { Deployment } from '#core/policy/envelope.ts'
import type { Named } from '#core/policy/floor.ts'
import type { LoadingVerifier } from '#core/policy/policyCheck.ts'
import type { Asker } from '#core/release/assertion.ts'
import type { ReleaseJob } from '#core/release/request.ts'
import type { TrustAnchors } from '#core/release/trust.ts'

type Bytes = string // unpadded base64url

export type Expected = {
  readonly providerRoot: QuorumRoot
  readonly audience: string
  readonly asker: Asker
  readonly boot: string
  readonly nonce: Bytes
  readonly wrapKey: P256Jwk
  readonly jobs: readonly ReleaseJob[]
  readonly simulation: boolean
  readonly now: number
  /** What verified freshness statements have named before. */
  readonly seen: readonly Named[]
}

export type Document = { readonly name: string; readonly document: GeneralJws }

type Operation =
  | {
      readonly operation: 'check-nonce'
      readonly input: {
        readonly nonce: Bytes
        readonly keys: readonly { readonly epoch: number; readonly key: Bytes }[]
        readonly audience: string
        readonly now: number
      }
    }
  | { readonly operation: 'read-request'; readonly input: { readonly body: string } }
  | {
      readonly operation: 'bind-request'
      readonly input: { readonly body: string; readonly reportData: Bytes; readonly audience: string }
    }
  | {
      readonly operation: 'verify-assertion'
      readonly input: {
        readonly assertion: string
        readonly clients: readonly { readonly id: string; readonly keys: readonly SigningJwk[] }[]
        readonly audience: string
        readonly nonce: Bytes
        readonly wrapKey: string
        readonly now: number
      }
    }
  | {
      readonly operation: 'verify-possession'
      readonly input: {
        readonly possession: Bytes
        readonly reportData: Bytes
        readonly evidenceKey: Ed25519Jwk
      }
    }
  | { readonly operation: 'trust-digest'; readonly input: { readonly anchors: TrustAnchors } }
  | {
      readonly operation: 'accept-answer'
      readonly input: { readonly response: unknown; readonly expected: Expected }
    }
  | {
      readonly operation: 'unwrap-key'
      readonly input: {
        readonly jwe: string
        readonly wrapKey: P256Jwk & { readonly d: Bytes }
        readonly nonce: Bytes
        readonly headerDigest: Bytes
      }
    }
  | {
      readonly operation: 'unwrap-list-key'
      readonly input: {
        readonly jwe: string
        readonly wrapKey: P256Jwk & { readonly d: Bytes }
        readonly nonce: Bytes
        readonly consentDigest: Bytes
        readonly index: number
        readonly count: number
      }
    }
  | {
      readonly operation: 'read-document'
      readonly input: Document & { readonly root: QuorumRoot }
    }
  | {
      readonly operation: 'load-policy'
      readonly input: Document & { readonly root: QuorumRoot; readonly verifier: LoadingVerifier }
    }
  | {
      readonly operation: 'in-force'
      readonly input: {
        readonly documents: readonly Document[]
        readonly root: QuorumRoot
        readonly deployment: Deployment
        readonly now: number
      }
    }
  | { readonly operation: 'name-result'; readonly input: { readonly grant: unknown } }
  | {
      readonly operation: 'verify-registration'
      readonly input: { readonly jws: string; readonly keys: readonly SigningJwk[] }
    }

export type Vector = Operation & {
  readonly name: string
  readonly spec: string
  readonly expect: 'accepted' | { readonly error: ErrorCode }
  /** Of an accepted operation that gives something. */
  readonly output?: unknown
  readonly note: string
}
