/** Names of governance objects. The content of an object gives its name. */
import { CodedError, type ErrorCode } from '../errors.ts'

/** Zero-padded, so that a listing is in order. */
export function numberedName(folder: string, seq: number): string {
  return `${folder}/${String(seq).padStart(9, '0')}`
}

/** Throws `code` unless the object that was read under `name` is named `expected` by its content. */
export function expectName(name: string, expected: string, code: ErrorCode = 'policy.invalid'): void {
  if (name !== expected) throw new CodedError(code, `${name} contains the object ${expected}`)
}
