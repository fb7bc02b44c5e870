/** The rules about the boot and its machine, beyond the appraisal of the report. */
import type { AcceptedVerdict } from '../appraisal/appraise.ts'
import { meetsAssurance } from '../appraisal/reference.ts'
import type { Refusal } from '../errors.ts'
import type { Dataset } from '../policy/policy.ts'
import type { Revocation } from '../policy/revocation.ts'

export function bootReasons(boot: string, revocation: Pick<Revocation, 'boots'>): Refusal[] {
  if (!revocation.boots.includes(boot)) return []
  return [
    {
      code: 'boot.mismatch',
      field: 'boot',
      expected: 'not revoked',
      actual: `${boot} is revoked`,
      remedy: 'restart the worker, if its machine is to be trusted again',
    },
  ]
}

export function platformReasons(verdict: AcceptedVerdict, dataset: Dataset): Refusal[] {
  const reasons: Refusal[] = []
  if (!meetsAssurance(verdict.assurance, dataset.assurance.level))
    reasons.push({
      code: 'assurance.insufficient',
      field: `dataset ${dataset.id}.assurance`,
      expected: dataset.assurance.level,
      actual: verdict.assurance,
      remedy: 'run the worker where the launch digest covers its whole image',
    })
  if (verdict.simulated && !dataset.synthetic)
    reasons.push({
      code: 'root.untrusted',
      field: `dataset ${dataset.id}.synthetic`,
      expected: 'a root of AMD, since the data are real',
      actual: 'a simulated root',
      remedy: 'run the worker on SEV-SNP hardware',
    })
  return reasons
}

/** True if the consumer administers the machine: it could then read what the worker reads. */
export function isDisclosure(
  verdict: Pick<AcceptedVerdict, 'assurance'>,
  { assurance }: Pick<Dataset, 'assurance'>,
): boolean {
  return (
    verdict.assurance === 'platform' &&
    assurance.level === 'platform' &&
    assurance.administeredBy === 'consumer'
  )
}
