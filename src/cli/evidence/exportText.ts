/** The result of `evidence export` for people. */
import type { ExportedEvidence } from '#adapters/evidence/export.ts'

export function renderExported({ folder, copied, kept }: ExportedEvidence): string {
  const lines = Object.entries(copied).map(
    ([name, count]) => `${name.padEnd(18)} ${count} copied${kept[name] === 0 ? '' : `, ${kept[name]} kept`}`,
  )
  return `${[...lines, `in ${folder}`].join('\n')}\n`
}
