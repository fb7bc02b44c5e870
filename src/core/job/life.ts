/**
 * The life of a job: every legal move as a row of one table. The worker takes from it what to write and in
 * which order; the audit replays the entries of a job against it; the command `dead-letters` asks it whether
 * a retry is legal. docs/formats/job.md prints it.
 */

/** A state lasts until the next move of any actor. */
export type State =
  | 'uploaded'
  | 'published'
  /** A worker holds an attempt. */
  | 'claimed'
  /** A worker died in an attempt. */
  | 'suspect'
  | 'denied'
  | 'granted'
  /** A worker has the key. */
  | 'keyed'
  | 'announced'
  /** The name of the result holds a manifest that no registered worker signed. */
  | 'distrusted'
  /** A worker had the key, and there is no result. */
  | 'failed'
  /** It will never be asked for again. */
  | 'doomed'
  | 'visible'
  | 'finished'
  | 'set-aside'
  /** Set aside, and its object has a result. */
  | 'overtaken'

type Actor = 'function' | 'worker' | 'Verifier' | 'operator' | 'stream' | 'no one'

/** An object, a message, or an entry of a log. */
type Write =
  | 'message'
  | 'ingest decision'
  | 'attempt'
  | 'parts'
  | 'manifest'
  | 'done'
  | 'dead letter'
  /** The mark that the job was set aside in this round. */
  | 'aside'
  | 'retry'
  /** The end of the attempt, if the worker holds one. */
  | `end ${'again' | 'failed' | 'done'}`
  | 'release.decided'
  | 'release.issued'
  | WorkerEntry

/** A worker's entries about a job; `job.failed` with and without a key are two. */
export type WorkerEntry =
  | 'release.denied'
  | 'key.received'
  | 'result.intent'
  | 'result.visible'
  | 'result.superseded'
  | 'result.foreign'
  | 'job.failed'
  | 'job.failed, no key'
  | 'job.returned'
  | 'job.dead-lettered'

export type Row = {
  readonly by: Actor
  readonly from: readonly State[]
  readonly to: State
  /** Durable, in this order, before the job is in `to`. */
  readonly writes: readonly Write[]
  /** A job that has a result never makes this move: look for the result first. */
  readonly unlessResult?: true
}

/** What a worker that still lives holds without a key. */
const HELD = ['claimed', 'denied', 'failed', 'doomed'] as const

export const LIFE = {
  publish: { by: 'function', from: ['uploaded'], to: 'published', writes: ['message', 'ingest decision'] },
  claim: { by: 'worker', from: ['published', 'suspect'], to: 'claimed', writes: ['attempt'] },
  /** `done` and the manifest are there. */
  find: { by: 'worker', from: ['published', 'suspect', ...HELD], to: 'visible', writes: [] },
  /** It was set aside in its round. */
  recall: { by: 'worker', from: ['published', 'suspect'], to: 'set-aside', writes: [] },

  deny: { by: 'worker', from: ['claimed'], to: 'denied', writes: ['release.denied'] },
  grant: { by: 'Verifier', from: ['claimed'], to: 'granted', writes: ['release.decided', 'release.issued'] },
  receive: { by: 'worker', from: ['granted'], to: 'keyed', writes: ['key.received'] },
  announce: { by: 'worker', from: ['keyed'], to: 'announced', writes: ['parts', 'result.intent'] },
  show: { by: 'worker', from: ['announced'], to: 'visible', writes: ['manifest', 'result.visible'] },
  supersede: { by: 'worker', from: ['keyed', 'announced'], to: 'visible', writes: ['result.superseded'] },
  distrust: { by: 'worker', from: ['keyed', 'announced'], to: 'distrusted', writes: ['result.foreign'] },
  finish: { by: 'worker', from: ['visible'], to: 'finished', writes: ['done', 'end done'] },

  fail: { by: 'worker', from: ['keyed', 'announced', 'distrusted'], to: 'failed', writes: ['job.failed'] },
  'give-up': {
    by: 'worker',
    from: ['published', 'suspect', 'claimed'],
    to: 'doomed',
    writes: ['job.failed, no key'],
  },
  'ask-again': { by: 'worker', from: ['claimed', 'denied', 'failed'], to: 'claimed', writes: [] },
  'put-back': {
    by: 'worker',
    from: ['claimed', 'denied', 'failed'],
    to: 'published',
    writes: ['message', 'job.returned', 'end again'],
    unlessResult: true,
  },
  /** Like `put-back`, but the attempt counts. */
  'try-again': {
    by: 'worker',
    from: ['claimed', 'denied', 'failed'],
    to: 'published',
    writes: ['message', 'job.returned', 'end failed'],
    unlessResult: true,
  },
  'set-aside': {
    by: 'worker',
    from: ['denied', 'doomed', 'failed'],
    to: 'set-aside',
    writes: ['dead letter', 'job.dead-lettered', 'aside', 'end failed'],
    unlessResult: true,
  },
  /** The lease is lost, or the worker stops. */
  'give-back': {
    by: 'worker',
    from: [...HELD, 'granted', 'visible'],
    to: 'published',
    writes: ['end again'],
  },
  /** The worker dies: its attempt has no end. */
  die: {
    by: 'no one',
    from: [...HELD, 'granted', 'keyed', 'announced', 'distrusted', 'visible'],
    to: 'suspect',
    writes: [],
  },

  overtake: { by: 'worker', from: ['set-aside'], to: 'overtaken', writes: ['manifest'] },
  retry: {
    by: 'operator',
    from: ['set-aside'],
    to: 'published',
    writes: ['retry', 'message'],
    unlessResult: true,
  },
  /** At least once: any message may come again. */
  redeliver: {
    by: 'stream',
    from: ['published', 'finished', 'set-aside', 'overtaken'],
    to: 'published',
    writes: [],
  },
} as const satisfies Record<string, Row>

export type MoveName = keyof typeof LIFE

/** What a move makes durable. */
export type WriteOf<Move extends MoveName> = (typeof LIFE)[Move]['writes'][number]

export function rowOf(move: MoveName): Row {
  return LIFE[move]
}

export function mayMake(move: MoveName, state: State): boolean {
  return rowOf(move).from.includes(state)
}
