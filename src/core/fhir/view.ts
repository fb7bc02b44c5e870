/**
 * The projection of one scanned resource to a view: what the table names is copied from the resource's own bytes,
 * the rest is never looked at. An element that does not have the form that its row demands is dropped.
 */
import { type Elements, type Form, REQUIRED_CODES, type TypeView } from './elements.ts'
import { LineWriter } from './lineWriter.ts'
import type { Pseudonymizer } from './pseudonym.ts'
import { ARRAY, FALSE, NUMBER, OBJECT, type SliceScanner, STRING, TRUE } from './slice.ts'
import { isPublishedCode } from './terminology.ts'
import { WordTable } from './words.ts'

/** Over 89 years is one age (45 CFR 164.514(b)(2)(i)(C)), so a year before that is not told from its neighbours. */
const OLDEST_YEARS = 90
/** Longer numbers are not measurements. */
const MAX_NUMBER_LENGTH = 40
const PERSON = /^(?:Patient|Group)\/[A-Za-z0-9.-]{1,64}$/
const ENCOUNTER = /^Encounter\/[A-Za-z0-9.-]{1,64}$/
const ID = /^[A-Za-z0-9.-]{1,64}$/

const CODES = new WordTable(REQUIRED_CODES)

/** Every member name that a projection may meet or write, besides those of the table. */
const INNER_NAMES = 'coding system code reference start end value comparator'.split(' ')

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

type Context = {
  readonly resource: SliceScanner
  readonly out: LineWriter
  readonly type: string
  readonly names: Readonly<
    Record<'coding' | 'system' | 'code' | 'reference' | 'start' | 'end' | 'value' | 'comparator', number>
  >
  readonly pseudonymOf: Pseudonymizer
  readonly oldestYear: number
}

/** Writes the value in its form and returns true, or returns false; what it then wrote is taken back. */
type Write = (context: Context, value: number) => boolean
type Row = { readonly key: Buffer; readonly write: Write }

export type Projection = {
  /** The projected resource as one line of JSON without its end. The bytes are valid until the next call. */
  readonly project: (resource: SliceScanner) => Uint8Array
}

/** `year` is the year in which the grant was issued; no earlier year than 90 before it is told. */
export function compileProjection(
  type: string,
  view: TypeView,
  names: WordTable,
  pseudonymOf: Pseudonymizer,
  year: number,
): Projection {
  const out = new LineWriter()
  const head = Buffer.from(
    `{"resourceType":"${type}","meta":{"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]}`,
  )
  const rows = compileRows(view.elements, names)
  const name = (word: string) => names.idOf(word)
  const inner = {
    coding: name('coding'),
    system: name('system'),
    code: name('code'),
    reference: name('reference'),
    start: name('start'),
    end: name('end'),
    value: name('value'),
    comparator: name('comparator'),
  }
  return {
    project: (resource) => {
      const context = { resource, out, type, names: inner, pseudonymOf, oldestYear: year - OLDEST_YEARS }
      out.clear()
      out.write(head)
      writeMembers(context, 0, rows, true)
      out.writeByte(0x7d)
      return out.view()
    },
  }
}

function compileRows(elements: Elements, names: WordTable): readonly (Row | undefined)[] {
  const rows: (Row | undefined)[] = new Array(names.size).fill(undefined)
  for (const [element, form] of Object.entries(elements))
    rows[names.idOf(element)] = { key: Buffer.from(`"${element}":`), write: compileForm(form, names) }
  return rows
}

function compileForm(form: Form, names: WordTable): Write {
  if (typeof form === 'string') return FORMS[form]
  const rows = compileRows(form, names)
  return (context, value) => writeObject(context, () => writeMembers(context, value, rows, false))
}

/** Those members of an object that have a row, in the object's order; true where there was at least one. */
function writeMembers(
  context: Context,
  parent: number,
  rows: readonly (Row | undefined)[],
  continued: boolean,
): boolean {
  const { resource, out } = context
  if (resource.kind[parent] !== OBJECT) return false
  const last = resource.next[parent] ?? 0
  let written = continued
  for (let at = parent + 1; at < last; at = resource.next[at] ?? last) {
    const row = rows[resource.name[at] ?? 0]
    if (row === undefined) continue
    const mark = out.length
    if (written) out.writeByte(0x2c)
    out.write(row.key)
    if (writeValue(context, at, row.write)) written = true
    else out.length = mark
  }
  return written
}

/** One value, or an array of those of its elements that pass; arrays in arrays do not exist in FHIR. */
function writeValue(context: Context, value: number, write: Write): boolean {
  const { resource, out } = context
  if (resource.kind[value] !== ARRAY) return write(context, value)
  const last = resource.next[value] ?? 0
  let written = false
  out.writeByte(0x5b)
  for (let at = value + 1; at < last; at = resource.next[at] ?? last) {
    if (resource.kind[at] === ARRAY) continue
    const mark = out.length
    if (written) out.writeByte(0x2c)
    if (write(context, at)) written = true
    else out.length = mark
  }
  out.writeByte(0x5d)
  return written
}

