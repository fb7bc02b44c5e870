/** Breaks text into lines of at most `width` characters, each behind `margin`. */
export function fill(text: string, width: number, margin = ''): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line !== '' && margin.length + longer.length > width) {
      lines.push(margin + line)
      line = word
    } else line = longer
  }
  return [...lines, margin + line].join('\n')
}
