/** A fuzz target: the generator of its inputs and the rules for the answer to each input. */
import { CodedError, type ErrorCode } from '#core/errors.ts'
import type { Random } from './random.ts'

/** An input for the code under test: one or more byte strings. */
export type Input = readonly Buffer[]

export type Target = {
  readonly name: string
  readonly what: string
  /** The share of the inputs in a run over all targets. Fast and exposed code gets more. */
  readonly weight: number
  /** The number of inputs in `npm test`, which take seconds. */
  readonly quick: number
  /** The codes that the code under test documents. Everything else that it throws is a finding. */
  readonly codes: readonly ErrorCode[]
  /** The codes that the generator must reach; absent: all of them. */
  readonly reached?: readonly ErrorCode[]
  /** Makes the valid inputs from which the generator starts. */
  readonly open: () => Promise<OpenTarget>
}

/** A target that is ready to run. */
export type OpenTarget = {
  readonly generate: (random: Random) => Input
  /**
   * Calls the code under test. If that accepts, `check` throws `Violation` unless the rules for an accepted
   * input hold.
   */
  readonly check: (input: Input) => Promise<void> | void
}

/** The code under test accepted an input that it must refuse, or its output does not match the input. */
export class Violation extends Error {
  constructor(what: string) {
    super(what)
    this.name = 'Violation'
  }
}

/** The answer to an input: accepted, refused with a documented code, or a finding. */
export type FuzzAnswer =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'finding'; readonly error: unknown }

export async function answerTo(input: Input, opened: OpenTarget, { codes }: Target): Promise<FuzzAnswer> {
  try {
    await opened.check(input)
    return { kind: 'accepted' }
  } catch (error) {
    if (error instanceof CodedError && codes.includes(error.code))
      return { kind: 'refused', code: error.code, message: error.message }
    return { kind: 'finding', error }
  }
}
