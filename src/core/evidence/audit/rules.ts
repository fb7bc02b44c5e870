/** The rules of the audit, one per file. */
import type { RuleOf } from './context.ts'
import { agreement } from './rules/agreement.ts'
import { decisions } from './rules/decisions.ts'
import { denials } from './rules/denials.ts'
import { interruptions } from './rules/interruptions.ts'
import { jobOrder } from './rules/jobOrder.ts'
import { quotas } from './rules/quotas.ts'
import { refusals } from './rules/refusals.ts'
import { requests } from './rules/requests.ts'
import { sightings } from './rules/sightings.ts'
import { statements } from './rules/statements.ts'
import { supersession } from './rules/supersession.ts'

/** Statements come first: decisions are judged by what they say is in force. */
export const RULES: readonly RuleOf[] = [
  statements,
  decisions,
  supersession,
  requests,
  quotas,
  refusals,
  denials,
  jobOrder,
  agreement,
  interruptions,
  sightings,
]
