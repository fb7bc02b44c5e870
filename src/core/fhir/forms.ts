/**
 * The writers for the forms of the view table. A writer returns true after writing its value, and false if
 * the value does not have the form. After false, the caller takes back any bytes written.
 */
import { type Elements, type Form, REQUIRED_CODES } from './elements.ts'
import type { LineWriter } from './lineWriter.ts'
import type { Pseudonymizer } from './pseudonym.ts'
import type { SliceScanner } from './slice.ts'
import type { PublishedCodeCheck } from './terminology.ts'
import { ARRAY, FALSE, NUMBER, OBJECT, STRING, TRUE } from './tokens.ts'
import { WordTable } from './words.ts'

/** The state that the writers share; one per filter. */
export type Projector = {
  readonly resource: SliceScanner
  readonly out: LineWriter
  readonly names: Readonly<Record<InnerName, number>>
  readonly pseudonyms: Pseudonymizer
  readonly isPublishedCode: PublishedCodeCheck
  /** Earlier years are written as this one. */
  readonly oldestYear: number
  /** Type of the resource being written, for its own id. */
  type: string
}

export type Write = (projector: Projector, value: number) => boolean

/** The member names inside the forms. */
export const INNER_NAMES = [
  'coding',
  'system',
  'code',
  'reference',
  'start',
  'end',
  'value',
  'comparator',
] as const
type InnerName = (typeof INNER_NAMES)[number]

const CODES = new WordTable(REQUIRED_CODES)
/** A longer number is not a measurement. */
const MAX_NUMBER_LENGTH = 40

const COMMA = 0x2c
const CLOSE_OBJECT = 0x7d
const HYPHEN = 0x2d
const ZERO = 0x30
const NINE = 0x39

const START = Buffer.from('{"start":')
const END = Buffer.from('{"end":')
const AND_END = Buffer.from(',"end":')
const VALUE = Buffer.from('{"value":')
const AND_COMPARATOR = Buffer.from(',"comparator":')
const SYSTEM = Buffer.from('{"system":"')
const AND_SYSTEM = Buffer.from(',"system":"')
const AND_CODE = Buffer.from('","code":"')
const CODING = Buffer.from('{"coding":')
const REFERENCE = Buffer.from('{"reference":"')
const CLOSE_TEXT_AND_OBJECT = Buffer.from('"}')

/** The types that a reference may point to. The tag tells their ids apart in the cache of pseudonyms. */
const TARGETS = ['Patient', 'Group', 'Encounter'].map((type, tag) => ({
  type,
  tag,
  prefix: Buffer.from(`${type}/`),
}))
type Target = (typeof TARGETS)[number]
const PERSONS = TARGETS.filter(({ type }) => type !== 'Encounter')
const ENCOUNTERS = TARGETS.filter(({ type }) => type === 'Encounter')

export const FORMS: Readonly<Record<Exclude<Form, Elements>, Write>> = {
  code: ({ resource, out }, value) => {
    if (resource.kind[value] !== STRING) return false
    const start = resource.start[value] ?? 0
    const end = resource.end[value] ?? 0
    if (CODES.find(resource.bytes, start, end) === 0) return false
    // With its quotes.
    out.writeSlice(resource.bytes, start - 1, end + 1)
    return true
  },
  boolean: (projector, value) => {
    const kind = projector.resource.kind[value]
    return (kind === TRUE || kind === FALSE) && writeRaw(projector, value)
  },
  number: (projector, value) => {
    const { kind, start, end } = projector.resource
    const isShort = (end[value] ?? 0) - (start[value] ?? 0) <= MAX_NUMBER_LENGTH
    return kind[value] === NUMBER && isShort && writeRaw(projector, value)
  },
  year: writeYear,
  period: (projector, value) => {
    const { resource, out, names } = projector
    const hasStart = writeMember(projector, START, resource.member(value, names.start), writeYear)
    const hasEnd = writeMember(
      projector,
      hasStart ? AND_END : END,
      resource.member(value, names.end),
      writeYear,
    )
    out.writeByte(CLOSE_OBJECT)
    return hasStart || hasEnd
  },
  coding: writeCoding,
  concept: (projector, value) => {
    const coding = projector.resource.member(value, projector.names.coding)
    if (coding < 0) return false
    projector.out.write(CODING)
    const isWritten = writeValue(projector, coding, writeCoding)
    projector.out.writeByte(CLOSE_OBJECT)
    return isWritten
  },
  quantity: (projector, value) => {
    const { resource, out, names } = projector
    if (!writeMember(projector, VALUE, resource.member(value, names.value), FORMS.number)) return false
    writeMember(projector, AND_COMPARATOR, resource.member(value, names.comparator), FORMS.code)
    const hasUnit = writeSystemAndCode(projector, AND_SYSTEM, value)
    if (hasUnit) out.write(CLOSE_TEXT_AND_OBJECT)
    else out.writeByte(CLOSE_OBJECT)
    return true
  },
  person: (projector, value) => writeReference(projector, value, PERSONS),
  encounter: (projector, value) => writeReference(projector, value, ENCOUNTERS),
  id: ({ resource, out, type, pseudonyms }, value) => {
    const target = TARGETS.find((known) => known.type === type)
    if (target === undefined || resource.kind[value] !== STRING) return false
    const { bytes, start, end } = resource
    out.writeByte(0x22)
    const isId = pseudonyms.write(out, type, target.tag, bytes, start[value] ?? 0, end[value] ?? 0)
    out.writeByte(0x22)
    return isId
  },
}

