/** The TCB versions of a report as a table of four rows; marks below a row show broken rules. */
import { columns } from '#cli/textBlock.ts'
import type { TcbRow, TcbTable } from '#core/appraisal/explain.ts'
import type { DescribedReport } from '#core/snp/describedReport.ts'
import { TCB_NAMES } from '#core/snp/report.ts'
import { TCB_COMPONENTS, TCB_LAYOUTS, type TcbComponent } from '#core/snp/tcb.ts'

const MARKS: readonly {
  readonly rule: 'belowFloor' | 'inconsistent' | 'provisional'
  readonly mark: string
  readonly meaning: string
}[] = [
  { rule: 'belowFloor', mark: '^', meaning: 'below the floor' },
  { rule: 'inconsistent', mark: '!', meaning: 'higher than a row that it must not exceed' },
  {
    rule: 'provisional',
    mark: '~',
    meaning: 'behind the current row, which the reference values do not allow',
  },
]

export function renderTcb({ components, rows, floor }: TcbTable): string {
  const levels = (row: TcbRow['values']) => components.map((component) => String(row[component] ?? ''))
  const table = columns([
    ['TCB', ...components],
    ...(floor === null ? [] : [['floor', ...levels(floor)]]),
    ...rows.flatMap((row) => [[row.name, ...levels(row.values)], ...marksUnder(row, components)]),
  ])
  const used = MARKS.filter(({ rule }) => rows.some((row) => row[rule].length > 0))
  return [table, ...used.map(({ mark, meaning }) => `${mark}  ${meaning}`)].join('\n')
}

/** A line of marks under a row, each as long as its value; no line if the row breaks no rule. */
function marksUnder(row: TcbRow, components: readonly TcbComponent[]): readonly (readonly string[])[] {
  const marks = components.map((component) => {
    const mark = MARKS.find(({ rule }) => row[rule].includes(component))?.mark ?? ''
    return mark.repeat(String(row.values[component] ?? '').length)
  })
  return marks.every((mark) => mark === '') ? [] : [['', ...marks]]
}

/** For a report that was not compared with reference values. */
export function plainTcb({ product, tcb }: DescribedReport): TcbTable | undefined {
  if (product === null || tcb === null) return undefined
  const components = TCB_COMPONENTS.filter((name) => TCB_LAYOUTS[product].bytes.includes(name))
  return {
    components,
    rows: TCB_NAMES.map((name) => ({
      name,
      values: tcb[name],
      belowFloor: [],
      inconsistent: [],
      provisional: [],
    })),
    floor: null,
  }
}