const FORMS: Readonly<Record<Exclude<Form, Elements>, Write>> = {
  code: ({ resource, out }, value) => {
    if (resource.kind[value] !== STRING) return false
    const start = resource.start[value] ?? 0
    const end = resource.end[value] ?? 0
    if (CODES.find(resource.bytes, start, end) === 0) return false
    out.writeQuoted(resource.bytes, start, end)
    return true
  },
  boolean: ({ resource, out }, value) => {
    const isBoolean = resource.kind[value] === TRUE || resource.kind[value] === FALSE
    if (isBoolean) out.writeSlice(resource.bytes, resource.start[value] ?? 0, resource.end[value] ?? 0)
    return isBoolean
  },
  number: ({ resource, out }, value) => {
    const start = resource.start[value] ?? 0
    const end = resource.end[value] ?? 0
    if (resource.kind[value] !== NUMBER || end - start > MAX_NUMBER_LENGTH) return false
    out.writeSlice(resource.bytes, start, end)
    return true
  },
  year: ({ resource, out, oldestYear }, value) => {
    const year = yearOf(resource, value)
    if (year === undefined) return false
    out.writeText(`"${String(Math.max(year, oldestYear)).padStart(4, '0')}"`)
    return true
  },
  period: (context, value) =>
    writeObject(context, () => {
      const { names } = context
      const hasStart = writeMember(context, value, names.start, START, FORMS.year, false)
      return writeMember(context, value, names.end, hasStart ? COMMA_END : END, FORMS.year, hasStart)
    }),
  coding: (context, value) => {
    const { resource, out, names } = context
    const system = resource.member(value, names.system)
    const code = resource.member(value, names.code)
    if (!isPublishedCode(resource, system, code)) return false
    out.write(SYSTEM)
    out.writeSlice(resource.bytes, resource.start[system] ?? 0, resource.end[system] ?? 0)
    out.write(AND_CODE)
    out.writeSlice(resource.bytes, resource.start[code] ?? 0, resource.end[code] ?? 0)
    out.write(QUOTE_CLOSE)
    return true
  },
  concept: (context, value) => {
    const coding = context.resource.member(value, context.names.coding)
    if (coding < 0) return false
    context.out.write(CODING)
    const written = writeValue(context, coding, FORMS.coding)
    context.out.writeByte(0x7d)
    return written
  },
  quantity: (context, value) =>
    writeObject(context, () => {
      const { resource, out, names } = context
      if (!writeMember(context, value, names.value, VALUE, FORMS.number, false)) return false
      writeMember(context, value, names.comparator, COMMA_COMPARATOR, FORMS.code, true)
      const system = resource.member(value, names.system)
      const code = resource.member(value, names.code)
      if (!isPublishedCode(resource, system, code)) return true
      out.write(COMMA_SYSTEM)
      out.writeSlice(resource.bytes, resource.start[system] ?? 0, resource.end[system] ?? 0)
      out.write(AND_CODE)
      out.writeSlice(resource.bytes, resource.start[code] ?? 0, resource.end[code] ?? 0)
      out.writeByte(0x22)
      return true
    }),
  person: (context, value) => writeReference(context, value, PERSON),
  encounter: (context, value) => writeReference(context, value, ENCOUNTER),
  id: ({ resource, out, type, pseudonymOf }, value) => {
    if (resource.kind[value] !== STRING) return false
    const id = resource.text(value)
    if (!ID.test(id)) return false
    const pseudonym = pseudonymOf(`${type}/${id}`)
    out.writeQuoted(pseudonym, 0, pseudonym.length)
    return true
  },
}

const START = Buffer.from('"start":')
const END = Buffer.from('"end":')
const COMMA_END = Buffer.from(',"end":')
const VALUE = Buffer.from('"value":')
const COMMA_COMPARATOR = Buffer.from(',"comparator":')
const SYSTEM = Buffer.from('{"system":"')
const COMMA_SYSTEM = Buffer.from(',"system":"')
const AND_CODE = Buffer.from('","code":"')
const QUOTE_CLOSE = Buffer.from('"}')
const CODING = Buffer.from('{"coding":')
const REFERENCE = Buffer.from('{"reference":"')

function writeObject({ out }: Context, writeInside: () => boolean): boolean {
  out.writeByte(0x7b)
  const written = writeInside()
  out.writeByte(0x7d)
  return written
}

/** One member under `key` (which brings its comma); `otherwise` where there is none or it has another form. */
function writeMember(
  context: Context,
  parent: number,
  name: number,
  key: Buffer,
  write: Write,
  otherwise: boolean,
): boolean {
  const value = context.resource.member(parent, name)
  if (value < 0) return otherwise
  const mark = context.out.length
  context.out.write(key)
  if (write(context, value)) return true
  context.out.length = mark
  return otherwise
}

/** `Type/id` alone: a conditional reference, a URL, a version or a fragment may carry an identifier, and is dropped. */
function writeReference(context: Context, value: number, grammar: RegExp): boolean {
  const { resource, out, names, pseudonymOf } = context
  const reference = resource.member(value, names.reference)
  if (reference < 0 || !resource.isText(reference)) return false
  const text = resource.text(reference)
  if (!grammar.test(text)) return false
  out.write(REFERENCE)
  out.writeText(text.slice(0, text.indexOf('/') + 1))
  out.write(pseudonymOf(text))
  out.write(QUOTE_CLOSE)
  return true
}

/** The year of a FHIR date or dateTime: four digits, then nothing or a hyphen. */
function yearOf(resource: SliceScanner, value: number): number | undefined {
  if (resource.kind[value] !== STRING) return undefined
  const { bytes } = resource
  const start = resource.start[value] ?? 0
  const length = (resource.end[value] ?? 0) - start
  if (length < 4 || (length > 4 && bytes[start + 4] !== 0x2d)) return undefined
  let year = 0
  for (let at = start; at < start + 4; at++) {
    const digit = (bytes[at] ?? 0) - 0x30
    if (digit < 0 || digit > 9) return undefined
    year = year * 10 + digit
  }
  return year
}
