/** Dead letters for people. */
import { columns, labelled, wrap } from '#cli/textBlock.ts'
import { errorRow } from '#core/errors.ts'
import { LAST_ROUND } from '#core/job/attempt.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'
import type { FoundLetter, Standing } from './letters.ts'
import type { Retried } from './retry.ts'

/** `standing` is null if the message was no job. */
export type ShownLetter = FoundLetter & { readonly standing: Standing | null }

/** The fields of `--json`. */
export function fieldsOf({ letter, digest, job, standing }: ShownLetter) {
  const { code, attempts, boot, deadAt, size } = letter
  const { namespace, bucket, object, etag } = job ?? {}
  return {
    jobId: job?.jobId ?? null,
    state: standing?.state ?? 'no-job',
    code,
    attempts,
    boot,
    deadAt,
    object: job === undefined ? null : { namespace, bucket, object, etag },
    resultId: standing?.resultId ?? null,
    round: standing?.round ?? null,
    size,
    digest,
  }
}

export function renderLetters(shown: readonly ShownLetter[]): string {
  if (shown.length === 0) return 'no dead letters\n'
  const rows = shown.map(({ letter: { code, attempts, deadAt, size }, job, standing }) => [
    job?.jobId ?? 'no job',
    standing?.state ?? '',
    code,
    String(attempts),
    at(deadAt),
    job === undefined ? `a message of ${size} bytes` : `${job.bucket}/${job.object}`,
  ])
  const head = ['JOB', 'STATE', 'CODE', 'ATTEMPTS', 'SET ASIDE', 'OBJECT']
  return `${columns([head, ...rows])}\n`
}

const STATES: Readonly<Record<Standing['state'], string>> = {
  'set-aside': 'set aside: no worker will run it again before `dead-letters retry`',
  published: 'retried: it waits for a worker, or runs',
  overtaken: 'overtaken: its object has a result',
}

export function renderLetter({ letter, job, standing }: ShownLetter): string {
  const { code, attempts, boot, deadAt } = letter
  const { meaning, remedy } = errorRow(code)
  const lines: readonly (readonly [string, string])[] = [
    ['job', job?.jobId ?? 'none'],
    ['state', standing === null ? 'not a job' : STATES[standing.state]],
    ...(standing?.resultId == null ? [] : [['result', standing.resultId] as const]),
    ['why', `${code}: ${meaning}`],
    ['remedy', remedy],
    [
      'set aside',
      `${at(deadAt)} by worker ${boot}, after ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`,
    ],
    ...(job === undefined
      ? []
      : [['object', `${job.object} in ${job.namespace}/${job.bucket}, eTag ${job.etag}`] as const]),
    ...(standing === null ? [] : [['retries', `${standing.round} of ${LAST_ROUND}`] as const]),
  ]
  return lines.map(([label, value]) => `${labelled(label, wrap(value), 11)}\n`).join('')
}

export function renderRetried({ jobId, round, begun }: Retried): string {
  return begun
    ? `job ${jobId} is on the stream again: retry ${round} of ${LAST_ROUND}\n`
    : `job ${jobId} had been retried: it is on the stream once more, in the same round ${round}\n`
}

function at(time: number): string {
  return toRfc3339(toUnixSeconds(time))
}
