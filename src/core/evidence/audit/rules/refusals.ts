/** Compares what was refused with the policy that it names. */
import type { Context, Rule } from '../context.ts'
import type { Logged } from '../log/log.ts'

export function refusals({ anchors: { governed }, findings }: Context): Rule {
  return {
    entry: (logged) => {
      const { entry } = logged
      if (entry.event === 'worker.refused') judgeRefused({ ...logged, entry })
    },
  }

  /** The nearest reference values are of the policy that was in force, and as near as the reasons say. */
  function judgeRefused(refused: Logged<'worker.refused'>): void {
    const { denialId, policySeq, nearest } = refused.entry
    const policy = governed.policyOf(refused, policySeq)
    if (policy === undefined) {
      findings.missing(`policy ${policySeq}`, refused)
      return
    }
    const foreign = nearest.filter(({ reference }) =>
      policy.referenceValues.every(({ id }) => id !== reference),
    )
    if (foreign.length > 0)
      findings.at(refused, `denial ${denialId}`)(
        'decision.unfounded',
        `policy ${policySeq} has no ${foreign.map(({ reference }) => reference).join(', ')}`,
      )
  }
}
