/**
 * The safeguards of the code, each with the change that switches it off and a seed that fails then. A row
 * proves that the runs would notice if the safeguard were lost.
 */

export type Safeguard = {
  readonly name: string
  /** What goes wrong without it. */
  readonly against: string
  /** Must contain `text` exactly once. */
  readonly file: string
  readonly text: string
  readonly replacement: string
  readonly seed: number
}

export const SAFEGUARDS: readonly Safeguard[] = [
  {
    name: 'suspects-alone',
    against: 'a job that kills its worker takes its neighbours with it',
    file: 'src/worker/attempts.ts',
    text: "if (suspect && !alone) return { kind: 'suspect' }",
    replacement: '',
    seed: 71,
  },
  {
    name: 'attempts-bounded',
    against: 'a job that kills its worker is taken up for ever',
    file: 'src/worker/attempts.ts',
    text: "if (counted >= MAX_ATTEMPTS) return { kind: 'exhausted', round, counted }",
    replacement: '',
    seed: 71,
  },
  {
    name: 'commit-last',
    against: 'a worker that dies takes jobs with it that it has committed',
    file: 'src/worker/loop.ts',
    text: 'await runBatch(jobs, boot, batch.signal, stopping)',
    replacement: 'await lease.commit(); await runBatch(jobs, boot, batch.signal, stopping)',
    seed: 71,
  },
  {
    name: 'put-back',
    against: 'a job that another time would do is not on the stream any more',
    file: 'src/worker/settlement.ts',
    text: 'message: () => publishAgain(leased, notBefore, boot, signal)',
    replacement: 'message: () => {}',
    seed: 2515,
  },
  {
    name: 'dead-letter',
    against: 'a job that was set aside is nowhere',
    file: 'src/worker/lease.ts',
    text: "await deadLetters.publish(jobId ?? 'malformed', letter, signal)",
    replacement: 'void letter',
    seed: 13,
  },
  {
    name: 'absent-waits',
    against: 'one 404 sets a good object aside',
    file: 'src/worker/returns.ts',
    text: "'service.missing': SPREADING,",
    replacement: '',
    seed: 2515,
  },
  {
    name: 'second-look',
    against: 'one altered answer sets a good object aside',
    file: 'src/worker/returns.ts',
    text: 'const SECOND_LOOK: Bound = { seconds: 1,',
    replacement: 'const SECOND_LOOK: Bound = { seconds: 0,',
    seed: 488,
  },
  {
    name: 'outage-asks-again',
    against: 'an outage sets good objects aside',
    file: 'src/worker/ending.ts',
    text: "if (disposition === 'retry' && !isLate) return { kind: 'ask-again' }",
    replacement:
      "if (disposition === 'retry') return { kind: 'set-aside', as: 'failed', code, attempts, denialId: null, headerDigests }",
    seed: 686,
  },
  {
    name: 'own-part',
    against: 'a lost answer to the create of a part sets a good object aside',
    file: 'src/worker/publication.ts',
    text: "(await createOnce(store, object, part.bytes, signal)) === 'foreign'",
    replacement: '!(await createIfAbsent(store, object, part.bytes, signal))',
    seed: 1451,
  },
  {
    name: 'challenge-timeout',
    against: 'a half-open connection holds a worker for a minute',
    file: 'src/adapters/http/releaseService.ts',
    text: 'timeoutMs: Math.min(timeoutMs, CHALLENGE_MS)',
    replacement: 'timeoutMs: 90_000',
    seed: 37,
  },
  {
    name: 'publish-before-answer',
    against: 'an event is answered whose job was never published',
    file: 'src/function/ingest.ts',
    text: 'await deps.jobs.publish(job.jobId, JobFormat.encode(job))',
    replacement: 'await deps.jobs.publish(job.jobId, JobFormat.encode(job)).catch(() => {})',
    seed: 508,
  },
  {
    name: 'absent-event-waits',
    against: 'one 404 to the function loses an object for good',
    file: 'src/function/ingest.ts',
    text: "if (codeOf(error) !== 'service.missing') throw error\n    // The object",
    replacement: 'if (error) throw error\n    // The object',
    seed: 239,
  },
]
