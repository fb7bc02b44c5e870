/**
 * Every field of a report with its offset, value and meaning, as `report show` prints it. Nothing is
 * verified.
 */
import { toHex, viewOf } from '../bytes.ts'
import { CodedError, type ReportErrorCode } from '../errors/report.ts'
import { certificateUrl } from './certificateUrl.ts'
import { FIELDS, type Field, type FieldName, REPORT_VERSIONS, RESERVED } from './layout.ts'
import { FIELD_MEANINGS, type Meaning, RESERVED_MEANING } from './meanings.ts'
import { cpuidOf, dieOfCpuid, type Product, productOfCpuid } from './product.ts'
import { parseReport, type Report, type TcbName } from './report.ts'
import { hex, SHOWN, type Show, type ShownBit, shownTcbs, unused, zero } from './shownValues.ts'
import { parseTcbs, type Tcb } from './tcb.ts'
import { assertWhole } from './wholeReport.ts'

/** One field or reserved range of a report. */
export type ShownField = Meaning & {
  readonly offset: number
  readonly size: number
  /** The bytes as received, in hex. */
  readonly bytes: string
  readonly value: string
  readonly notes: readonly string[]
  readonly bits: readonly ShownBit[]
}

/** The claims of a report. */
export type ShownReport = {
  readonly verified: false
  /** The first violation of the ABI; null for a report that the ABI allows, genuine or not. */
  readonly problem: { readonly code: ReportErrorCode; readonly message: string } | null
  /** By CPUID; null in version 2, which has no CPUID, and for an unknown processor. */
  readonly product: Product | null
  /** AMD's name of the processor; null in the same cases. */
  readonly die: string | null
  /** AMD's URL of the certificate that the report claims; null if the report does not identify it. */
  readonly certificate: string | null
  /** The four TCBs in the layout `tcbLayout`; null if the layout is unknown or does not fit. */
  readonly tcb: Readonly<Record<TcbName, Tcb>> | null
  /**
   * The product whose layout was used. A report of version 2 names no product, and the layout of Milan is
   * assumed.
   */
  readonly tcbLayout: Product | null
  readonly fields: readonly ShownField[]
}

/**
 * Throws `report.malformed` for another length or version, since the offsets of the fields are then unknown.
 */
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
    tcb: tcbLayout === undefined ? null : shownTcbs(tcbsIn(bytes), tcbLayout),
    tcbLayout: tcbLayout ?? null,
    fields: fieldsOf(bytes, version),
  }
}

type Parsed = Pick<ShownReport, 'problem'> & { readonly report: Report | undefined }

function parsed(bytes: Uint8Array, product: Product | undefined): Parsed {
  try {
    const report = parseReport(bytes)
    if (product !== undefined) parseTcbs(report.tcb, product)
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

function tcbsIn(bytes: Uint8Array): Report['tcb'] {
  return {
    reported: take(bytes, FIELDS.reportedTcb),
    committed: take(bytes, FIELDS.committedTcb),
    current: take(bytes, FIELDS.currentTcb),
    launch: take(bytes, FIELDS.launchTcb),
  }
}

function take(bytes: Uint8Array, { at, size }: Field): Uint8Array {
  return bytes.subarray(at, at + size)
}
