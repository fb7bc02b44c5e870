/** POST /v1/releases: the request and its response. */
import { z } from 'zod'
import { canonicalBytes, defineFormat } from '../canonical.ts'
import {
  base64urlBytes,
  bucketName,
  compactJwe,
  compactJws,
  etag,
  objectName,
  traceparent,
} from '../fields.ts'
import { GeneralJws } from '../jws.ts'
import { MAX_EARLIER } from '../policy/verifierKeys.ts'
import { MAX_MEMBERS } from '../sealed/set.ts'

export const MAX_REQUEST_BYTES = 1.75 * 1024 * 1024
const MAX_OBJECTS_PER_REQUEST = 256
/** Each object has four members, and may have a job of its own with three. */
const MAX_JOBS_VALUES = 1 + MAX_OBJECTS_PER_REQUEST * 9

const ObjectReference = z.strictObject({
  /** The compact JWS as read from the object. */
  header: compactJws,
  bucket: bucketName,
  name: objectName,
  etag,
})
export type ObjectReference = z.output<typeof ObjectReference>

/** Several objects are one job only if a set record (`set`) says so. One object needs none. */
const ReleaseJob = z.strictObject({
  set: compactJws.optional(),
  /** Of the job message. It joins the evidence of both sides; no rule uses it. */
  traceparent,
  objects: z.array(ObjectReference).min(1).max(MAX_MEMBERS),
})
export type ReleaseJob = z.output<typeof ReleaseJob>

/** No job at all is a preflight: it asks whether a job of this worker could be granted. */
export const ReleaseJobsFormat = defineFormat({
  name: 'jobs',
  maxBytes: MAX_REQUEST_BYTES,
  maxValues: MAX_JOBS_VALUES,
  code: 'request.malformed',
  schema: z
    .array(ReleaseJob)
    .max(MAX_OBJECTS_PER_REQUEST)
    .refine(
      (jobs) => jobs.reduce((sum, job) => sum + job.objects.length, 0) <= MAX_OBJECTS_PER_REQUEST,
      `at most ${MAX_OBJECTS_PER_REQUEST} objects per request`,
    ),
})

/** What a request has room for besides its jobs: report, certificates, runtime data and assertion. */
const OTHER_PARTS_BYTES = 32 * 1024
const MAX_JOBS_BYTES = ((MAX_REQUEST_BYTES - OTHER_PARTS_BYTES) * 3) / 4

/** Counts jobs into one request: says of each whether it still fits. There is room for any one job alone. */
export function createRoom(): (job: ReleaseJob) => boolean {
  let objects = 0
  let bytes = 2
  return (job) => {
    const [objectsThen, bytesThen] = [objects + job.objects.length, bytes + canonicalBytes(job).length + 1]
    if (objectsThen > MAX_OBJECTS_PER_REQUEST || bytesThen > MAX_JOBS_BYTES) return false
    objects = objectsThen
    bytes = bytesThen
    return true
  }
}

/** Plain JSON on the wire. The parts that are hashed or signed are strings inside it. */
export const ReleaseRequest = z.strictObject({
  evidence: z.strictObject({
    type: z.literal('sev-snp'),
    report: base64urlBytes(1184),
    /** DER: the VCEK or VLEK first, then optionally ASK or ASVK. */
    certs: z.array(base64urlBytes(256, 4096)).min(1).max(3),
  }),
  runtimeData: base64urlBytes(1, 4096),
  clientAssertion: compactJws.max(4096),
  /** Ed25519 by `evidenceKey` of the runtime data over REPORT_DATA. */
  possession: base64urlBytes(64),
  /** The one large part: bytes in base64url, decoded when the rest is worth it (binding.ts). */
  jobs: z.string().min(1),
})
export type ReleaseRequest = z.output<typeof ReleaseRequest>

/** The answer to one job. */
const ReleaseAnswer = z.union([
  z.strictObject({
    grant: compactJws,
    /** Of the objects, in order. */
    keys: z.array(compactJwe).min(1).max(MAX_MEMBERS),
    /** Of the consent lists; null if the dataset has none. */
    consentKeys: compactJwe.nullable(),
  }),
  /** A refusal that the grant key signed (refusal.ts). */
  z.strictObject({ refusal: compactJws }),
])
export type ReleaseAnswer = z.output<typeof ReleaseAnswer>

/** What leads from the provider root to the signature of each answer, and what says that it is not an old one. */
const envelope = {
  verifierKeys: GeneralJws,
  grantKey: compactJws,
  /** The freshness statement under which the request was decided. */
  freshness: compactJws,
}

export const ReleaseResponse = z.strictObject({
  ...envelope,
  /**
   * Verifier keys of before that certified other grant CAs, as the quorum signed them: those CAs registered the
   * boots whose results still count.
   */
  earlierKeys: z.array(GeneralJws).max(MAX_EARLIER),
  answers: z.array(ReleaseAnswer).max(MAX_OBJECTS_PER_REQUEST),
})
export type ReleaseResponse = z.output<typeof ReleaseResponse>

/** The request was refused as a whole. These are members of its problem (RFC 9457). */
export const RefusedResponse = z.strictObject({ ...envelope, refusal: compactJws })
export type RefusedResponse = z.output<typeof RefusedResponse>
