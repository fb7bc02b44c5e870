/**
 * Attempts at a job: create-once objects in the consumer's state bucket, which every worker of the pool
 * reads.
 *
 * A worker claims an attempt before it reads the object, and writes its end when the job ends or goes back.
 * An attempt without an end is a worker that died in it.
 */

/**
 * `again`: nothing was wrong with the job, so the attempt does not count. `failed`: it counts. `done`: there
 * is a result.
 */
export const ATTEMPT_ENDS = ['again', 'failed', 'done'] as const
export type AttemptEnd = (typeof ATTEMPT_ENDS)[number]

/** At this many attempts that count, the job is set aside. */
export const MAX_ATTEMPTS = 3

export type Attempt = {
  readonly number: number
  /** The boot that claimed it. */
  readonly boot: string
  readonly end: AttemptEnd | undefined
}

export type AttemptHistory = {
  /** The number of the next attempt. */
  readonly next: number
  /** Attempts that failed, or in which a worker died. */
  readonly counted: number
  /** A worker died in an attempt: the job may be the cause, so it runs alone. */
  readonly suspect: boolean
}

/**
 * `boot` is the reader's own: it lives, so an attempt of its own without an end tells nothing about the job.
 */
export function historyOf(attempts: readonly Attempt[], boot: string): AttemptHistory {
  const silent = attempts.filter((attempt) => attempt.end === undefined && attempt.boot !== boot)
  const failed = attempts.filter(({ end }) => end === 'failed')
  return {
    next: attempts.reduce((highest, { number }) => Math.max(highest, number), 0) + 1,
    counted: silent.length + failed.length,
    suspect: silent.length > 0,
  }
}

export function attemptsPrefix(jobId: string): string {
  return `attempt/${jobId}/`
}

export function claimName(jobId: string, number: number): string {
  return `${attemptsPrefix(jobId)}${number}/claim`
}

export function endName(jobId: string, number: number): string {
  return `${attemptsPrefix(jobId)}${number}/end`
}

/** The number in the name of a claim; undefined for every other name, an end included. */
export function claimNumberOf(jobId: string, name: string): number | undefined {
  const prefix = attemptsPrefix(jobId)
  const number = name.startsWith(prefix)
    ? /^([1-9]\d{0,8})\/claim$/.exec(name.slice(prefix.length))?.[1]
    : undefined
  return number === undefined ? undefined : Number(number)
}

/** Holds the result id of a job that has its result. */
export function doneName(jobId: string): string {
  return `done/${jobId}`
}
