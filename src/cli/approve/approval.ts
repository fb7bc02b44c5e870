/** Reference values that approve one build on one kind of machine: the built-in floors, and what was launched. */
import { STRICT } from '#core/appraisal/strict.ts'
import { CodedError } from '#core/errors.ts'
import type { PolicyReference } from '#core/policy/referenceSchema.ts'
import type { DescribedReport } from '#core/snp/describedReport.ts'

const DAY = 86_400
/** A week beyond the day on which AMD should have issued the next revocation list. */
const CRL_GRACE_SECONDS = 7 * DAY

export type Approval = {
  readonly id: string
  readonly assurance: PolicyReference['assurance']
  readonly measurement: string
  /** Trust digests of the workers' configurations. */
  readonly trust: readonly string[]
  readonly now: number
  readonly days: number
}

/** From a day ago, for clocks that are behind; on any machine that meets the built-in floors, with a current revocation list of AMD. */
export function approvalOf({ id, assurance, measurement, trust, now, days }: Approval): PolicyReference {
  return {
    ...STRICT,
    crl: { graceSeconds: CRL_GRACE_SECONDS },
    id,
    assurance,
    measurements: [measurement],
    trust: [...trust],
    notBefore: now - DAY,
    notAfter: now + days * DAY,
  }
}

/**
 * Narrows them to machines like that of a report: its processor alone and, if asked, firmware no older than its
 * own, and its chip alone. Throws `product.excluded` for a processor that the built-in set does not have.
 */
export function likeMachine(
  reference: PolicyReference,
  { cpuid, tcb, firmware, chipId }: DescribedReport,
  { sameFirmware, sameChip }: { readonly sameFirmware: boolean; readonly sameChip: boolean },
): PolicyReference {
  const processor = reference.processors.find(
    ({ family, model, stepping }) =>
      family === cpuid?.family && model === cpuid.model && stepping === cpuid.stepping,
  )
  if (processor === undefined || tcb === null)
    throw new CodedError('product.excluded', 'the report names no processor of the built-in reference values')
  return {
    ...reference,
    processors: [sameFirmware ? { ...processor, floor: tcb.committed } : processor],
    firmware: sameFirmware ? firmware.committed : reference.firmware,
    chips: sameChip ? [chipId] : reference.chips,
  }
}
