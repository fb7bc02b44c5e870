/** `report show`: every field of a report, where it stands and what it claims. Nothing is verified. */

import { toHex, viewOf } from '../bytes.ts'
import { CodedError, type ReportErrorCode } from '../errors/report.ts'
import { certificateUrl } from './certificateUrl.ts'
import { FIELDS, type Field, type FieldName, REPORT_VERSIONS, RESERVED } from './layout.ts'
import { FIELD_MEANINGS, type Meaning, RESERVED_MEANING } from './meanings.ts'
import { dieOfCpuid, type Product, productOfCpuid } from './product.ts'
import { parseReport, type Report, TCB_NAMES, type TcbName } from './report.ts'
import { cpuidOf, hex, SHOWN, type Show, type ShownBit, unused, zero } from './shownValues.ts'
import { parseTcb, type Tcb } from './tcb.ts'
import { assertWhole } from './wholeReport.ts'

export type ShownField = Meaning & {
  readonly offset: number
  readonly size: number
  /** As they stand in the report, in hex. */
  readonly bytes: string
  readonly value: string
  readonly notes: readonly string[]
  readonly bits: readonly ShownBit[]
}

export type ShownReport = {
  readonly verified: false
  /** What the ABI does not allow; null for a report that it allows, genuine or not. */
  readonly problem: { readonly code: ReportErrorCode; readonly message: string } | null
  /** By CPUID; null in version 2, which has none, and for a processor that is not known here. */
  readonly product: Product | null
  readonly die: string | null
  /** Where AMD keeps the certificate of the key that signed, by the report's own word; null where it does not say. */
  readonly certificate: string | null
  /** In the layout of the product; version 2 is read as Milan and Genoa have it, and says so. */
  readonly tcb: Readonly<Record<TcbName, Tcb>> | null
  readonly tcbLayout: Product | null
  readonly fields: readonly ShownField[]
}

/** Throws `report.malformed` for another length or version: where the fields stand is then unknown. */
export function showReport(bytes: Uint8Array): ShownReport {
  assertWhole(bytes)
  const version = viewOf(bytes).getUint32(FIELDS.version.at, true)
  if (!REPORT_VERSIONS.some((known) => known === version)) parseReport(bytes)
  const cpuid = version >= FIELDS.cpuid.since ? cpuidOf(take(bytes, FIELDS.cpuid)) : undefined
  const product = cpuid === undefined ? undefined : productOfCpuid(cpuid)
  const tcbLayout = cpuid === undefined ? 'Milan' : product
  const { problem, report } = parsed(bytes, product)
  return {
    verified: false,
    problem,
    product: product ?? null,
    die: (cpuid && dieOfCpuid(cpuid)) ?? null,
    certificate: (report && certificateUrl(report)) ?? null,
    tcb: tcbLayout === undefined ? null : shownTcbs(bytes, tcbLayout),
    tcbLayout: tcbLayout ?? null,
    fields: fieldsOf(bytes, version),
  }
}

type Parsed = Pick<ShownReport, 'problem'> & { readonly report: Report | undefined }

function parsed(bytes: Uint8Array, product: Product | undefined): Parsed {
  try {
    const report = parseReport(bytes)
    if (product !== undefined) tcbsOf(bytes, product)
    return { problem: null, report }
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return { problem: { code: error.code, message: error.message }, report: undefined }
  }
}

function fieldsOf(bytes: Uint8Array, version: number): readonly ShownField[] {
  // Object.entries forgets that the keys are those of FIELDS.
  const entries = Object.entries(FIELDS) as (readonly [FieldName, Field])[]
  const named = entries.map(([name, field]) => {
    const { since = 2 } = field
    const shown = version < since ? unused(since) : (SHOWN[name] ?? hex)
    return shownField(bytes, field, FIELD_MEANINGS[name], shown)
  })
  const reserved = RESERVED.map((field) => shownField(bytes, field, RESERVED_MEANING, zero))
  return [...named, ...reserved].sort((a, b) => a.offset - b.offset)
}

function shownField(report: Uint8Array, field: Field, { name, meaning }: Meaning, show: Show): ShownField {
  const bytes = take(report, field)
  const { value, notes = [], bits = [] } = show(bytes)
  return { name, offset: field.at, size: field.size, bytes: toHex(bytes), value, meaning, notes, bits }
}

function shownTcbs(bytes: Uint8Array, product: Product): ShownReport['tcb'] {
  try {
    return tcbsOf(bytes, product)
  } catch (error) {
    if (error instanceof CodedError) return null
    throw error
  }
}

const TCB_FIELDS: Readonly<Record<TcbName, Field>> = {
  reported: FIELDS.reportedTcb,
  committed: FIELDS.committedTcb,
  current: FIELDS.currentTcb,
  launch: FIELDS.launchTcb,
}

function tcbsOf(bytes: Uint8Array, product: Product): Readonly<Record<TcbName, Tcb>> {
  const rows = TCB_NAMES.map((name) => [name, parseTcb(take(bytes, TCB_FIELDS[name]), product)])
  // Its keys are TCB_NAMES.
  return Object.fromEntries(rows) as Record<TcbName, Tcb>
}

function take(bytes: Uint8Array, { at, size }: Field): Uint8Array {
  return bytes.subarray(at, at + size)
}
