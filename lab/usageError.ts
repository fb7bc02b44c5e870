/** The answer to a wrong command line: one sentence instead of Node's message and stack. */
import { CodedError } from '#core/errors.ts'

/** Made from the error that `parseArgs` throws. Its message continues with advice on positional arguments. */
export function usageError(cause: unknown): CodedError {
  const [sentence = ''] = cause instanceof Error ? cause.message.split(/\. |\n/) : []
  const text = sentence.charAt(0).toLowerCase() + sentence.slice(1)
  return new CodedError('usage.invalid', text, { cause })
}
