/** Lines as the filter writes them, and what fhir-summary makes of them. */
import type { OutputContract } from '#core/egress/contract.ts'
import type { CountTable } from '#core/egress/table.ts'
import { loadWorkloads } from '../../../src/worker/workloads/registry.ts'

export const SNOMED = 'http://snomed.info/sct'
/** `k` 1 shows all cells. */
export const contractOf = (k: number): OutputContract => ({
  contentType: 'application/json',
  maxBytes: 1_000_000,
  disclosure: k === 1 ? { form: 'exact' } : { form: 'threshold', k, cap: null },
})

export const person = (number: number) => `Patient/${String(number).padStart(12, '0').padEnd(32, '0')}`

export function condition(subject: number | undefined, code = '444814009', year = '2020'): object {
  return {
    resourceType: 'Condition',
    code: { coding: [{ system: SNOMED, code }] },
    ...(subject === undefined ? {} : { subject: { reference: person(subject) } }),
    onsetDateTime: year,
  }
}

export async function fhirSummary() {
  const found = (await loadWorkloads()).find(({ name }) => name === 'fhir-summary')
  if (found === undefined) throw new Error('fhir-summary is not registered')
  return found
}

export async function summaryOf(resources: Iterable<object>, k: number): Promise<CountTable> {
  const run = (await fhirSummary()).open(contractOf(k))
  for (const resource of resources) run.add(Buffer.from(JSON.stringify(resource)))
  return JSON.parse(Buffer.from(run.finish()).toString())
}
