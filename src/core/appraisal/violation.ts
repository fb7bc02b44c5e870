/** A rule's answer: the refusals of a report, none if the rule holds. */
import { REPORT_ERRORS, type Refusal } from '../errors/report.ts'

/** Without a remedy it takes the one of the table of codes. */
export type Violation = Omit<Refusal, 'remedy'> & { readonly remedy?: string }

export function unless(holds: boolean, violation: Violation): readonly Refusal[] {
  return holds ? [] : [refuse(violation)]
}

export function refuse(violation: Violation): Refusal {
  const { code, field, expected, actual, remedy = REPORT_ERRORS[code].remedy } = violation
  return { code, field, expected, actual, remedy }
}
