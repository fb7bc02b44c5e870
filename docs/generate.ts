/**
 * `npm run docs`: writes the tables of docs/errors.md, whose text above them is written by hand, the JSON Schema
 * of a policy, and the OpenAPI document of the Verifier.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { ErrorRow } from '#core/errors/coded.ts'
import { ERROR_SECTIONS } from '#core/errors.ts'
import { policyJsonSchema } from '#core/policy/policy.ts'
import { openApiText } from '../src/verifier/openapi.ts'

const MARK = '<!-- The tables below are generated from src/core/errors.ts by "npm run docs". -->\n'
const HEAD = `| code | meaning | stage | disposition | HTTP | exit | remedy |
|---|---|---|---|---|---|---|
`

/** The page with its tables written anew. */
export function errorsPage(page: string): string {
  const [text, ...rest] = page.split(MARK)
  if (text === undefined || rest.length !== 1) throw new RangeError('docs/errors.md lacks its one mark')
  const sections = ERROR_SECTIONS.map(({ title, rows }) => {
    const lines = Object.entries(rows).map(([code, row]) => `${rowText(code, row)}\n`)
    return `\n## ${title}\n\n${HEAD}${lines.join('')}`
  })
  return `${text}${MARK}${sections.join('')}`
}

function rowText(code: string, { meaning, stage, disposition, http, exit, remedy }: ErrorRow): string {
  const cells = [`\`${code}\``, meaning, stage ?? '–', disposition, http, exit, sentence(remedy)]
  return `| ${cells.join(' | ')} |`
}

/** A capital and a full stop; pages of this folder become links. */
function sentence(remedy: string): string {
  const linked = remedy.replace(/\bdocs\/([\w/-]+\.md)/g, '[$1]($1)')
  return `${linked.charAt(0).toUpperCase()}${linked.slice(1)}.`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const path = new URL('errors.md', import.meta.url)
  writeFileSync(path, errorsPage(readFileSync(path, 'utf8')))
  writeFileSync(new URL('formats/policy.schema.json', import.meta.url), policyJsonSchema())
  writeFileSync(new URL('formats/verifier.openapi.json', import.meta.url), openApiText())
}
