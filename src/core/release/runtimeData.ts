/** Runtime data v1: what a report binds besides the machine itself. */
import { z } from 'zod'
import { sha512, utf8 } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import { audience, base64urlBytes, boot, sha256Digest, version1 } from '../fields.ts'
import { Ed25519Jwk, P256Jwk } from '../jwk.ts'
import { NONCE_BYTES } from './nonce.ts'

const Schema = z.strictObject({
  v: version1,
  nonce: base64urlBytes(NONCE_BYTES),
  aud: audience,
  /** Fresh for each request. Only its private half opens the released keys. */
  wrapKey: P256Jwk,
  /** It exists only as long as the boot. */
  evidenceKey: Ed25519Jwk,
  boot,
  /** SHA-256 of the jobs document as sent. */
  jobsDigest: sha256Digest,
  /** SHA-256 of the client assertion as ASCII. */
  assertion: sha256Digest,
  trust: sha256Digest,
  /** A claim: recorded and shown as claimed. No rule uses it. */
  software: z.string().regex(/^[\x20-\x7e]{1,200}$/),
})
export type RuntimeData = z.output<typeof Schema>

export const RuntimeDataFormat = defineFormat({
  name: 'runtime data',
  maxBytes: 4096,
  code: 'request.malformed',
  schema: Schema,
})

const DOMAIN = utf8('confidential-worker/release/v1\0')

/** REPORT_DATA, 64 bytes: SHA-512 over the domain and the exact bytes of the runtime data. */
export function reportDataOf(runtimeData: Uint8Array): Buffer {
  return sha512(DOMAIN, runtimeData)
}
