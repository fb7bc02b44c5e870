/**
 * How a worker takes up a job: it looks for the result, claims an attempt, and later writes how the attempt
 * ended.
 *
 * Crash argument. The claim is durable before the first byte of the object is read, so a job that kills its
 * worker leaves an attempt without an end.
 */
import { randomBytes } from 'node:crypto'
import { errorFields } from '#adapters/system/log.ts'
import { toHex, utf8 } from '#core/bytes.ts'
import type { ErrorCode } from '#core/errors.ts'
import {
  type Attempt,
  type AttemptHistory,
  asideName,
  attemptsPrefix,
  claimName,
  claimNumberOf,
  claimText,
  type Ending,
  endName,
  endText,
  historyOf,
  MAX_ATTEMPTS,
  parseClaim,
  parseEnd,
} from '#core/job/attempt.ts'
import type { Job } from '#core/job/job.ts'
import { createIfAbsent, createOnce } from '#ports/createOnce.ts'
import { findRound, namesUnder, readStateText } from '#ports/jobState.ts'
import type { Boot } from './boot.ts'
import type { LeasedJob } from './lease.ts'
import type { Standing } from './returns.ts'

const CLAIM_BYTES = 128
/** Of an end, and of the mark that a job was set aside. */
const END_BYTES = 64
/** How long a batch that was abandoned tries to give its attempts back. */
const GIVE_BACK_MS = 2000

type StateBoot = Pick<Boot, 'store' | 'buckets' | 'evidence' | 'time'>

/** An attempt of this boot under this lease. */
export type OwnClaim = {
  readonly round: number
  readonly number: number
  /** What the earlier attempts of the round tell. */
  readonly history: AttemptHistory
}

export type Admission =
  | { readonly kind: 'claimed'; readonly claim: OwnClaim }
  | { readonly kind: 'done'; readonly resultId: string }
  /** Not claimed: the job must run alone, after the others. */
  | { readonly kind: 'suspect' }
  /** Another message of the job has led to its dead letter. */
  | { readonly kind: 'set-aside'; readonly code: string }
  | { readonly kind: 'exhausted'; readonly round: number; readonly counted: number }

/** Takes up a job unless it has its result, was tried too often, or must run alone and `alone` is false. */
export async function admitJob(
  { jobId }: Job,
  alone: boolean,
  boot: StateBoot & Pick<Boot, 'finished'>,
  signal: AbortSignal,
): Promise<Admission> {
  const resultId = await boot.finished.find(jobId, signal)
  if (resultId !== undefined) return { kind: 'done', resultId }
  // A job that no one has tried was never set aside, so no operator has started another round of it.
  if (await claim(jobId, 0, 1, boot, signal)) {
    const history = historyOf([], boot.evidence.boot)
    return { kind: 'claimed', claim: { round: 0, number: 1, history } }
  }
  const round = await findRound(jobId, boot, signal)
  const { attempts, aside } = await readRound(jobId, round, boot, signal)
  if (aside !== undefined) return { kind: 'set-aside', code: aside }
  const history = historyOf(attempts, boot.evidence.boot)
  const { next, counted, suspect } = history
  if (counted >= MAX_ATTEMPTS) return { kind: 'exhausted', round, counted }
  if (suspect && !alone) return { kind: 'suspect' }
  let number = next
  while (!(await claim(jobId, round, number, boot, signal))) number++
  return { kind: 'claimed', claim: { round, number, history } }
}

/** The attempts that a batch has claimed and not ended. */
export class OpenAttempts {
  readonly #boot: StateBoot & Pick<Boot, 'log'>
  // Invariant: each claim is durable under this lease, and its end is not written.
  readonly #claims = new Map<LeasedJob, OwnClaim>()
  // The round that was in force when a job was taken up, or was found to be used up.
  readonly #rounds = new Map<LeasedJob, number>()

  constructor(boot: StateBoot & Pick<Boot, 'log'>) {
    this.#boot = boot
  }

