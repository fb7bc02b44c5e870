/**
 * How a worker takes up a job: it looks for the result, claims an attempt, and later writes how the attempt
 * ended.
 *
 * Crash argument. The claim is durable before the first byte of the object is read, so a job that kills its
 * worker leaves an attempt without an end. `done/<jobId>` is written after the manifest: if we stop between
 * the two, the next worker is granted the key again and finds the manifest.
 */
import { randomBytes } from 'node:crypto'
import { errorFields } from '#adapters/system/log.ts'
import { fromUtf8, toHex, utf8 } from '#core/bytes.ts'
import { codeOf } from '#core/errors.ts'
import {
  ATTEMPT_ENDS,
  type Attempt,
  type AttemptEnd,
  attemptsPrefix,
  claimName,
  claimNumberOf,
  doneName,
  endName,
  historyOf,
  MAX_ATTEMPTS,
} from '#core/job/attempt.ts'
import type { Job } from '#core/job/job.ts'
import { manifestName } from '#core/sealed/manifest.ts'
import { createIfAbsent, createOnce } from '#ports/createOnce.ts'
import type { Boot } from './boot.ts'
import type { LeasedJob } from './lease.ts'

/**
 * A claim body is a boot id, "/" and 128 random bits in hex: so a lost answer is told from another worker's
 * claim.
 */
const CLAIM_BYTES = 64
const END_BYTES = 16
const RESULT_ID_BYTES = 64
const RESULT_ID = /^[0-9a-f]{64}$/
/** How long a batch that was abandoned tries to give its attempts back. */
const GIVE_BACK_MS = 2000

type StateBoot = Pick<Boot, 'store' | 'buckets' | 'evidence'>

/** An attempt of this boot under this lease. */
export type Claim = {
  readonly number: number
  /** Earlier attempts that count against the job. */
  readonly counted: number
}

export type Admission =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  | { readonly kind: 'done'; readonly resultId: string }
  /** Not claimed: the job must run alone, after the others. */
  | { readonly kind: 'suspect' }
  | { readonly kind: 'exhausted'; readonly counted: number }

/** Takes up a job unless it has its result, was tried too often, or must run alone and `alone` is false. */
export async function admitJob(
  { jobId }: Job,
  alone: boolean,
  boot: StateBoot,
  signal: AbortSignal,
): Promise<Admission> {
  const resultId = await findDone(jobId, boot, signal)
  if (resultId !== undefined) return { kind: 'done', resultId }
  if (await claim(jobId, 1, boot, signal)) return { kind: 'claimed', claim: { number: 1, counted: 0 } }
  const { next, counted, suspect } = historyOf(await readAttempts(jobId, boot, signal), boot.evidence.boot)
  if (counted >= MAX_ATTEMPTS) return { kind: 'exhausted', counted }
  if (suspect && !alone) return { kind: 'suspect' }
  let number = next
  while (!(await claim(jobId, number, boot, signal))) number++
  return { kind: 'claimed', claim: { number, counted } }
}

/** Writes that the job has its result: a later delivery then ends without an attempt and without a key. */
export async function recordDone(
  { jobId }: Job,
  resultId: string,
  { store, buckets }: StateBoot,
  signal: AbortSignal,
): Promise<void> {
  await createIfAbsent(store, { ...buckets.state, name: doneName(jobId) }, utf8(resultId), signal)
}

/** The attempts that a batch has claimed and not ended. */
export class OpenAttempts {
  readonly #boot: StateBoot & Pick<Boot, 'log'>
  // Invariant: each claim is durable under this lease, and its end is not written.
  readonly #claims = new Map<LeasedJob, Claim>()

  constructor(boot: StateBoot & Pick<Boot, 'log'>) {
    this.#boot = boot
  }

  add(leased: LeasedJob, taken: Claim): void {
    this.#claims.set(leased, taken)
  }

  of(leased: LeasedJob): Claim | undefined {
    return this.#claims.get(leased)
  }

  /** Another message of the batch holds an attempt at the same job. */
  isTakenByAnother(leased: LeasedJob): boolean {
    return [...this.#claims.keys()].some((other) => other !== leased && other.job.jobId === leased.job.jobId)
  }

  async end(leased: LeasedJob, how: AttemptEnd, signal: AbortSignal): Promise<void> {
    const taken = this.#claims.get(leased)
    if (taken === undefined) return
    const { store, buckets } = this.#boot
    const object = { ...buckets.state, name: endName(leased.job.jobId, taken.number) }
    await createIfAbsent(store, object, utf8(how), signal)
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
          await this.end(leased, 'again', signal)
        } catch (error) {
          this.#boot.log.warn('attempt left open', { jobId: leased.job.jobId, ...errorFields(error) })
        }
      }),
    )
  }
}

/** The result id that `done/<jobId>` names, if its manifest is there. */
async function findDone(
  jobId: string,
  { store, buckets }: StateBoot,
  signal: AbortSignal,
): Promise<string | undefined> {
  const resultId = await readText({ store, buckets }, doneName(jobId), RESULT_ID_BYTES, signal)
  if (resultId === undefined || !RESULT_ID.test(resultId)) return undefined
  try {
    await store.head({ ...buckets.results, name: manifestName(resultId) }, undefined, signal)
    return resultId
  } catch (error) {
    if (codeOf(error) === 'service.missing') return undefined
    throw error
  }
}

/** False if the number is taken. */
async function claim(
  jobId: string,
  number: number,
  { store, buckets, evidence }: StateBoot,
  signal: AbortSignal,
): Promise<boolean> {
  const object = { ...buckets.state, name: claimName(jobId, number) }
  const body = utf8(`${evidence.boot}/${toHex(randomBytes(16))}`)
  return (await createOnce(store, object, body, signal)) === 'ours'
}

async function readAttempts(
  jobId: string,
  boot: StateBoot,
  signal: AbortSignal,
): Promise<readonly Attempt[]> {
  const names = new Set<string>()
  for await (const { name } of boot.store.list(boot.buckets.state, attemptsPrefix(jobId), undefined, signal))
    names.add(name)
  const numbers = [...names].flatMap((name) => claimNumberOf(jobId, name) ?? [])
  return await Promise.all(
    numbers.map(async (number): Promise<Attempt> => {
      const object = endName(jobId, number)
      const [body = '', end] = await Promise.all([
        readText(boot, claimName(jobId, number), CLAIM_BYTES, signal),
        names.has(object) ? readText(boot, object, END_BYTES, signal) : undefined,
      ])
      const known = ATTEMPT_ENDS.find((one) => one === end)
      return { number, boot: body.split('/')[0] ?? '', end: known }
    }),
  )
}

async function readText(
  { store, buckets }: Pick<StateBoot, 'store' | 'buckets'>,
  name: string,
  maxBytes: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const bytes = await store.read(
      { ...buckets.state, name },
      { start: 0, end: maxBytes - 1 },
      undefined,
      signal,
    )
    return fromUtf8(bytes, name)
  } catch (error) {
    if (codeOf(error) === 'service.missing') return undefined
    throw error
  }
}
