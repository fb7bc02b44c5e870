/**
 * What is kept besides the logs, so that every decision can be made again years later: objects in the
 * Verifiers' bucket that are named by their SHA-256 and written once. An object is stored before the checkpoint
 * over the entry that names it.
 */
import { z } from 'zod'
import { sha256, toBase64url, toHex } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import { base64urlBytes, compactJws, sha256Digest, time, version1 } from '../fields.ts'
import { MAX_REQUEST_BYTES } from '../release/request.ts'
import { PRODUCTS } from '../snp/product.ts'
import type { LogObject } from './growth.ts'

/** The kinds, which are also the folders, and the most bytes of one. */
export const RECORDED = {
  /** An authentic request: `RequestRecordFormat`. */
  request: MAX_REQUEST_BYTES + 64 * 1024,
  /** The grants of one request: `GrantsRecordFormat`. At most 256, one per object. */
  grants: 20 * 1024 * 1024,
  /** A certificate in DER. */
  certificate: 16 * 1024,
  /** A revocation list of AMD's in DER. */
  crl: 1024 * 1024,
  /** The terms of a permission in canonical JSON. */
  terms: 64 * 1024,
} as const
export type RecordedKind = keyof typeof RECORDED

/** An object of the record, and its digest as entries name it: SHA-256 in base64url. */
export type Recorded = LogObject & { readonly digest: string }

export function recorded(kind: RecordedKind, bytes: Uint8Array): Recorded {
  const digest = sha256(bytes)
  return { name: nameOf(kind, digest), digest: toBase64url(digest), bytes: Buffer.from(bytes) }
}

/** `<kind>/<SHA-256 in lower-case hex>`. */
export function recordedName(kind: RecordedKind, digest: string): string {
  return nameOf(kind, Buffer.from(digest, 'base64url'))
}

function nameOf(kind: RecordedKind, digest: Uint8Array): string {
  return `${kind}/${toHex(digest)}`
}

const KINDS: ReadonlySet<string> = new Set(Object.keys(RECORDED))

/** True if it is the name of an object of the record. */
export function isRecordedName(name: string): boolean {
  const [, kind = ''] = /^([a-z]+)\/[0-9a-f]{64}$/.exec(name) ?? []
  return KINDS.has(kind)
}

const RequestRecord = z.strictObject({
  v: version1,
  /** The time of the decision. */
  time,
  report: base64urlBytes(1184),
  /** Digests of the certificates that came with the report, in their order. */
  certs: z.array(sha256Digest).min(1).max(3),
  /** The root that the chain was verified up to, and the authorities that were held under it. */
  root: z.strictObject({
    product: z.enum(PRODUCTS),
    ark: sha256Digest,
    ask: sha256Digest.nullable(),
    asvk: sha256Digest.nullable(),
  }),
  /** The revocation list of that root that was held. */
  crl: sha256Digest.nullable(),
  runtimeData: base64urlBytes(1, 4096),
  clientAssertion: compactJws.max(4096),
  possession: base64urlBytes(64),
  /** The bytes of the jobs document, in base64url. */
  jobs: z.string().regex(/^[A-Za-z0-9_-]+$/),
})
export type RequestRecord = z.output<typeof RequestRecord>

export const RequestRecordFormat = defineFormat({
  name: 'recorded request',
  maxBytes: RECORDED.request,
  code: 'evidence.malformed',
  schema: RequestRecord,
})

const GrantsRecord = z.strictObject({
  v: version1,
  /** The certificate of the key that signed the grants, by the grant CA. */
  grantKey: compactJws,
  /** In the order of their jobs. */
  grants: z.array(compactJws).min(1).max(256),
})
export type GrantsRecord = z.output<typeof GrantsRecord>

export const GrantsRecordFormat = defineFormat({
  name: 'recorded grants',
  maxBytes: RECORDED.grants,
  code: 'evidence.malformed',
  schema: GrantsRecord,
})
