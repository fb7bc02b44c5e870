/** A fault with a code, and the columns that every table of codes has. */

/**
 * - `retry`: the same request may succeed later; nothing is lost by waiting.
 * - `reject`: this input will never succeed; record it, set it aside, go on.
 * - `stop`: the process can no longer vouch for its own state; end it and let recovery start from what is
 *   durable.
 */
export type Disposition = 'retry' | 'reject' | 'stop'

/**
 * The Verifier's order of work. A refusal on the wire names the step that refused (docs/formats/release.md).
 */
export const STAGES = [
  'request',
  'nonce',
  'binding',
  'assertion',
  'evidence',
  'appraisal',
  'grant',
  'custody',
  'witness',
] as const
export type Stage = (typeof STAGES)[number]

/** 1 refused, 2 malformed input or usage, 75 try again (EX_TEMPFAIL), 78 configuration (EX_CONFIG). */
export type ExitCode = 1 | 2 | 75 | 78

/** All that is known of one code. */
export type ErrorRow = {
  /** Null for a code that no step of the Verifier gives. */
  readonly stage: Stage | null
  readonly disposition: Disposition
  readonly http: number
  readonly exit: ExitCode
  /** One clause in lower case: it is the title of a refusal on the wire. */
  readonly meaning: string
  /** One or two clauses in lower case, for an operator. */
  readonly remedy: string
}

/** The rows of one stage, by class. */
export function rowsOf(stage: Stage | null) {
  const row =
    (disposition: Disposition, http: number, exit: ExitCode) =>
    (meaning: string, remedy: string): ErrorRow => ({ stage, disposition, http, exit, meaning, remedy })
  return {
    refused: row('reject', 403, 1),
    malformed: row('reject', 400, 2),
    later: row('retry', 503, 75),
    misconfigured: row('stop', 500, 78),
    fatal: row('stop', 500, 75),
  }
}

/**
 * A fault with a stable code; the message may change. Thrown as `CodedError`, which fixes the codes that are
 * allowed.
 */
export class Coded<Code extends string> extends Error {
  readonly code: Code

  constructor(code: Code, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'CodedError'
    this.code = code
  }
}

/**
 * One class for every table of codes, so that `instanceof` holds across them; each table narrows what may be
 * thrown.
 */
export type CodedClass<Code extends string> = new (
  code: Code,
  message: string,
  options?: { cause?: unknown },
) => Coded<Code>

/**
 * A refusal as a value: what was decided, about which field, and (for the provider only) why and what to do.
 */
export type RefusalOf<Code extends string> = {
  readonly code: Code
  readonly field: string
  readonly expected: string
  readonly actual: string
  readonly remedy: string
}
