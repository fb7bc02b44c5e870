/**
 * One job's computation: the plaintext of its objects in, one checked output out. It keeps nothing in between.
 */
import { checkOutput } from '#core/egress/check.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import { type Counts, createFilter, type FilterTerms } from '#core/fhir/filter.ts'
import { createLineSplitter, type OnLine } from '#core/fhir/lines.ts'
import type { PatientIds } from '#core/fhir/patientIds.ts'
import type { Grant } from '#core/release/grant.ts'
import type { Workload } from './workload.ts'

export type Computed = { readonly output: Uint8Array; readonly counts: Counts }

/**
 * Filters the NDJSON of `contents`, one after the other, by the grant, folds the lines that pass, and checks the output against the
 * contract. The producer may reuse a chunk after each turn of the iteration. The caller wipes the pseudonym
 * key and the ids of `withdrawn`, which is null if the dataset has no consent lists.
 *
 * Throws `scope.invalid`, `workload.unknown`, `resource.malformed`, `workload.failed`, `output.violated`, and the errors of the
 * iteration: an object whose end does not verify never becomes a result.
 */
export async function runWorkload(
  contents: readonly AsyncIterable<Uint8Array>[],
  grant: FilterTerms & Pick<Grant, 'output'>,
  pseudonymKey: Uint8Array,
  workload: Workload,
  withdrawn: PatientIds | null,
): Promise<Computed> {
  const filter = createFilter(grant, pseudonymKey, withdrawn)
  const run = workload.open(grant.output)
  const onLine: OnLine = (line) => {
    const outcome = filter.apply(line)
    if (outcome.kind === 'kept') guarded(() => run.add(outcome.line))
  }
  for (const content of contents) {
    // A line ends with its file.
    const lines = createLineSplitter()
    for await (const chunk of content) lines.push(chunk, onLine)
    lines.end(onLine)
  }
  const counts = filter.counts()
  const output = guarded(() => run.finish())
  checkOutput(output, workload.contentType, grant.output)
  return { output, counts }
}

/** An error of a workload ends only its job. Its text may hold patient data, so it is dropped. */
function guarded<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    if (codeOf(error) === 'workload.failed') throw error
    throw new CodedError('workload.failed', 'the workload threw an error of its own')
  }
}
