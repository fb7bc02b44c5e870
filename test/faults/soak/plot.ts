/** A plot as SVG: one panel per measure, one line per program, marks at the faults. */
import type { Point } from './trend.ts'

export type Panel = {
  readonly title: string
  readonly lines: readonly { readonly name: string; readonly points: readonly Point[] }[]
}

const WIDTH = 860
const PANEL = 150
const TOP = 40
const MARGIN = { left: 60, right: 20, title: 22, bottom: 24 } as const
const COLOURS = ['#0b6e99', '#d9730d', '#0f7b6c', '#ad1a72', '#6940a5', '#64473a', '#9b9a97', '#dfab01']

/** x in seconds, shown as minutes. `marks` are the seconds of faults. */
export function plot(title: string, panels: readonly Panel[], marks: readonly number[]): string {
  const height = TOP + panels.length * PANEL + 10
  const names = [...new Set(panels.flatMap(({ lines }) => lines.map(({ name }) => name)))]
  const end = Math.max(
    1,
    ...panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points.map(({ x }) => x))),
  )
  const colourOf = (name: string): string => COLOURS[names.indexOf(name) % COLOURS.length] ?? '#000'
  const legend = names.map(
    (name, index) => `<text x="${MARGIN.left + index * 100}" y="20" fill="${colourOf(name)}">${name}</text>`,
  )
  const drawn = panels.map((panel, index) => drawPanel(panel, TOP + index * PANEL, end, colourOf, marks))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">
<title>${title}</title>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
${[...legend, ...drawn].join('\n')}
</svg>
`
}

function drawPanel(
  { title, lines }: Panel,
  top: number,
  end: number,
  colourOf: (name: string) => string,
  marks: readonly number[],
): string {
  const bottom = top + PANEL - MARGIN.bottom
  const highest = Math.max(1e-9, ...lines.flatMap(({ points }) => points.map(({ y }) => y)))
  const x = (seconds: number) => round(MARGIN.left + (seconds / end) * (WIDTH - MARGIN.left - MARGIN.right))
  const y = (value: number) => round(bottom - (value / highest) * (PANEL - MARGIN.title - MARGIN.bottom))
  const grid = [0, 0.5, 1].map(
    (share) =>
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(highest * share)}" y2="${y(highest * share)}" stroke="#ddd"/>` +
      `<text x="${MARGIN.left - 6}" y="${y(highest * share) + 4}" text-anchor="end" fill="#555">${label(highest * share)}</text>`,
  )
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<text x="${x(end * share)}" y="${bottom + 15}" text-anchor="middle" fill="#555">${label((end * share) / 60)} min</text>`,
  )
  const faults = marks.map(
    (at) => `<line x1="${x(at)}" x2="${x(at)}" y1="${top + MARGIN.title}" y2="${bottom}" stroke="#f3c5c5"/>`,
  )
  const paths = lines.map(
    ({ name, points }) =>
      `<polyline fill="none" stroke="${colourOf(name)}" points="${points.map((point) => `${x(point.x)},${y(point.y)}`).join(' ')}"/>`,
  )
  const heading = `<text x="${MARGIN.left}" y="${top + 14}" font-weight="bold">${title}</text>`
  return [heading, ...grid, ...ticks, ...faults, ...paths].join('\n')
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function label(value: number): string {
  return value >= 10 ? value.toFixed(0) : value.toPrecision(2)
}
