/** What is fuzzed: how inputs are made, and what must hold of the answer to each. */
import { CodedError, type ErrorCode } from '#core/errors.ts'
import type { Random } from './random.ts'

/** What the code under test is given: one byte string or several. */
export type Input = readonly Buffer[]

export type Target = {
  readonly name: string
  readonly what: string
  /** Its share of the inputs in a run over all targets: fast and much exposed code gets more. */
  readonly weight: number
  /** Inputs in `npm test`: a matter of seconds. */
  readonly quick: number
  /** What the code documents that it throws; everything else is a finding. */
  readonly codes: readonly ErrorCode[]
  /** Those that the generator reaches by itself; absent: all of them. */
  readonly reached?: readonly ErrorCode[]
  /** Makes the valid inputs that the generator starts from. */
  readonly open: () => Promise<Subject>
}

export type Subject = {
  readonly generate: (random: Random) => Input
  /** Calls the code under test; where it accepts, throws `Violation` unless what must hold then does. */
  readonly check: (input: Input) => void
}

/** The code under test accepted what it must not, or gave back something else than it was given. */
export class Violation extends Error {
  constructor(what: string) {
    super(what)
    this.name = 'Violation'
  }
}

/** Code and text of a refusal, `accepted`, or the finding that the answer was neither. */
export type Answer =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'finding'; readonly error: unknown }

export function answerTo(input: Input, subject: Subject, { codes }: Target): Answer {
  try {
    subject.check(input)
    return { kind: 'accepted' }
  } catch (error) {
    if (error instanceof CodedError && codes.includes(error.code))
      return { kind: 'refused', code: error.code, message: error.message }
    return { kind: 'finding', error }
  }
}