  add(leased: LeasedJob, taken: OwnClaim): void {
    this.#claims.set(leased, taken)
    this.#rounds.set(leased, taken.round)
  }

  /** The round of a job that is not taken up, its attempts being used up. */
  addExhausted(leased: LeasedJob, round: number): void {
    this.#rounds.set(leased, round)
  }

  of(leased: LeasedJob): OwnClaim | undefined {
    return this.#claims.get(leased)
  }

  /** Another message of the batch holds an attempt at the same job. */
  isTakenByAnother(leased: LeasedJob): boolean {
    return [...this.#claims.keys()].some((other) => other !== leased && other.job.jobId === leased.job.jobId)
  }

  /** What the earlier attempts at a job tell when this one ends. */
  standingOf(leased: LeasedJob): Standing {
    const { evidence, time } = this.#boot
    const history = this.#claims.get(leased)?.history ?? { givenBack: [] }
    return { history, boot: evidence.boot, now: time.now() }
  }

  /**
   * Marks that the job was set aside, so that another delivery writes no other dead letter. A job whose round
   * is unknown gets no mark.
   */
  async markAside(leased: LeasedJob, code: ErrorCode, signal: AbortSignal): Promise<void> {
    const round = this.#rounds.get(leased)
    if (round === undefined) return
    const { store, buckets } = this.#boot
    const object = { ...buckets.state, name: asideName(leased.job.jobId, round) }
    await createIfAbsent(store, object, utf8(code), signal)
  }

  async end(leased: LeasedJob, ending: Ending, signal: AbortSignal): Promise<void> {
    const taken = this.#claims.get(leased)
    if (taken === undefined) return
    const { store, buckets } = this.#boot
    const object = { ...buckets.state, name: endName(leased.job.jobId, taken.round, taken.number) }
    await createIfAbsent(store, object, utf8(endText(ending)), signal)
    this.#claims.delete(leased)
  }

  /**
   * Ends what is left as `again`. If that fails, the next worker takes the job for a suspect and runs it
   * alone.
   */
  async giveBack(): Promise<void> {
    const signal = AbortSignal.timeout(GIVE_BACK_MS)
    await Promise.all(
      [...this.#claims.keys()].map(async (leased) => {
        try {
          await this.end(leased, { kind: 'again', code: null }, signal)
        } catch (error) {
          this.#boot.log.warn('attempt left open', { jobId: leased.job.jobId, ...errorFields(error) })
        }
      }),
    )
  }
}

/** False if the number is taken. */
async function claim(
  jobId: string,
  round: number,
  number: number,
  { store, buckets, evidence, time }: StateBoot,
  signal: AbortSignal,
): Promise<boolean> {
  const object = { ...buckets.state, name: claimName(jobId, round, number) }
  const claimed = { boot: evidence.boot, at: time.now() }
  const body = utf8(claimText(claimed, toHex(randomBytes(16))))
  return (await createOnce(store, object, body, signal)) === 'ours'
}

type Round = {
  readonly attempts: readonly Attempt[]
  /** The code under which the job was set aside; undefined if it was not. */
  readonly aside: string | undefined
}

async function readRound(jobId: string, round: number, boot: StateBoot, signal: AbortSignal): Promise<Round> {
  const names = await namesUnder(attemptsPrefix(jobId, round), boot, signal)
  const numbers = [...names].flatMap((name) => claimNumberOf(jobId, round, name) ?? [])
  const mark = asideName(jobId, round)
  const aside = names.has(mark) ? await readStateText(boot, mark, END_BYTES, signal) : undefined
  const attempts = await Promise.all(
    numbers.map(async (number): Promise<Attempt> => {
      const object = endName(jobId, round, number)
      const [claimed = '', end] = await Promise.all([
        readStateText(boot, claimName(jobId, round, number), CLAIM_BYTES, signal),
        names.has(object) ? readStateText(boot, object, END_BYTES, signal) : undefined,
      ])
      return { number, claim: parseClaim(claimed), end: end === undefined ? undefined : parseEnd(end) }
    }),
  )
  return { attempts, aside }
}
