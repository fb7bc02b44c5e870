/** The rules about the processor: its product and stepping, and the least TCB that belongs to them. */
import type { Cpuid, Product } from '../snp/product.ts'
import { TCB_NAMES, type TcbName } from '../snp/report.ts'
import { below, type TcbComponent } from '../snp/tcb.ts'
import type { VerifiedReport } from '../snp/verify.ts'
import { oneOf, type ProcessorReference, type Reference, type Rule } from './reference.ts'
import { refuse, unless, type Violation } from './violation.ts'

/** A report of version 2 has no CPUID, so no stepping, so it matches no row. */
export const processor: Rule = ({ verified }, reference) =>
  unless(processorOf(verified, reference) !== undefined, {
    code: 'product.excluded',
    field: 'processor',
    expected: oneOf(reference.processors.map((row) => processorText(row.product, row))),
    actual: processorText(verified.product, verified.report.cpuid),
    ...remedyFor(verified, reference),
  })

/**
 * Compares each of the four TCBs with the floor. The reported one belongs to the signing key, the host can go
 * back to the committed one, the current one runs, and the one at launch ran when the guest's secrets began.
 * Without a row there is no floor.
 */
export const tcbFloors: Rule = ({ verified }, reference) => {
  const floor = processorOf(verified, reference)?.floor
  if (floor === undefined) return []
  return TCB_NAMES.flatMap((name) =>
    below(verified.tcb[name], floor).map((component) =>
      refuse({
        code: 'tcb.below-floor',
        field: `tcb.${name}.${component}`,
        expected: `at least ${floor[component]}`,
        actual: String(verified.tcb[name][component]),
        remedy: tcbRemedy(name, component),
      }),
    ),
  )
}

/** The row of the reference values for this processor. */
export function processorOf(
  { product, report: { cpuid } }: VerifiedReport,
  { processors }: Reference,
): ProcessorReference | undefined {
  return processors.find(
    (row) =>
      row.product === product &&
      row.family === cpuid?.family &&
      row.model === cpuid.model &&
      row.stepping === cpuid.stepping,
  )
}

function remedyFor({ product }: VerifiedReport, { processors }: Reference): Pick<Violation, 'remedy'> {
  const isMilan = product === 'Milan' && processors.every((row) => row.product !== 'Milan')
  return isMilan ? { remedy: MILAN } : {}
}

/**
 * arXiv 2605.12990, AMD-SB-3045: software can read the seed of a chip's VCEK, and then make any report of
 * that chip.
 */
const MILAN =
  'use Genoa or Turin: software can read the root key of a Milan chip (AMD-SB-3045, arXiv 2605.12990), so its report, of ' +
  'whatever TCB, proves nothing unless a policy approves Milan and lists the chips whose history is trusted'

function tcbRemedy(name: TcbName, component: TcbComponent): string {
  const part = component === 'microcode' ? 'microcode' : 'SEV firmware'
  const remedies = {
    current: `update the ${part} of the host`,
    committed: `update the ${part} of the host and commit it, so that it cannot go back`,
    reported: `update the ${part} of the host, have it report the new TCB, and fetch the new VCEK certificate`,
    launch: `launch the guest again on a host with updated ${part}`,
  }
  return remedies[name]
}

function processorText(product: Product, cpuid: Cpuid | undefined): string {
  if (cpuid === undefined) return `${product} of unknown stepping`
  const hex = (value: number) => value.toString(16).padStart(2, '0')
  return `${product} ${hex(cpuid.family)}/${hex(cpuid.model)}/${hex(cpuid.stepping)}`
}
