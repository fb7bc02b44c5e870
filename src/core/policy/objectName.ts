/** Each governance object lies under the name that its own content gives. */
import { CodedError, type ErrorCode } from '../errors.ts'

/** Throws `code` if the object read under `name` belongs under `expected`. */
export function expectName(name: string, expected: string, code: ErrorCode = 'policy.invalid'): void {
  if (name !== expected) throw new CodedError(code, `${name} holds the object of ${expected}`)
}
