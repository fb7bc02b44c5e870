/** Reference values of a policy, for tests. */
import { STRICT } from '#core/appraisal/strict.ts'
import type { PolicyReference } from '#core/policy/referenceSchema.ts'

/** The built-in set as the approval of one build; a test states what matters to it. */
export function referenceOf(
  changes: Partial<PolicyReference> & Pick<PolicyReference, 'measurements' | 'trust'>,
): PolicyReference {
  return { ...STRICT, id: 'worker-1', assurance: 'measured', ...changes }
}
