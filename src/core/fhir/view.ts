/**
 * The projection of one scanned resource to a view. Elements of the table are copied from the resource's own
 * bytes; no others are read. An element that does not have the form in its row is dropped.
 */
import type { Elements, Form, TypeView } from './elements.ts'
import { FORMS, INNER_NAMES, type Projector, type Write, writeValue } from './forms.ts'
import { LineWriter } from './lineWriter.ts'
import type { Pseudonymizer } from './pseudonym.ts'
import type { SliceScanner } from './slice.ts'
import { createPublishedCodeCheck } from './terminology.ts'
import { OBJECT } from './tokens.ts'
import type { WordTable } from './words.ts'

/**
 * All ages over 89 years count as one (45 CFR 164.514(b)(2)(i)(C)), so earlier years are not distinguished.
 */
const OLDEST_YEARS = 90

const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const COMMA = 0x2c

/** Every member name that a projection to one of the views reads. */
export function elementNames(views: Readonly<Record<string, TypeView>>): readonly string[] {
  const namesOf = (elements: Elements): string[] =>
    Object.entries(elements).flatMap(([name, form]) =>
      typeof form === 'string' ? [name] : [name, ...namesOf(form)],
    )
  return [
    ...INNER_NAMES,
    ...Object.values(views).flatMap(({ elements, modifiers }) => [
      ...namesOf(elements),
      ...(modifiers ?? []),
    ]),
  ]
}

/** `year` is the year in which the grant was issued. No year more than 90 before it is written. */
export function createProjector(resource: SliceScanner, pseudonyms: Pseudonymizer, year: number): Projector {
  const name = (inner: (typeof INNER_NAMES)[number]) => resource.names.idOf(inner)
  return {
    resource,
    out: new LineWriter(),
    names: {
      coding: name('coding'),
      system: name('system'),
      code: name('code'),
      reference: name('reference'),
      start: name('start'),
      end: name('end'),
      value: name('value'),
      comparator: name('comparator'),
    },
    pseudonyms,
    isPublishedCode: createPublishedCodeCheck(),
    oldestYear: year - OLDEST_YEARS,
    type: '',
  }
}

/**
 * The scanned resource of one type as a line of JSON, without its line end. Valid until the projector's next
 * line.
 */
export type Projection = (projector: Projector) => Uint8Array

export function compileProjection(type: string, view: TypeView, names: WordTable): Projection {
  // FHIR R4 §2.1.0.9 asks for this tag on a partial resource, so that no one writes it back.
  const head = Buffer.from(
    `{"resourceType":"${type}","meta":{"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]}`,
  )
  const rows = compileRows(view.elements, names)
  return (projector) => {
    const { out } = projector
    projector.type = type
    out.length = 0
    out.write(head)
    writeMembers(projector, 0, rows, true)
    out.writeByte(CLOSE_OBJECT)
    return out.view()
  }
}

type Row = { readonly key: Buffer; readonly write: Write }

/** The rows of a view, indexed by the number of the element's name. */
function compileRows(elements: Elements, names: WordTable): readonly (Row | undefined)[] {
  const rows: (Row | undefined)[] = new Array(names.size).fill(undefined)
  for (const [element, form] of Object.entries(elements))
    rows[names.idOf(element)] = { key: Buffer.from(`"${element}":`), write: compileForm(form, names) }
  return rows
}

function compileForm(form: Form, names: WordTable): Write {
  if (typeof form === 'string') return FORMS[form]
  const rows = compileRows(form, names)
  return (projector, value) => {
    projector.out.writeByte(OPEN_OBJECT)
    const isWritten = writeMembers(projector, value, rows, false)
    projector.out.writeByte(CLOSE_OBJECT)
    return isWritten
  }
}

/**
 * Writes the members of an object that have a row, in the object's order. True if the output object has any
 * members.
 */
function writeMembers(
  projector: Projector,
  parent: number,
  rows: readonly (Row | undefined)[],
  hasMembers: boolean,
): boolean {
  const { resource, out } = projector
  if (resource.kind[parent] !== OBJECT) return false
  const last = resource.next[parent] ?? 0
  let isWritten = hasMembers
  for (let at = parent + 1; at < last; at = resource.next[at] ?? last) {
    const row = rows[resource.name[at] ?? 0]
    if (row === undefined) continue
    const mark = out.length
    if (isWritten) out.writeByte(COMMA)
    out.write(row.key)
    if (writeValue(projector, at, row.write)) isWritten = true
    else out.length = mark
  }
  return isWritten
}
