/** Times, amounts and codes in the words of a person who signs a policy. */
import { leastPersons } from '#core/egress/contract.ts'
import type { Dataset, Permission, Policy } from '#core/policy/policy.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'

/** HL7 v3 PurposeOfUse, as far as it concerns releases for secondary use. */
const PURPOSES: Readonly<Record<string, string>> = {
  HRESCH: 'healthcare research',
  CLINTRCH: 'clinical trial research',
  PUBHLTH: 'public health',
  HQUALIMP: 'healthcare quality improvement',
  HOPERAT: 'healthcare operations',
  HPAYMT: 'healthcare payment',
  TREAT: 'treatment',
  PATRQT: 'patient requested',
}

export function purposeText(code: string): string {
  const words = PURPOSES[code]
  return words === undefined ? code : `${code} (${words})`
}

/** `2026-11-22 08:00 UTC`, with seconds only if there are any. */
export function timeText(seconds: number): string {
  const text = toRfc3339(toUnixSeconds(seconds)).replace('T', ' ')
  return `${text.replace(/(?::00)?Z$/, '')} UTC`
}

export function numberText(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}

const BYTE_UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Exact, unlike a progress display: two different limits never read alike. */
export function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0]
  while (value >= 1024 && value % 1024 === 0 && unit < BYTE_UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${numberText(value)} ${BYTE_UNITS[unit]}`
}

/** `a, b and c`. */
export function listText(items: readonly string[]): string {
  const last = items.at(-1) ?? 'nothing'
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')} and ${last}`
}

export function disclosureText({ disclosure }: Permission['output']): string {
  return disclosure.form === 'exact'
    ? 'every count is shown, also of a single person'
    : `a count of fewer than ${leastPersons(disclosure)} persons is not shown`
}

export function quotaText({ hours, releases, objects, bytes }: Permission['quota']): string {
  return `${numberText(releases)} releases, ${numberText(objects)} files and ${bytesText(bytes)} per ${hours} hours`
}

/** The level that a dataset demands of a machine. */
export function assuranceText({ assurance }: Dataset): string {
  if (assurance.level === 'measured') return 'must prove which code it runs (measured)'
  const who = assurance.administeredBy === 'neutral' ? 'a neutral party' : `the ${assurance.administeredBy}`
  return `proves its hardware and firmware only (platform); ${who} administers it and can read what it reads`
}

/** What `administeredBy: consumer` means. A signer must see it. */
export function disclosureSentence({ id }: Dataset, client: string): string {
  return `DISCLOSURE: ${client} administers the machines, so its administrators can read every released file of ${id} whole. This permission hands the data over; the output rule holds back nothing from them.`
}

export function isDisclosed({ assurance }: Dataset): boolean {
  return assurance.level === 'platform' && assurance.administeredBy === 'consumer'
}

export function permissionsOf({ datasets }: Policy) {
  return datasets.flatMap((dataset) => dataset.permissions.map((permission) => ({ dataset, permission })))
}
