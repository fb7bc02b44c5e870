/**
 * Evidence entries v1: the closed list of events in a log. Canonical JSON of at most 64 KiB, closed schemas,
 * closed codes; no names, no patient ids, no free text. Ids of releases, boots and results and digests of
 * headers are random or derived from random values. Counts that could reveal something about a person are
 * sealed to the provider's audit key.
 */
import { z } from 'zod'
import { defineFormat } from '../canonical.ts'
import { isErrorCode } from '../errors.ts'
import {
  boot,
  compactJweOf,
  count,
  keyThumbprint,
  name,
  purpose,
  randomId,
  resultId,
  sequence,
  sha256Digest,
  time,
  traceparent,
} from '../fields.ts'
import { Totals, UNITS } from '../release/quotaChain.ts'

const code = z.string().refine(isErrorCode, 'must be a code of docs/errors.md')
const assurance = z.enum(['measured', 'platform'])

/**
 * The finding of one rule, in the terms of its field. The values come from the report and the policy, never a
 * person; what the requester chose as text is a digest (core/release/unsaid.ts).
 */
const reason = z.strictObject({
  code,
  field: z.string().max(80),
  expected: z.string().max(400),
  actual: z.string().max(400),
  remedy: z.string().max(400),
})

/** Reference values that a refused report came near to, and the fields in which it differs from one. */
export const MAX_NEAREST = 3
export const MAX_NEAREST_FIELDS = 16

/** Of the jobs that a refusal is about: the first ones, each once. */
export const MAX_TRACES = 16
const traceparents = z.array(traceparent).max(MAX_TRACES)

/** How far a report was from some reference values. */
const distance = z.strictObject({
  reference: name,
  /** Violations of all rules. Several may be about one field. */
  differences: count,
  fields: z.array(z.string().max(80)).max(MAX_NEAREST_FIELDS),
})

/** The datasets of the policy that a refused request asked for: the first ones, each once. */
export const MAX_DATASETS = 16

const attestation = {
  runtimeDataDigest: sha256Digest,
  reportDigest: sha256Digest,
  measurement: z.string().regex(/^[0-9a-f]{96}$/),
}

/** The request that an entry is about. */
const request = {
  /** Of `request/`, from which the decision can be made again (record.ts). */
  requestDigest: sha256Digest,
  /** Of the client assertion as ASCII, and its id. */
  tokenDigest: sha256Digest,
  jti: randomId,
  /** Of the scopes that it asks for; null if it leaves them to the permission. */
  scopesDigest: sha256Digest.nullable(),
}

const entry = <Event extends string, Shape extends z.ZodRawShape>(event: Event, shape: Shape) =>
  z.strictObject({ v: z.literal(1), event: z.literal(event), time, ...shape })

