/** An evaluation in the one form from which people's text and programs' JSON are both made. Plain data, in a fixed order. */
import type { Refusal, ReportErrorCode } from '../errors/report.ts'
import { TCB_NAMES, type TcbName } from '../snp/report.ts'
import { TCB_COMPONENTS, TCB_LAYOUTS, type Tcb, type TcbComponent } from '../snp/tcb.ts'
import type { Evaluation } from './appraise.ts'
import type { Assurance, Reference } from './reference.ts'

export type Explanation = {
  readonly verdict: 'accepted' | 'refused'
  /** Id of the reference that the report matches or, refused, that came nearest: the reasons are against it. */
  readonly nearest: string
  /** Null where refused. */
  readonly assurance: Assurance | null
  /** Every violation; none where accepted. */
  readonly reasons: readonly Refusal[]
  readonly tcb: TcbTable
}

/** Four rows, one column a component of the product, and what they were held against. */
export type TcbTable = {
  readonly components: readonly TcbComponent[]
  /** Reported, committed, current, launch. */
  readonly rows: readonly TcbRow[]
  /** Null where the reference has no row for this processor. */
  readonly floor: Levels | null
}

export type TcbRow = {
  readonly name: TcbName
  readonly values: Levels
  /** Components that are below the floor. */
  readonly belowFloor: readonly TcbComponent[]
  /** Components that are higher than the row that may not be lower than this one. */
  readonly inconsistent: readonly TcbComponent[]
  /** In the committed row: components that are behind the current one, where the reference demands a commitment. */
  readonly provisional: readonly TcbComponent[]
}

/** One value a component of the product: `fmc` on Turin alone. */
export type Levels = Readonly<Partial<Record<TcbComponent, number>>>

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
 * The fields of a report that a reference holds against nothing, in the words of the report. REPORT_DATA is always one: only who
 * asked for the report knows what it must be.
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
