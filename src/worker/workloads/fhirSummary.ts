/**
 * The fhir-summary workload counts the resources that pass by type, code and year. A resource counts once, in
 * the cell of its first remaining code and date, whatever its status. A cell is shown only if its resources
 * belong to at least
 * `k` different persons: fifty observations of one patient are one person. A resource without a
 * reference to a
 * person counts for no person.
 */
import { leastPersons, type OutputContract } from '#core/egress/contract.ts'
import { type Cell, COUNT_TABLE_CONTENT_TYPE, CountTableFormat, compareCells } from '#core/egress/table.ts'
import { CodedError, under } from '#core/errors.ts'
import { SliceScanner } from '#core/fhir/slice.ts'
import { ARRAY } from '#core/fhir/tokens.ts'
import { WordTable } from '#core/fhir/words.ts'
import { PersonMarks } from './personMarks.ts'
import type { WorkloadRun, WorkloadSource } from './workload.ts'

/** Bounds the memory of a run: about 250 bytes per cell, and about 2,000 per cell of the table. */
const MAX_CELLS = 200_000
const MAX_SHOWN_CELLS = 50_000

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

/** `number` counts the cells in the order in which they occur. */
type Tally = { readonly number: number; count: number }

function openSummary({ disclosure }: OutputContract): WorkloadRun {
  const read = createReader()
  const tallies = new Map<string, Tally>()
  const marks = new PersonMarks(leastPersons(disclosure))
  const tallyOf = (key: string): Tally => {
    const known = tallies.get(key)
    if (known !== undefined) return known
    if (tallies.size === MAX_CELLS)
      throw new CodedError('workload.failed', `the summary has more than ${MAX_CELLS} cells`)
    const tally = { number: tallies.size, count: 0 }
    tallies.set(key, tally)
    return tally
  }
  return {
    add: (line) => {
      const reading = read(line)
      const tally = tallyOf(keyOf(reading))
      tally.count++
      if (reading.person !== undefined) marks.add(tally.number, reading.person)
    },
    finish: () => {
      const shown = [...tallies].filter(([, { number }]) => marks.isEnough(number))
      if (shown.length > MAX_SHOWN_CELLS)
        throw new CodedError('workload.failed', `the table has more than ${MAX_SHOWN_CELLS} cells`)
      return under('workload.failed', () =>
        CountTableFormat.encode({
          v: 1,
          workload: fhirSummary.name,
          unit: { count: 'resources' },
          disclosure,
          table: shown.map(([key, { count }]) => ({ ...cellOf(key), count })).sort(compareCells),
        }),
      )
    },
  }
}

/** The grammars of the table admit no space in a part of a cell, so keys are unique. */
function keyOf({ resourceType, system, code, year }: Reading): string {
  return `${resourceType} ${system ?? ''} ${code ?? ''} ${year ?? ''}`
}

function cellOf(key: string): Omit<Cell, 'count'> {
  const [resourceType = '', system, code, ...year] = key.split(' ')
  // Of a key with more spaces the year has them, and the grammar of the table refuses it.
  return { resourceType, system: system || null, code: code || null, year: year.join(' ') || null }
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