const Schema = z.discriminatedUnion('event', [
  // Any log
  entry('log.opened', {
    role: z.enum(['worker', 'verifier']),
    boot,
    software: z.string().max(200),
    simulation: z.boolean(),
  }),
  entry('log.closed', { reason: z.enum(['drained', 'stopped']) }),

  // The Verifier's decisions: decided → issued | failed | interrupted
  entry('policy.loaded', {
    policySeq: sequence,
    policyDigest: sha256Digest,
    /** How many revocation lists this boot knows now, and the digests of those that are new to this log. */
    revocationSeq: count,
    revocations: z.array(sha256Digest).max(1000),
  }),
  entry('boot.registered', { boot, reference: name, assurance, ...attestation }),
  /**
   * One per authentic request of an approved worker. The entries on its jobs name it by index; those of a
   * preflight are none.
   */
  entry('worker.accepted', {
    boot,
    client: name,
    purpose,
    nonceDigest: sha256Digest,
    reference: name,
    assurance,
    policySeq: sequence,
    revocationSeq: count,
    ...attestation,
    ...request,
  }),
  /** A request that is refused as a whole. */
  entry('worker.refused', {
    denialId: randomId,
    boot,
    client: name,
    /** Null if no permission of the policy has it: the reasons then have its digest. */
    purpose: purpose.nullable(),
    /** Those of its jobs that the policy has. */
    datasets: z.array(name).max(MAX_DATASETS),
    /** Of all its jobs. */
    headerDigests: z.array(sha256Digest).max(256),
    traceparents,
    reasons: z.array(reason).min(1).max(64),
    /** Nearest first; empty if the machine is not why it was refused. */
    nearest: z.array(distance).max(MAX_NEAREST),
    policySeq: sequence,
    revocationSeq: count,
    ...attestation,
    ...request,
  }),
  entry('release.decided', {
    releaseId: randomId,
    /** The index of `worker.accepted` in this log. */
    accepted: count,
    /** Of the job: the worker's entries about it have the same one. */
    traceparent,
    permission: name,
    dataset: name,
    headerDigests: z.array(sha256Digest).min(1).max(64),
    /** The terms that are granted, which `terms/` has, and their expanded scopes. */
    edition: sequence,
    termsDigest: sha256Digest,
    scopesDigest: sha256Digest,
    /** The list of withdrawn patients; null if the dataset has none. */
    consent: z.strictObject({ seq: sequence, digest: sha256Digest }).nullable(),
    disclosure: z.boolean(),
    /** The window of the permission's quota, and what was charged to it, with this release. */
    quota: z.strictObject({ begins: time, used: Totals }),
  }),
  /** `grantsDigest`: of `grants/`, which holds the grants of the request. */
  entry('release.issued', { releaseId: randomId, grantDigest: sha256Digest, grantsDigest: sha256Digest }),
  entry('release.failed', { releaseId: randomId, code }),
  /**
   * A later boot's word about a log that stood still: it ends at this checkpoint, without an end of the
   * release.
   */
  entry('release.interrupted', {
    releaseId: randomId,
    verifier: z.strictObject({ boot, size: sequence, checkpointDigest: sha256Digest }),
  }),
  entry('release.refused', {
    denialId: randomId,
    accepted: count,
    /** Null if the policy does not have it: the reasons then have its digest. */
    dataset: name.nullable(),
    /** Of all jobs of the request that are refused for the same reasons. */
    headerDigests: z.array(sha256Digest).min(1).max(256),
    traceparents,
    reasons: z.array(reason).min(1).max(64),
    /** The limit that refuses them, null if none does. */
    quota: z
      .strictObject({
        permission: name,
        unit: z.enum(UNITS),
        limit: count,
        used: count,
        asked: count,
        ends: time,
      })
      .nullable(),
  }),
  /** Requests that failed before anything in them was authentic: one entry per code, caller and minute. */
  entry('requests.refused', { code, caller: sha256Digest, minute: time, count }),

  /** An intent in a worker's log that may not become visible. */
  entry('permit.refused', { denialId: randomId, boot, index: count, code }),

  // The worker's use of a key: key.received → result.intent → result.visible | job.failed
  entry('key.received', {
    jobId: randomId,
    traceparent,
    releaseId: randomId,
    grantDigest: sha256Digest,
    headerDigests: z.array(sha256Digest).min(1).max(64),
    verifier: z.strictObject({ boot, index: count, checkpointDigest: sha256Digest }),
  }),
  entry('release.denied', { jobId: randomId, traceparent, denialId: randomId, code }),
  entry('result.intent', {
    releaseId: randomId,
    resultId,
    attempt: randomId,
    contentDigest: sha256Digest,
    /** Of the plaintext, under a key of the dataset: the same result again has the same one. */
    outputDigest: sha256Digest,
    /** Of the grant. */
    termsDigest: sha256Digest,
    recipient: keyThumbprint,
    /** Compact JWE to the grant's audit key: resources read, kept and withheld, by type and reason. */
    counts: compactJweOf(16_384),
  }),
  entry('result.visible', { releaseId: randomId, resultId, attempt: randomId, manifestDigest: sha256Digest }),
  entry('result.superseded', { releaseId: randomId, resultId, manifestDigest: sha256Digest }),
  entry('result.foreign', { releaseId: randomId, resultId, manifestDigest: sha256Digest }),
  entry('job.failed', { jobId: randomId, traceparent, releaseId: randomId.nullable(), code }),
  entry('job.returned', { jobId: randomId, traceparent, code, notBefore: time }),
  entry('job.dead-lettered', {
    jobId: randomId,
    traceparent: traceparent.nullable(),
    code,
    attempts: count,
    /** Of its objects; empty if their headers could not be read. */
    headerDigests: z.array(sha256Digest).max(64),
  }),
])

export type Entry = z.output<typeof Schema>
/** An entry before the log adds its time. */
export type EntryBody = Entry extends infer E ? (E extends Entry ? Omit<E, 'v' | 'time'> : never) : never

export const EntryFormat = defineFormat({
  name: 'evidence entry',
  maxBytes: 65_535,
  code: 'evidence.malformed',
  schema: Schema,
})

/**
 * The fields of each event beside `v`, `event` and `time`: docs/formats/evidence.md is tested against them.
 */
export const ENTRY_FIELDS: ReadonlyMap<Entry['event'], readonly string[]> = new Map(
  Schema.options.map(({ shape: { v: _v, event, time: _time, ...fields } }) => [
    event.value,
    Object.keys(fields),
  ]),
)

/** The content that the worker seals to the audit key: `counts` in `result.intent`. */
export const Counts = z.strictObject({
  read: count,
  kept: z.record(z.string().regex(/^[A-Za-z]{1,64}$/), count),
  withheld: z.record(z.string().regex(/^[a-z.-]{1,40}$/), count),
})
export type Counts = z.output<typeof Counts>
