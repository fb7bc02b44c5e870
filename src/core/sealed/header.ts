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
import { isMemberName, memberName, setId } from './set.ts'

/** FHIR R4 §3.1.0.1.2 in one spelling: no credentials, query, fragment or escape, and no slash at the end. */
export const baseUrl = z
  .string()
  .max(200)
  .regex(
    /^https:\/\/[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[1-9][0-9]{0,4})?(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._~-]+)*$/,
    'must be the https URL of a FHIR base, without query, fragment and final slash',
  )

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
  /** The set of which the object is a member; null for an object of its own. */
  set: setId.nullable(),
  /** The view by which the content was minimised before it was sealed: none, for now. */
  minimised: z.null(),
  /** The FHIR base of the export: what its relative references are relative to. Null if that is not known. */
  baseUrl: baseUrl.nullable(),
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
  defineFormat({
    name: 'seal header',
    // 4,096 bytes as a compact JWS by an ES384 key.
    maxBytes: 2890,
    code: 'object.malformed',
    schema: Schema.refine(
      ({ set, sealId: id, object }) =>
        set === null ? !isMemberName(object) : object === memberName(set, id),
      'object must be set/<set>/<sealId> for a member of a set, and lie outside set/ otherwise',
    ),
  }),
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
