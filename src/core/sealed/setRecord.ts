/**
 * The set record v1 (docs/formats/sealed.md §3.1): the provider's statement that some sealed objects are one
 * job. It is an object of the outbox, and its event makes the job.
 */
import { z } from 'zod'
import { utf8 } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import { CodedError } from '../errors.ts'
import { count, name, sealId, sha256Digest, time, version1 } from '../fields.ts'
import { defineSigned } from '../jws.ts'
import { MAX_MEMBERS, ownName, setId } from './set.ts'

const MAGIC = utf8('CWSETR1\n')
const MAX_PAYLOAD_BYTES = 10 * 1024
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

const Member = z.strictObject({
  sealId,
  headerDigest: sha256Digest,
  /** Bytes of plaintext, as in the header. */
  size: count,
})

const Schema = z.strictObject({
  v: version1,
  tenant: name,
  dataset: name,
  set: setId,
  /** The name under which the record is stored: the set's id, unless the provider chose another. */
  name: ownName,
  /** In the order in which their contents are read. */
  members: z
    .array(Member)
    .min(1)
    .max(MAX_MEMBERS)
    .refine(
      (members) => new Set(members.map((member) => member.sealId)).size === members.length,
      'must name each member once',
    ),
  sealedAt: time,
})
export type SetRecord = z.output<typeof Schema>

/** Signed by a sealing key that the policy lists for the dataset. */
export const SetRecordFormat = defineSigned(
  'cw-set',
  defineFormat({
    name: 'set record',
    maxBytes: MAX_PAYLOAD_BYTES,
    code: 'object.malformed',
    schema: Schema,
  }),
)

/** The stored object has at most so many bytes: the payload in base64url, header and signature, the magic. */
export const SET_RECORD_BYTES = Math.ceil((MAX_PAYLOAD_BYTES * 4) / 3) + 512

/** Whether an object that begins so is a set record. */
export function isSetRecord(prefix: Uint8Array): boolean {
  return MAGIC.equals(prefix.subarray(0, MAGIC.byteLength))
}

/** The whole object. */
export function encodeSetRecord(jws: string): Buffer {
  return Buffer.concat([MAGIC, utf8(jws)])
}

/** The compact JWS of a whole object. Throws `object.malformed`. */
export function readSetRecord(bytes: Uint8Array): string {
  const jws = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(
    'latin1',
    MAGIC.byteLength,
  )
  if (!isSetRecord(bytes) || bytes.byteLength > SET_RECORD_BYTES || !COMPACT_JWS.test(jws))
    throw new CodedError(
      'object.malformed',
      `the object of ${bytes.byteLength} bytes is not CWSETR1 and a compact JWS, at most ${SET_RECORD_BYTES} bytes`,
    )
  return jws
}