/** Writes one value, or an array of the elements that pass. FHIR has no arrays in arrays. */
export function writeValue(projector: Projector, value: number, write: Write): boolean {
  const { resource, out } = projector
  if (resource.kind[value] !== ARRAY) return write(projector, value)
  const last = resource.next[value] ?? 0
  let isWritten = false
  out.writeByte(0x5b)
  for (let at = value + 1; at < last; at = resource.next[at] ?? last) {
    if (resource.kind[at] === ARRAY) continue
    const mark = out.length
    if (isWritten) out.writeByte(COMMA)
    if (write(projector, at)) isWritten = true
    else out.length = mark
  }
  out.writeByte(0x5d)
  return isWritten
}

/**
 * Writes a key, with the comma or brace before it, and its value; nothing if the value is absent or does not
 * pass.
 */
function writeMember(projector: Projector, key: Buffer, value: number, write: Write): boolean {
  if (value < 0) return false
  const mark = projector.out.length
  projector.out.write(key)
  if (write(projector, value)) return true
  projector.out.length = mark
  return false
}

function writeRaw({ resource, out }: Projector, value: number): boolean {
  out.writeSlice(resource.bytes, resource.start[value] ?? 0, resource.end[value] ?? 0)
  return true
}

/** The year of a FHIR date or dateTime: four digits, then nothing or a hyphen. */
function writeYear({ resource, out, oldestYear }: Projector, value: number): boolean {
  if (resource.kind[value] !== STRING) return false
  const { bytes } = resource
  const start = resource.start[value] ?? 0
  const length = (resource.end[value] ?? 0) - start
  if (length < 4 || (length > 4 && bytes[start + 4] !== HYPHEN)) return false
  let year = 0
  for (let at = start; at < start + 4; at++) {
    const digit = bytes[at] ?? 0
    if (digit < ZERO || digit > NINE) return false
    year = year * 10 + digit - ZERO
  }
  out.writeByte(0x22)
  if (year >= oldestYear) out.writeSlice(bytes, start, start + 4)
  else out.writeText(String(oldestYear))
  out.writeByte(0x22)
  return true
}

function writeCoding(projector: Projector, value: number): boolean {
  const isWritten = writeSystemAndCode(projector, SYSTEM, value)
  projector.out.write(CLOSE_TEXT_AND_OBJECT)
  return isWritten
}

/** Writes `system` and `code` of an object up to the code's closing quote; nothing if they do not pass. */
function writeSystemAndCode(projector: Projector, opening: Buffer, value: number): boolean {
  const { resource, out, names } = projector
  if (resource.kind[value] !== OBJECT) return false
  const system = resource.member(value, names.system)
  const code = resource.member(value, names.code)
  if (!projector.isPublishedCode(resource, system, code)) return false
  out.write(opening)
  writeRaw(projector, system)
  out.write(AND_CODE)
  writeRaw(projector, code)
  return true
}

/** Only `Type/id` passes: a conditional reference, a URL, a version or a fragment may carry an identifier. */
function writeReference(projector: Projector, value: number, targets: readonly Target[]): boolean {
  const { resource, names } = projector
  const reference = resource.member(value, names.reference)
  if (reference < 0 || !resource.isText(reference)) return false
  if (resource.kind[reference] === STRING)
    return writeTarget(
      projector,
      targets,
      resource.bytes,
      resource.start[reference] ?? 0,
      resource.end[reference] ?? 0,
    )
  const text = Buffer.from(resource.text(reference), 'utf8')
  return writeTarget(projector, targets, text, 0, text.length)
}

function writeTarget(
  { out, pseudonyms }: Projector,
  targets: readonly Target[],
  bytes: Buffer,
  start: number,
  end: number,
): boolean {
  for (const { type, tag, prefix } of targets) {
    if (!startsWith(bytes, start, end, prefix)) continue
    out.write(REFERENCE)
    out.write(prefix)
    const isId = pseudonyms.write(out, type, tag, bytes, start + prefix.length, end)
    out.write(CLOSE_TEXT_AND_OBJECT)
    return isId
  }
  return false
}

function startsWith(bytes: Uint8Array, start: number, end: number, prefix: Buffer): boolean {
  if (end - start < prefix.length) return false
  for (let at = 0; at < prefix.length; at++) if (bytes[start + at] !== prefix[at]) return false
  return true
}
