/** Blocks of text: labels with values, wrapped prose and hex, columns. */

const HEX_PER_LINE = 64
const PROSE_PER_LINE = 90

/** A value beside its label; further lines align with the first. */
export function labelled(label: string, value: string, width: number): string {
  return value
    .split('\n')
    .map((line, index) => `${(index === 0 ? label : '').padEnd(width)}${line}`.trimEnd())
    .join('\n')
}

/** Breaks at spaces. Hex of more than 32 bytes gets its own lines, 32 bytes each. */
export function wrap(text: string): string {
  const pieces = text.split(' ').flatMap((word) => {
    if (!/^[0-9a-f]{65,}$/.test(word)) return [{ text: word, whole: false }]
    const lines = word.match(new RegExp(`.{1,${HEX_PER_LINE}}`, 'g')) ?? []
    return lines.map((line) => ({ text: line, whole: true }))
  })
  const lines: string[] = []
  let open = false
  for (const { text: piece, whole } of pieces) {
    const last = lines.at(-1)
    const fits = open && !whole && last !== undefined && last.length + 1 + piece.length <= PROSE_PER_LINE
    if (fits) lines[lines.length - 1] = `${last} ${piece}`
    else lines.push(piece)
    open = !whole
  }
  return lines.join('\n')
}

/** Each column is as wide as its widest cell; two spaces separate columns. */
export function columns(rows: readonly (readonly string[])[]): string {
  const width = (index: number) => Math.max(...rows.map((row) => row[index]?.length ?? 0))
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(width(index)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
