/** One measurement beside a limit or a peer of the same run. We promise the ratio, not the number. */
export type Row = {
  readonly what: string
  readonly unit: string
  readonly measured: number
  /** The limit or peer, and its value in the same unit. */
  readonly against: string
  readonly limit: number
  /** The ratio that docs/design.md promises; absent if the row only informs. */
  readonly bar?: { readonly atLeast: number } | { readonly atMost: number }
}

/** A peer that could not run, and why. */
export type Absence = { readonly what: string; readonly against: string; readonly absent: string }

export type Benchmark = {
  readonly name: string
  readonly what: string
  /** Throws if the limit cannot be measured. One of several peers may be absent. */
  readonly run: () => Promise<readonly (Row | Absence)[]>
}

export type JudgedRow = Row & { readonly ratio: number; readonly ok?: boolean }

export function judge(row: Row | Absence): JudgedRow | Absence {
  if ('absent' in row) return row
  const ratio = row.measured / row.limit
  if (row.bar === undefined) return { ...row, ratio }
  return { ...row, ratio, ok: 'atLeast' in row.bar ? ratio >= row.bar.atLeast : ratio <= row.bar.atMost }
}

export function formatTable(rows: readonly (JudgedRow | Absence)[]): string {
  const measured = rows.filter((row): row is JudgedRow => !('absent' in row))
  const absent = rows.filter((row): row is Absence => 'absent' in row)
  const table = measured.length === 0 ? [] : [formatMeasured(measured)]
  return [...table, ...absent.map((row) => `${row.what}, against ${row.against}: ${row.absent}`)].join('\n')
}

function formatMeasured(rows: readonly JudgedRow[]): string {
  const lines = [
    ['', 'measured', 'unit', 'against', 'limit', 'ratio', 'bar', ''],
    ...rows.map(({ what, measured, unit, against, limit, ratio, bar, ok }) => [
      what,
      formatNumber(measured),
      unit,
      against,
      formatNumber(limit),
      ratio.toFixed(2),
      bar === undefined ? '' : 'atLeast' in bar ? `>= ${bar.atLeast}` : `<= ${bar.atMost}`,
      ok === undefined ? '' : ok ? 'ok' : 'not ok',
    ]),
  ]
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function formatNumber(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
