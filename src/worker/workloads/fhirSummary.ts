/**
 * fhir-summary: how many resources of each type, code and year were let through. A resource counts once, in the cell
 * of the first code and the first date that it still has, whatever its status. A cell is shown only where resources of
 * at least `minimumCell` different persons are in it: fifty observations of one patient are one person. A resource that
 * points to no person belongs to none.
 */
import type { OutputContract } from '#core/egress/contract.ts'
import { type Cell, COUNT_TABLE_CONTENT_TYPE, CountTableFormat, compareCells } from '#core/egress/table.ts'
import { CodedError, under } from '#core/errors.ts'
import type { WorkloadRun, WorkloadSource } from './workload.ts'

/** Bounds of memory: about 100 bytes a cell, 8 bytes a mark. */
const MAX_CELLS = 200_000
const MAX_MARKS = 4_000_000

/** Where each type says what it is about, and when: the first that is there counts. */
const SUBJECTS: Readonly<
  Record<string, { readonly code: readonly string[]; readonly date: readonly string[] }>
> = {
  AllergyIntolerance: { code: ['code'], date: ['onsetDateTime', 'onsetPeriod', 'recordedDate'] },
  Condition: { code: ['code'], date: ['onsetDateTime', 'onsetPeriod', 'recordedDate'] },
  DiagnosticReport: { code: ['code'], date: ['effectiveDateTime', 'effectivePeriod'] },
  DocumentReference: { code: ['type'], date: ['context.period'] },
  Encounter: { code: ['type', 'class'], date: ['period'] },
  ImagingStudy: { code: ['procedureCode', 'modality', 'series.modality'], date: ['started'] },
  Immunization: { code: ['vaccineCode'], date: ['occurrenceDateTime'] },
  MedicationAdministration: {
    code: ['medicationCodeableConcept'],
    date: ['effectiveDateTime', 'effectivePeriod'],
  },
  MedicationRequest: { code: ['medicationCodeableConcept'], date: ['authoredOn'] },
  Observation: { code: ['code'], date: ['effectiveDateTime', 'effectivePeriod'] },
  Patient: { code: ['gender'], date: ['birthDate'] },
  Procedure: { code: ['code'], date: ['performedDateTime', 'performedPeriod'] },
  ServiceRequest: { code: ['code'], date: ['occurrenceDateTime', 'occurrencePeriod', 'authoredOn'] },
  Specimen: { code: ['type'], date: ['collection.collectedDateTime', 'collection.collectedPeriod'] },
}
const GENDER_SYSTEM = 'http://hl7.org/fhir/administrative-gender'

export const fhirSummary: WorkloadSource = {
  name: 'fhir-summary',
  contentType: COUNT_TABLE_CONTENT_TYPE,
  open: openSummary,
}

type Tally = { count: number; persons: PersonMarks }

function openSummary({ minimumCell }: OutputContract): WorkloadRun {
  const tallies = new Map<string, Tally>()
  let marks = 0
  return {
    add: (line) => {
      const resource = parseLine(line)
      const key = JSON.stringify(cellOf(resource))
      const tally = tallies.get(key) ?? { count: 0, persons: createPersonMarks(minimumCell) }
      if (tally.count++ === 0) {
        if (tallies.size === MAX_CELLS)
          throw new CodedError('workload.failed', `the summary has more than ${MAX_CELLS} cells`)
        tallies.set(key, tally)
      }
      marks += tally.persons.add(personOf(resource))
      if (marks > MAX_MARKS)
        throw new CodedError(
          'workload.failed',
          `the summary marks more than ${MAX_MARKS} persons in its cells`,
        )
    },
    finish: () => {
      const shown: Cell[] = []
      for (const [key, { count, persons }] of tallies) if (persons.isEnough()) shown.push(toCell(key, count))
      return under('workload.failed', () =>
        CountTableFormat.encode({
          v: 1,
          workload: fhirSummary.name,
          unit: { count: 'resources', minimumCell: 'persons' },
          minimumCell,
          cellsWithheld: shown.length < tallies.size,
          table: shown.sort(compareCells),
        }),
      )
    },
  }
}

type Json = { readonly [member: string]: unknown }
type CellKey = readonly [
  resourceType: string,
  system: string | null,
  code: string | null,
  year: string | null,
]

function cellOf(resource: Json): CellKey {
  const type = String(resource['resourceType'])
  const subject = Object.hasOwn(SUBJECTS, type) ? SUBJECTS[type] : undefined
  const [system, code] = firstOf(subject?.code ?? [], (path) => codingAt(resource, path)) ?? [null, null]
  return [type, system, code, firstOf(subject?.date ?? [], (path) => yearAt(resource, path)) ?? null]
}

function toCell(key: string, count: number): Cell {
  // Written by `add` from a CellKey.
  const [resourceType, system, code, year] = JSON.parse(key) as CellKey
  return { resourceType, system, code, year, count }
}

function parseLine(line: Uint8Array): Json {
  const value: unknown = JSON.parse(
    Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8'),
  )
  return asObject(value) ?? {}
}

function firstOf<T>(paths: readonly string[], at: (path: string) => T | undefined): T | undefined {
  for (const path of paths) {
    const found = at(path)
    if (found !== undefined) return found
  }
  return undefined
}

/** The first value at a dotted path, entering the first element of each array. */
function valueAt(resource: Json, path: string): unknown {
  let value: unknown = resource
  for (const member of path.split('.')) value = firstElement(asObject(value)?.[member])
  return value
}

function codingAt(resource: Json, path: string): readonly [string, string] | undefined {
  const value = valueAt(resource, path)
  if (typeof value === 'string') return [GENDER_SYSTEM, value]
  const concept = asObject(value)
  const coding = asObject(firstElement(concept?.['coding'])) ?? concept
  const { system, code } = coding ?? {}
  return typeof system === 'string' && typeof code === 'string' ? [system, code] : undefined
}

function yearAt(resource: Json, path: string): string | undefined {
  const value = valueAt(resource, path)
  const year = typeof value === 'string' ? value : (asObject(value)?.['start'] ?? asObject(value)?.['end'])
  return typeof year === 'string' ? year : undefined
}

/** The first 48 bits of the pseudonym of the person whom a resource is about: two persons who share them count as one. */
function personOf(resource: Json): number | undefined {
  const reference =
    resource['resourceType'] === 'Patient'
      ? `Patient/${String(resource['id'])}`
      : (asObject(resource['subject']) ?? asObject(resource['patient']))?.['reference']
  const match = typeof reference === 'string' ? /^Patient\/([0-9a-f]{12})/.exec(reference) : null
  return match?.[1] === undefined ? undefined : Number.parseInt(match[1], 16)
}

function firstElement(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value
}

function asObject(value: unknown): Json | undefined {
  // An object that is not null has members of unknown type, which is all that Json says.
  return typeof value === 'object' && value !== null ? (value as Json) : undefined
}

type PersonMarks = {
  /** Marks a person; returns how many marks are held more than before, which falls below zero when enough is reached. */
  readonly add: (person: number | undefined) => number
  readonly isEnough: () => boolean
}

/** Different persons, counted up to `enough` and no further: then the marks are let go. */
function createPersonMarks(enough: number): PersonMarks {
  const marks = new Set<number>()
  // 1 shows all cells, those without a person too.
  let isEnough = enough === 1
  return {
    add: (person) => {
      if (isEnough || person === undefined || marks.has(person)) return 0
      marks.add(person)
      if (marks.size < enough) return 1
      isEnough = true
      const released = marks.size - 1
      marks.clear()
      return -released
    },
    isEnough: () => isEnough,
  }
}
