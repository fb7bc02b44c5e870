/**
 * The signed header of a sealed object v1 (docs/formats/sealed.md §1.1): the object's identity and its
 * wrapped DEK.
 */
import { z } from 'zod'
import { sha256, utf8 } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import {
  base64urlBytes,
  contentType,
  count,
  name,
  objectName,
  ocid,
  sealId,
  time,
  version1,
} from '../fields.ts'
import { defineSigned } from '../jws.ts'

const Schema = z.strictObject({
  v: version1,
  tenant: name,
  dataset: name,
  /** The name under which the object is stored: its sealId, unless the provider chose another. */
  object: objectName,
  sealId,
  /** Bytes of plaintext. */
  size: count,
  contentType,
  sealedAt: time,
  custody: z.strictObject({
    mode: z.literal('rewrap'),
    keyId: ocid,
    keyVersionId: ocid,
    /** The Vault's ciphertext of the DEK; opaque. */
    wrappedDek: base64urlBytes(32, 1024),
  }),
})
export type SealHeader = z.output<typeof Schema>

/** Signed by a sealing key that the policy lists for the dataset. */
export const SealHeaderFormat = defineSigned(
  'cw-seal',
  defineFormat({ name: 'seal header', maxBytes: 2900, code: 'object.malformed', schema: Schema }),
)

/** SHA-256 of the compact JWS as it is in the object. Grants, records and results name a header by it. */
export function headerDigest(headerJws: string): Buffer {
  return sha256(utf8(headerJws))
}

/** The Vault's associated data for the DEK: identity only, so nothing in it depends on the wrapped DEK. */
export function sealAssociatedData(
  header: Pick<SealHeader, 'tenant' | 'dataset' | 'object' | 'sealId'>,
): Record<string, string> {
  return {
    v: '1',
    tenant: header.tenant,
    dataset: header.dataset,
    object: header.object,
    sealId: header.sealId,
  }
}
