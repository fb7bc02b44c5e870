/**
 * The fhir-summary workload counts the resources that pass by type, code and year. A resource counts once, in
 * the cell of its first remaining code and date, whatever its status. A cell is shown only if its resources
 * belong to at least
 * `minimumCell` different persons: fifty observations of one patient are one person. A resource without a
 * reference to a
 * person counts for no person.
 */
import type { OutputContract } from '#core/egress/contract.ts'
import { type Cell, COUNT_TABLE_CONTENT_TYPE, CountTableFormat, compareCells } from '#core/egress/table.ts'
import { CodedError, under } from '#core/errors.ts'
import { SliceScanner } from '#core/fhir/slice.ts'
import { ARRAY } from '#core/fhir/tokens.ts'
import { WordTable } from '#core/fhir/words.ts'
import type { WorkloadRun, WorkloadSource } from './workload.ts'

/** Bounds of memory: about 100 bytes per cell, 8 bytes per mark. */
const MAX_CELLS = 200_000
const MAX_MARKS = 4_000_000

type About = { readonly code: readonly string[]; readonly date: readonly string[] }

/** The elements of each type that hold its code and its date. The first one present counts. */
const ABOUT: Readonly<Record<string, About>> = {
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
const PERSON = /^Patient\/([0-9a-f]{12})/
const GENDER_SYSTEM = 'http://hl7.org/fhir/administrative-gender'

export const fhirSummary: WorkloadSource = {
  name: 'fhir-summary',
  contentType: COUNT_TABLE_CONTENT_TYPE,
  open: openSummary,
}

type Tally = { readonly cell: Cell; count: number; readonly persons: PersonMarks }

function openSummary({ minimumCell }: OutputContract): WorkloadRun {
  const read = createReader()
  const tallies = new Map<string, Tally>()
  let marks = 0
  const tallyOf = (reading: Reading): Tally => {
    const { resourceType, system, code, year } = reading
    // The grammars of the table admit no space in a part of a cell, so keys are unique.
    const key = `${resourceType} ${system ?? ''} ${code ?? ''} ${year ?? ''}`
    const known = tallies.get(key)
    if (known !== undefined) return known
    if (tallies.size === MAX_CELLS)
      throw new CodedError('workload.failed', `the summary has more than ${MAX_CELLS} cells`)
    const cell = { resourceType, system, code, year, count: 0 }
    const tally = { cell, count: 0, persons: createPersonMarks(minimumCell) }
    tallies.set(key, tally)
    return tally
  }
  return {
    add: (line) => {
      const reading = read(line)
      const tally = tallyOf(reading)
      tally.count++
      marks += tally.persons.add(reading.person)
      if (marks > MAX_MARKS)
        throw new CodedError(
          'workload.failed',
          `the summary marks more than ${MAX_MARKS} persons in its cells`,
        )
    },
    finish: () => {
      const shown = [...tallies.values()].filter(({ persons }) => persons.isEnough())
      return under('workload.failed', () =>
        CountTableFormat.encode({
          v: 1,
          workload: fhirSummary.name,
          unit: { count: 'resources', minimumCell: 'persons' },
          minimumCell,
          cellsWithheld: shown.length < tallies.size,
          table: shown.map(({ cell, count }) => ({ ...cell, count })).sort(compareCells),
        }),
      )
    },
  }
}

/** The cell of one resource, and its person. */
type Reading = Omit<Cell, 'count'> & {
  /** The first 48 bits of the person's pseudonym: two persons who share them count as one. */
  readonly person: number | undefined
}

/** Reads projected lines by their slices, since most of a line is not needed. */
function createReader(): (line: Uint8Array) => Reading {
  const names = new WordTable([
    ...'resourceType id subject patient reference coding system code start end'.split(' '),
    ...Object.values(ABOUT).flatMap(({ code, date }) =>
      [...code, ...date].flatMap((path) => path.split('.')),
    ),
  ])
  const resource = new SliceScanner(names, 'code')
  const compile = (path: string): Path => path.split('.').map((name) => names.idOf(name))
  const about = new Map(
    Object.entries(ABOUT).map(([type, { code, date }]) => [
      type,
      {
        code: code.map(compile),
        date: date.flatMap((path) => [path, `${path}.start`, `${path}.end`]).map(compile),
      },
    ]),
  )
  const [resourceType, id, coding, system, code] = ['resourceType', 'id', 'coding', 'system', 'code'].map(
    compile,
  )
  const references = ['subject.reference', 'patient.reference'].map(compile)

  /** The first value at a path, entering the first element of each array; -1 if there is none. */
  const valueAt = (parent: number, path: Path = []): number => {
    let value = parent
    for (const name of path) {
      value = resource.member(value, name)
      if (value < 0) return -1
      if (resource.kind[value] === ARRAY) value = resource.next[value] === value + 1 ? -1 : value + 1
    }
    return value
  }
  const textAt = (parent: number, path?: Path): string | undefined => {
    const value = valueAt(parent, path)
    return value >= 0 && resource.isText(value) ? resource.text(value) : undefined
  }
  const codingAt = (path: Path): readonly [string, string] | undefined => {
    const value = valueAt(0, path)
    if (value < 0) return undefined
    if (resource.isText(value)) return [GENDER_SYSTEM, resource.text(value)]
    const nested = valueAt(value, coding)
    const found = nested < 0 ? value : nested
    const [inSystem, hasCode] = [textAt(found, system), textAt(found, code)]
    return inSystem === undefined || hasCode === undefined ? undefined : [inSystem, hasCode]
  }
  const personOf = (type: string): number | undefined => {
    const reference =
      type === 'Patient' ? `Patient/${textAt(0, id)}` : firstOf(references, (path) => textAt(0, path))
    const pseudonym = PERSON.exec(reference ?? '')?.[1]
    return pseudonym === undefined ? undefined : Number.parseInt(pseudonym, 16)
  }

  return (line) => {
    const type = resource.scan(line) ? textAt(0, resourceType) : undefined
    const paths = about.get(type ?? '')
    if (type === undefined || paths === undefined)
      throw new CodedError('workload.failed', 'a line is not a resource of a type that the summary counts')
    const [inSystem, hasCode] = firstOf(paths.code, codingAt) ?? [null, null]
    const year = firstOf(paths.date, (path) => textAt(0, path)) ?? null
    return { resourceType: type, system: inSystem, code: hasCode, year, person: personOf(type) }
  }
}

/** Numbers of member names. */
type Path = readonly number[]

function firstOf<From, T>(
  candidates: readonly From[],
  at: (candidate: From) => T | undefined,
): T | undefined {
  for (const candidate of candidates) {
    const found = at(candidate)
    if (found !== undefined) return found
  }
  return undefined
}

type PersonMarks = {
  /**
   * Marks a person. Returns the change in the number of marks held; it is negative when `enough` is reached.
   */
  readonly add: (person: number | undefined) => number
  readonly isEnough: () => boolean
}

/** Counts different persons up to `enough`, then drops the marks. */
function createPersonMarks(enough: number): PersonMarks {
  const marks = new Set<number>()
  // 1 shows every cell, even one without a person.
  let isEnough = enough === 1
  return {
    add: (person) => {
      if (isEnough || person === undefined || marks.has(person)) return 0
      marks.add(person)
      if (marks.size < enough) return 1
      isEnough = true
      const dropped = marks.size - 1
      marks.clear()
      return -dropped
    },
    isEnough: () => isEnough,
  }
}
