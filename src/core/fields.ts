/** The fields that several formats share, each with one grammar. */
import { z } from 'zod'
import { fromBase64url } from './bytes.ts'
import { hexPattern, NAME, type Pattern } from './patterns.ts'
import { LAST_SECOND } from './time.ts'

const matching = ({ pattern, must }: Pattern) => z.string().regex(pattern, must)
const bounded = (pattern: RegExp, what: string) => matching({ pattern, must: `must be ${what}` })

/** `exact` bytes as unpadded base64url, canonical (no stray bits). */
export function base64urlBytes(min: number, max = min) {
  const description = `${min === max ? min : `${min} to ${max}`} bytes in unpadded base64url`
  return (
    z
      .string()
      .refine((text) => {
        try {
          const { byteLength } = fromBase64url(text)
          return byteLength >= min && byteLength <= max
        } catch {
          return false
        }
      }, `must be ${description}`)
      // For JSON Schema, which cannot see into the check.
      .meta({
        description,
        pattern: '^[A-Za-z0-9_-]*$',
        minLength: base64urlLength(min),
        maxLength: base64urlLength(max),
      })
  )
}

const base64urlLength = (bytes: number) => Math.ceil((bytes * 4) / 3)

export const hexBytes = (bytes: number) => matching(hexPattern(bytes))

/** A newer Verifier may refuse with a code that this version does not know. */
export const refusalCode = bounded(
  /^(?=.{1,64}$)[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+$/,
  'a code in dotted lower case',
)

export const count = z.int().min(0)
export const version1 = z.literal(1)
/** Seconds since the epoch, UTC. */
export const time = z.int().min(0).max(LAST_SECOND)
/** The sequence number of a governance object: 1, 2, 3, … */
export const sequence = z.int().min(1).max(999_999_999)
/** A name given by people to a tenant, dataset, client, release, grant or workload. */
export const name = matching(NAME)
export const sha256Digest = base64urlBytes(32)
export const sealId = hexBytes(16)
export const resultId = hexBytes(32)
/** 128 random bits. */
export const randomId = hexBytes(16)
/** The first 26 characters of base32(SHA-256(evidence key)). */
export const boot = bounded(/^[a-z2-7]{26}$/, '26 characters of base32')
export const keyThumbprint = base64urlBytes(32)
/** An Object Storage name as this project writes it. `.` and `..` would change the path of a request. */
export const objectName = bounded(
  /^(?!(?:.*\/)?\.\.?(?:\/|$))[a-z0-9/_.-]{1,200}$/,
  'an object name of a-z, 0-9 and / _ . - without the segments . and .., at most 200 characters',
)
export const bucketName = bounded(/^(?!\.\.?$)[A-Za-z0-9_.-]{1,256}$/, 'a bucket name')
export const namespaceName = bounded(/^[A-Za-z0-9_-]{1,128}$/, 'an Object Storage namespace')
export const etag = bounded(/^[A-Za-z0-9_-]{1,128}$/, 'an entity tag')
export const ocid = bounded(/^ocid1\.[a-z0-9._-]{1,240}$/, 'an OCID')
export const contentType = bounded(
  /^[a-z0-9.+-]{1,64}\/[a-z0-9.+-]{1,64}$/,
  'a media type without parameters',
)
/** W3C Trace Context, version 00. Ids of zeros are invalid there. */
export const traceparent = bounded(
  /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/,
  'a W3C traceparent',
)
/** The base URL of a Verifier. */
export const audience = bounded(/^https:\/\/[a-z0-9.:-]{1,200}$/, 'an https origin')
export const compactJws = bounded(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/, 'a compact JWS').max(
  65_536,
)
export const compactJweOf = (maxCharacters: number) =>
  bounded(/^(?:[A-Za-z0-9_-]+\.){4}[A-Za-z0-9_-]+$/, 'a compact JWE').max(maxCharacters)
export const compactJwe = compactJweOf(4096)
export const purpose = bounded(/^[A-Z][A-Z0-9_]{1,31}$/, 'a purpose-of-use code such as HRESCH')
export const scopeText = z.string().min(1).max(512)
/** A signed note (c2sp.org/signed-note). */
export const noteText = z.string().min(1).max(8192)
