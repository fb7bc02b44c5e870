/** The documents of this repository as tests read them. */
import { readFile } from 'node:fs/promises'

const root = new URL('../../', import.meta.url)

export function readDocument(path: string): Promise<string> {
  return readFile(new URL(path, root), 'utf8')
}

/** The cells of every row of every table, without the rows that only draw a line. */
export function tableRows(markdown: string): readonly (readonly string[])[] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^[|\s:-]+$/.test(line))
    .map((line) =>
      line
        .slice(1, line.lastIndexOf('|'))
        .split('|')
        .map((cell) => cell.trim()),
    )
}
