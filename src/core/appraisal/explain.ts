/**
 * An evaluation as plain data in a fixed order. The text for people and the JSON for programs are both made
 * from it.
 */
import type { Refusal, ReportErrorCode } from '../errors/report.ts'
import { TCB_NAMES, type TcbName } from '../snp/report.ts'
import { TCB_COMPONENTS, TCB_LAYOUTS, type Tcb, type TcbComponent } from '../snp/tcb.ts'
import type { Evaluation } from './appraise.ts'
import type { Assurance, Reference } from './reference.ts'

/** The explanation of a verdict. */
export type Explanation = {
  readonly verdict: 'accepted' | 'refused'
  /** Id of the reference values that the report matches or, if refused, that came nearest. */
  readonly nearest: string
  /** Null if refused. */
  readonly assurance: Assurance | null
  /** Every violation of those reference values; empty if accepted. */
  readonly reasons: readonly Refusal[]
  readonly tcb: TcbTable
}

/** Four rows with one column per component of the product, and the floors. */
export type TcbTable = {
  readonly components: readonly TcbComponent[]
  /** Reported, committed, current, launch. */
  readonly rows: readonly TcbRow[]
  /** Null if the reference values have no row for this processor. */
  readonly floor: Levels | null
}

export type TcbRow = {
  readonly name: TcbName
  readonly values: Levels
  /** The components below the floor. */
  readonly belowFloor: readonly TcbComponent[]
  /** The components that exceed those of the row above which this one must not be. */
  readonly inconsistent: readonly TcbComponent[]
  /**
   * In the committed row, if the reference values require a commitment: the components behind the current
   * row.
   */
  readonly provisional: readonly TcbComponent[]
}

/** One value per component of the product; only Turin has `fmc`. */
type Levels = Readonly<Partial<Record<TcbComponent, number>>>

/** Explains an evaluation: its reasons, and the TCB against its floors. Pure data, ready for JSON. */
export function explain(evaluation: Evaluation): Explanation {
  const { kind: verdict } = evaluation
  if (verdict === 'refused') {
    const { nearest, reasons } = evaluation
    return { verdict, nearest, assurance: null, reasons, tcb: tcbTable(evaluation, reasons) }
  }
  const { reference: nearest, assurance } = evaluation
  return { verdict, nearest, assurance, reasons: [], tcb: tcbTable(evaluation, []) }
}

function tcbTable({ verified, floor }: Evaluation, reasons: readonly Refusal[]): TcbTable {
  const { tcb, product } = verified
  const components = TCB_COMPONENTS.filter((component) => TCB_LAYOUTS[product].bytes.includes(component))
  const levels = (values: Tcb): Levels =>
    Object.fromEntries(components.map((component) => [component, values[component]]))
  const marked = (code: ReportErrorCode, name: TcbName) =>
    components.filter((component) =>
      reasons.some((reason) => reason.code === code && reason.field === `tcb.${name}.${component}`),
    )
  return {
    components,
    rows: TCB_NAMES.map((name) => ({
      name,
      values: levels(tcb[name]),
      belowFloor: marked('tcb.below-floor', name),
      inconsistent: marked('tcb.inconsistent', name),
      provisional: marked('tcb.provisional', name),
    })),
    floor: floor === undefined ? null : levels(floor),
  }
}

/**
 * The fields of a report that these reference values leave unchecked, in the words of the report. REPORT_DATA
 * is always one of them: only the requester of the report knows its value.
 */
export function unconstrained(reference: Reference): readonly string[] {
  return [...FIELDS.filter(({ list }) => reference[list] === 'any').map(({ field }) => field), 'reportData']
}

const FIELDS = [
  { list: 'measurements', field: 'measurement' },
  { list: 'trust', field: 'trust' },
  { list: 'familyIds', field: 'familyId' },
  { list: 'imageIds', field: 'imageId' },
  { list: 'idKeyDigests', field: 'idKeyDigest' },
  { list: 'authorKeyDigests', field: 'authorKeyDigest' },
  { list: 'hostData', field: 'hostData' },
  { list: 'chips', field: 'chipId' },
] as const
