/** The rules about the processor: its product and stepping, and the TCB that it states. */
import type { Refusal } from '#core/errors.ts'
import type { Cpuid, Product } from '#core/snp/product.ts'
import { TCB_NAMES, type TcbName } from '#core/snp/report.ts'
import { below, type TcbComponent } from '#core/snp/tcb.ts'
import type { VerifiedReport } from '#core/snp/verify.ts'
import { oneOf, type Reference, type Rule } from './reference.ts'

/** Floors belong to a stepping. Without a floor for this one there is nothing to hold the TCB against. */
export const processor: Rule = ({ verified }, { processors }) => {
  const row = processorOf(verified, processors)
  if (row !== undefined) return floors(verified, row)
  return [
    {
      code: 'product.excluded',
      field: 'processor',
      expected: oneOf(processors.map((row) => processorText(row.product, row))),
      actual: processorText(verified.product, verified.report.cpuid),
      remedy: 'use an approved processor, whose firmware states its stepping (report version 3 or later)',
    },
  ]
}

function floors({ tcb }: VerifiedReport, { floor }: Reference['processors'][number]): readonly Refusal[] {
  return TCB_NAMES.flatMap((name) =>
    below(tcb[name], floor).map((component) => ({
      code: 'tcb.below-floor' as const,
      field: `tcb.${name}.${component}`,
      expected: `at least ${floor[component]}`,
      actual: String(tcb[name][component]),
      remedy: tcbRemedy(name, component),
    })),
  )
}

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

/** reported ≤ committed ≤ current: firmware that states otherwise is not to be believed in the rest either. */
export const tcbOrder: Rule = ({ verified: { tcb } }) =>
  [['reported', 'committed'] as const, ['committed', 'current'] as const].flatMap(([low, high]) =>
    below(tcb[high], tcb[low]).map((component) => ({
      code: 'tcb.inconsistent' as const,
      field: `tcb.${low}.${component}`,
      expected: `at most ${tcb[high][component]}, as ${high}`,
      actual: String(tcb[low][component]),
      remedy: 'look into the host: genuine firmware does not report this',
    })),
  )

/** Version 2 has no CPUID, so no stepping, so no row. */
function processorOf(
  { product, report: { cpuid } }: VerifiedReport,
  processors: Reference['processors'],
): Reference['processors'][number] | undefined {
  return processors.find(
    (row) =>
      row.product === product &&
      row.family === cpuid?.family &&
      row.model === cpuid.model &&
      row.stepping === cpuid.stepping,
  )
}

function processorText(product: Product, cpuid: Cpuid | undefined): string {
  if (cpuid === undefined) return `${product} of unknown stepping`
  const hex = (value: number) => value.toString(16).padStart(2, '0')
  return `${product} ${hex(cpuid.family)}/${hex(cpuid.model)}/${hex(cpuid.stepping)}`
}
