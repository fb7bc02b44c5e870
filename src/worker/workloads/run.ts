/** One job's computation: plaintext of the object in, one checked result out, nothing in between kept. */
import { checkOutput } from '#core/egress/check.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import type { Counts } from '#core/fhir/filter.ts'
import { createFilter } from '#core/fhir/filter.ts'
import { createLineSplitter } from '#core/fhir/lines.ts'
import type { Grant } from '#core/release/grant.ts'
import type { Workload } from './workload.ts'

export type Computed = { readonly output: Uint8Array; readonly counts: Counts }

/**
 * Filters the NDJSON of `chunks` by the grant, folds what is left, and checks the output against the contract. The
 * chunks may be reused after each turn of the iteration; the pseudonym key is the caller's to wipe.
 *
 * Throws `scope.invalid`, `resource.malformed`, `workload.failed`, `output.violated`, and whatever the iteration throws:
 * an object whose end does not verify never becomes a result.
 */
export async function runWorkload(
  chunks: AsyncIterable<Uint8Array>,
  grant: Pick<Grant, 'scopes' | 'view' | 'sensitive' | 'iat' | 'output'>,
  pseudonymKey: Uint8Array,
  workload: Workload,
): Promise<Computed> {
  const filter = createFilter(grant, pseudonymKey)
  const lines = createLineSplitter()
  const run = workload.open(grant.output)
  const onLine = (line: Uint8Array): void => {
    const outcome = filter.apply(line)
    if (outcome.kind === 'kept') guarded(() => run.add(outcome.line))
  }
  for await (const chunk of chunks) lines.push(chunk, onLine)
  lines.end(onLine)
  const counts = filter.counts()
  const output = guarded(() => run.finish())
  checkOutput(output, workload.contentType, grant.output)
  return { output, counts }
}

/** Whatever a workload throws ends its job and nothing else; what it says may hold data, and goes no further. */
function guarded<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    if (codeOf(error) === 'workload.failed') throw error
    throw new CodedError('workload.failed', 'the workload ended with a fault of its own')
  }
}
