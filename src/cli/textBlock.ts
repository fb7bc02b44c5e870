/** Lines for people: a label and what belongs to it, text and hex in pieces that fit. */

const HEX_PER_LINE = 64
const PROSE_PER_LINE = 90

/** The value beside the label; more lines of it stand under its first. */
export function labelled(label: string, value: string, width: number): string {
  return value
    .split('\n')
    .map((line, index) => `${(index === 0 ? label : '').padEnd(width)}${line}`.trimEnd())
    .join('\n')
}

/** At spaces, but hex of more than 32 bytes in lines of its own, 32 bytes each. */
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

/** Columns as wide as their widest cell, two spaces between them. */
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
