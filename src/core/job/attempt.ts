/**
 * Attempts at a job: create-once objects in the consumer's state bucket, which every worker of the pool
 * reads.
 *
 * A worker claims an attempt before it reads the object, and writes its end when the job ends or goes back.
 * An attempt without an end is a worker that died in it. A job that is set aside gets a mark of its own, since
 * the worker that finds its attempts used up holds none that it could end.
 *
 * Attempts belong to a round. Round 0 is the first. An operator who has removed the cause of a dead letter
 * starts the next round: its attempts count anew, and those of earlier rounds no longer tell anything. Only
 * an operator can create the object that starts a round; no worker reads its content.
 */

/**
 * `again`: nothing was wrong with the job, so the attempt does not count. `failed`: it counts. `done`: there
 * is a result.
 */
const ATTEMPT_ENDS = ['again', 'failed', 'done'] as const
export type AttemptEnd = (typeof ATTEMPT_ENDS)[number]

/** At this many attempts that count, the job is set aside. */
export const MAX_ATTEMPTS = 3

/** The most that `notBefore` of a returned job is ahead of the Verifier's time. */
export const LONGEST_RETURN_SECONDS = 600

/** The last round that an operator can start. */
export const LAST_ROUND = 9

export type Claim = {
  readonly boot: string
  /** The Verifier's time, in seconds since the epoch. */
  readonly at: number
}

export type Ending = {
  readonly kind: AttemptEnd
  /** Why; null for `done`, and for an attempt that was given back. */
  readonly code: string | null
}

export type Attempt = { readonly number: number; readonly claim: Claim; readonly end: Ending | undefined }

export type AttemptHistory = {
  /** The number of the next attempt. */
  readonly next: number
  /** Attempts that failed, or in which a worker died. */
  readonly counted: number
  /** A worker died in an attempt: the job may be the cause, so it runs alone. */
  readonly suspect: boolean
  /** The attempts that ended as `again` with a code. */
  readonly givenBack: readonly (Claim & { readonly code: string })[]
}

/**
 * `boot` is the reader's own: it lives, so an attempt of its own without an end tells nothing about the job.
 */
export function historyOf(attempts: readonly Attempt[], boot: string): AttemptHistory {
  const silent = attempts.filter(({ end, claim }) => end === undefined && claim.boot !== boot)
  const failed = attempts.filter(({ end }) => end?.kind === 'failed')
  return {
    next: attempts.reduce((highest, { number }) => Math.max(highest, number), 0) + 1,
    counted: silent.length + failed.length,
    suspect: silent.length > 0,
    givenBack: attempts.flatMap(({ claim, end }) =>
      end?.kind === 'again' && end.code !== null ? [{ ...claim, code: end.code }] : [],
    ),
  }
}

/** `<boot>/<seconds>/<nonce>`: the nonce tells a lost answer from another worker's claim. */
export function claimText({ boot, at }: Claim, nonce: string): string {
  return `${boot}/${at}/${nonce}`
}

/** The bucket is the consumer's: a text of another form is a claim of no boot at the beginning of time. */
export function parseClaim(text: string): Claim {
  const [, boot = '', seconds = '0'] = /^([a-z2-7]{26})\/(\d{1,12})\//.exec(text) ?? []
  return { boot, at: Number(seconds) }
}

export function endText({ kind, code }: Ending): string {
  return code === null ? kind : `${kind} ${code}`
}

/** Undefined for a text of another form: the attempt then has no end. */
export function parseEnd(text: string): Ending | undefined {
  const [word, code = null] = text.split(' ')
  const kind = ATTEMPT_ENDS.find((known) => known === word)
  return kind === undefined ? undefined : { kind, code }
}

export function attemptsPrefix(jobId: string, round: number): string {
  return `attempt/${jobId}/${round}/`
}

export function claimName(jobId: string, round: number, number: number): string {
  return `${attemptsPrefix(jobId, round)}${number}/claim`
}

export function endName(jobId: string, round: number, number: number): string {
  return `${attemptsPrefix(jobId, round)}${number}/end`
}

/** Holds the code under which the job was set aside in this round, its dead letter being durable. */
export function asideName(jobId: string, round: number): string {
  return `${attemptsPrefix(jobId, round)}aside`
}

/** The number in the name of a claim of this round; undefined for every other name, an end included. */
export function claimNumberOf(jobId: string, round: number, name: string): number | undefined {
  const prefix = attemptsPrefix(jobId, round)
  const number = name.startsWith(prefix)
    ? /^([1-9]\d{0,8})\/claim$/.exec(name.slice(prefix.length))?.[1]
    : undefined
  return number === undefined ? undefined : Number(number)
}

/** Holds the result id of a job that has its result. */
export function doneName(jobId: string): string {
  return `done/${jobId}`
}

export function retriesPrefix(jobId: string): string {
  return `retry/${jobId}/`
}

/** Starts round 1 to `LAST_ROUND`. */
export function retryName(jobId: string, round: number): string {
  return `${retriesPrefix(jobId)}${round}`
}

/** The round in force, by the names under `retriesPrefix`: a number counts only if none below it is absent. */
export function roundInForce(jobId: string, names: ReadonlySet<string>): number {
  let round = 0
  while (round < LAST_ROUND && names.has(retryName(jobId, round + 1))) round++
  return round
}
