/** The jobs on the dead-letter stream, each by its newest letter, with what became of it since. */
import { sha256, toBase64url } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { retryName } from '#core/job/attempt.ts'
import { type DeadLetter, DeadLetterFormat, jobOfLetter } from '#core/job/deadLetter.ts'
import type { Job } from '#core/job/job.ts'
import type { State } from '#core/job/life.ts'
import { findResultId, findRound, type JobState, readStateText } from '#ports/jobState.ts'
import type { StreamReader } from '#ports/jobStream.ts'

export type LetterSource = JobState & {
  readonly letters: StreamReader
  readonly signal: AbortSignal
}

export type FoundLetter = {
  readonly letter: DeadLetter
  /** SHA-256 of the letter, as the object that starts a retry names it. */
  readonly digest: string
  /** Undefined if the message was no job: there is nothing to retry. */
  readonly job: Job | undefined
}

/** The newest letter of each job, and every message that was no job. Messages that are no letter are counted. */
export async function readLetters({
  letters,
  signal,
}: LetterSource): Promise<{ readonly found: readonly FoundLetter[]; readonly strange: number }> {
  const newest = new Map<string, FoundLetter>()
  let strange = 0
  // All letters of a job have one key, so they lie in one partition, in order.
  for await (const { value } of letters.messages(signal)) {
    const letter = decode(value)
    if (letter === undefined) strange += 1
    else {
      const found = { letter, digest: toBase64url(sha256(value)), job: jobOfLetter(letter) }
      newest.set(found.job?.jobId ?? found.digest, found)
    }
  }
  const found = [...newest.values()].sort((a, b) => a.letter.deadAt - b.letter.deadAt)
  return { found, strange }
}

/** Throws `letter.missing`. */
export async function findLetter(jobId: string, source: LetterSource) {
  const { found } = await readLetters(source)
  for (const { job, ...letter } of found) if (job?.jobId === jobId) return { ...letter, job }
  throw new CodedError('letter.missing', `no dead letter is about a job ${jobId}`)
}

export type Standing = {
  /** `published`: it was retried, and has no newer letter. */
  readonly state: Extract<State, 'set-aside' | 'overtaken' | 'published'>
  readonly resultId: string | null
  /** The round of attempts in force. */
  readonly round: number
}

export async function standingOf(
  { jobId }: Job,
  { digest }: Pick<FoundLetter, 'digest'>,
  source: LetterSource,
): Promise<Standing> {
  const { signal } = source
  const resultId = await findResultId(jobId, source, signal)
  const round = await findRound(jobId, source, signal)
  if (resultId !== undefined) return { state: 'overtaken', resultId, round }
  const answered =
    round > 0 && (await readStateText(source, retryName(jobId, round), digest.length + 1, signal)) === digest
  return { state: answered ? 'published' : 'set-aside', resultId: null, round }
}

function decode(value: Buffer): DeadLetter | undefined {
  try {
    return DeadLetterFormat.decode(value)
  } catch (error) {
    if (error instanceof CodedError) return undefined
    throw error
  }
}
