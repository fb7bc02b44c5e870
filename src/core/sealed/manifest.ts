/**
 * The result manifest v1: the commit point of a result. It is written once, under a name that the grant
 * fixes. It names the parts of the result, its wrapped DEK and recipient, the boot that made it, and the
 * release that allowed it.
 */
import { z } from 'zod'
import { sha256, toBase64url, utf8 } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import {
  base64urlBytes,
  boot,
  compactJws,
  contentType,
  count,
  keyThumbprint,
  name,
  noteText,
  ocid,
  randomId,
  resultId,
  sha256Digest,
  time,
  traceparent,
  version1,
} from '../fields.ts'
import { defineSigned } from '../jws.ts'

const Schema = z.strictObject({
  v: version1,
  resultId,
  attempt: randomId,
  boot,
  /** Sizes and SHA-256 of `r/<resultId>/<attempt>/<n>`, n from 0; together they are one FLOE ciphertext. */
  parts: z
    .array(z.strictObject({ size: count, digest: sha256Digest }))
    .min(1)
    .max(100_000),
  /** SHA-256 over all parts in order, as announced in `result.intent`. */
  contentDigest: sha256Digest,
  contentType,
  /** The result DEK, RSA-OAEP-256 to `recipient`. */
  wrappedDek: base64urlBytes(256, 512),
  recipient: z.strictObject({ keyId: ocid, keyVersionId: ocid, thumbprint: keyThumbprint }),
  releaseId: randomId,
  /** Of the job, from the upload of its object on. */
  traceparent,
  grantDigest: sha256Digest,
  /** The question that this answers: SHA-256 over the terms of the grant. */
  termsDigest: sha256Digest,
  headerDigests: z.array(sha256Digest).min(1).max(64),
  workload: z.strictObject({ name, digest: sha256Digest }),
  simulation: z.boolean(),
  committedAt: time,
  /**
   * The checkpoint of the Verifier's log from the grant, and of the worker's log after `result.intent`
   * (signed notes). A Verifier has cosigned the second.
   */
  verifierCheckpoint: noteText,
  workerCheckpoint: noteText,
  /** Index of `result.intent` in the log of `boot`. */
  intentIndex: count,
  /** The Verifier's statement that this output may be visible, and the certificate of the key that signed it. */
  permit: compactJws,
  permitKey: compactJws,
})
export type ResultManifest = z.output<typeof Schema>

export const ResultManifestFormat = defineSigned(
  'cw-result',
  defineFormat({
    name: 'result manifest',
    maxBytes: 8 * 1024 * 1024,
    code: 'record.malformed',
    schema: Schema,
  }),
)

/** SHA-256 of the compact JWS of a manifest. Evidence names a manifest by it. */
export function manifestDigest(manifest: string): string {
  return toBase64url(sha256(utf8(manifest)))
}

export function manifestName(id: string): string {
  return `r/${id}/result`
}

export function partName(id: string, attempt: string, part: number): string {
  return `r/${id}/${attempt}/${part}`
}
