/** Texts from stream, events and state bucket: jobs, events, dead letters, decisions and attempts. */
import { sha256, toBase64url, utf8 } from '#core/bytes.ts'
import { canonicalBytes, type Format } from '#core/canonical.ts'
import {
  claimName,
  claimNumberOf,
  claimText,
  endText,
  parseClaim,
  parseEnd,
  retryName,
  roundInForce,
} from '#core/job/attempt.ts'
import { DeadLetterFormat } from '#core/job/deadLetter.ts'
import { IngestDecisionFormat } from '#core/job/decision.ts'
import { authoriseEvent, parseEvent, toJob } from '#core/job/event.ts'
import { JobFormat, jobIdOf } from '#core/job/job.ts'
import { toUnixSeconds } from '#core/time.ts'
import { mutateJson } from '../json.ts'
import { mutate } from '../mutation.ts'
import type { Random } from '../random.ts'
import { type Input, type Target, Violation } from '../target.ts'

export const job: Target = {
  name: 'job',
  what: 'jobs, events, dead letters, decisions and the texts of attempts',
  weight: 1,
  quick: 8000,
  codes: ['job.malformed', 'event.malformed', 'event.unauthorised', 'record.malformed'],
  open: async () => ({
    generate: (random) => {
      const at = random.below(READERS.length)
      return [Buffer.of(at), random.pick(READERS.slice(at, at + 1)).generate(random)]
    },
    check: ([at, bytes = Buffer.alloc(0)]: Input) => READERS[at?.[0] ?? -1]?.check(bytes),
  }),
}

type Reader = {
  readonly generate: (random: Random) => Buffer
  readonly check: (bytes: Buffer) => void
}

const OBJECT = { namespace: 'hospital', bucket: 'outbox', object: 'export-1', etag: 'f8ffb6e9-f602' }
const ID = jobIdOf(OBJECT)
const BOOT = 'a'.repeat(26)
const TIME = 1_795_219_200
const TRACE = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
const DIGEST = toBase64url(sha256(utf8('fuzz')))
const JOB = {
  v: 1,
  jobId: ID,
  eventId: 'event-1',
  ...OBJECT,
  size: 4096,
  traceparent: TRACE,
  enqueuedAt: TIME,
  notBefore: 0,
}
const DEAD_LETTER = {
  v: 1,
  jobId: ID,
  code: 'job.exhausted',
  attempts: 3,
  boot: BOOT,
  deadAt: TIME,
  digest: DIGEST,
  size: 4,
  message: 'AAAA',
}
const DECISIONS = [
  { kind: 'published', jobId: ID, object: OBJECT.object, etag: OBJECT.etag, traceparent: TRACE },
  { kind: 'refused', code: 'event.malformed' },
].map((outcome) => ({ v: 1, eventDigest: DIGEST, outcome, decidedAt: TIME }))
const EVENT = {
  cloudEventsVersion: '0.1',
  eventID: 'event-1',
  eventType: 'com.oraclecloud.objectstorage.createobject',
  source: 'ObjectStorage',
  eventTypeVersion: '2.0',
  contentType: 'application/json',
  data: {
    resourceName: OBJECT.object,
    additionalDetails: { eTag: OBJECT.etag, namespace: OBJECT.namespace, bucketName: OBJECT.bucket },
  },
}

const READERS: readonly Reader[] = [
  {
    generate: (random) => document(JOB, random),
    check: (bytes) => {
      const read = readWhole(JobFormat, bytes)
      if (read.jobId !== jobIdOf(read)) throw new Violation('a job has the jobId of another object')
    },
  },
  {
    generate: (random) => document(DEAD_LETTER, random),
    check: (bytes) => readWhole(DeadLetterFormat, bytes),
  },
  {
    generate: (random) => document(random.pick(DECISIONS), random),
    check: (bytes) => readWhole(IngestDecisionFormat, bytes),
  },
  {
    generate: (random) => mutateJson(EVENT, random),
    check: (bytes) => {
      const event = authoriseEvent(parseEvent(bytes), [OBJECT])
      const made = JobFormat.encode(toJob(event, { size: 4096 }, TRACE, toUnixSeconds(TIME)))
      if (JobFormat.decode(made).object !== event.object) throw new Violation('a job names another object')
    },
  },
  {
    generate: (random) => mutate(Buffer.from(claimText({ boot: BOOT, at: TIME }, 'nonce')), random),
    check: (bytes) => {
      const text = bytes.toString()
      const claim = parseClaim(text)
      if (!Number.isSafeInteger(claim.at) || claim.at < 0) throw new Violation('a claim has no time')
      if (claim.boot !== '' && !text.startsWith(`${claim.boot}/`))
        throw new Violation('a claim has a boot that the text does not have')
    },
  },
  {
    generate: (random) =>
      mutate(Buffer.from(random.pick(['done', 'again', 'failed object.malformed'])), random),
    check: (bytes) => {
      const end = parseEnd(bytes.toString())
      if (end !== undefined && !bytes.toString().startsWith(endText(end)))
        throw new Violation('an end says what its text does not say')
    },
  },
  {
    generate: (random) =>
      mutate(Buffer.from(random.pick([claimName(ID, 0, random.few(1000)), retryName(ID, 1)])), random),
    check: (bytes) => {
      const name = bytes.toString()
      const number = claimNumberOf(ID, 0, name)
      if (number !== undefined && claimName(ID, 0, number) !== name)
        throw new Violation('a name of another form has the number of a claim')
      if (roundInForce(ID, new Set([name])) !== (name === retryName(ID, 1) ? 1 : 0))
        throw new Violation('a name of another form starts a round')
    },
  },
]

/** Usually in canonical form, so that the schema is reached. */
function document(value: object, random: Random): Buffer {
  const text = mutateJson(value, random)
  if (random.oneIn(4)) return text
  try {
    return canonicalBytes(JSON.parse(text.toString()))
  } catch {
    return text
  }
}

/** An accepted document is the encoding of its value, byte for byte. */
function readWhole<T>(format: Format<T>, bytes: Buffer): T {
  const value = format.decode(bytes)
  if (!format.encode(value).equals(bytes)) throw new Violation(`a ${format.name} has two encodings`)
  return value
}
