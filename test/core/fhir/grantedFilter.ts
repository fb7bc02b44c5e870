/** Filters with granted scopes, and fixtures to run through them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { CODE_TABLE_DIGEST } from '#core/fhir/codeTable.ts'
import { type Counts, createFilter, type Outcome } from '#core/fhir/filter.ts'
import { createLineSplitter, type OnLine } from '#core/fhir/lines.ts'
import { PatientIds } from '#core/fhir/patientIds.ts'
import { expandScopes } from '#core/fhir/scope.ts'

export const PSEUDONYM_KEY = Buffer.alloc(32, 7)
/** 2026-11-21 */
export const ISSUED_AT = 1_795_219_200

export function filterOf(
  options: {
    readonly scopes?: readonly string[]
    readonly sensitive?: readonly string[]
    readonly withdrawn?: readonly string[]
  } = {},
) {
  const { scopes = ['system/*.rs'], sensitive = [], withdrawn } = options
  return createFilter(
    {
      scopes: [...expandScopes(scopes)],
      projection: { view: 'minimal' },
      sensitive: [...sensitive],
      codeTable: CODE_TABLE_DIGEST,
      iat: ISSUED_AT,
    },
    PSEUDONYM_KEY,
    withdrawn === undefined ? null : new PatientIds(withdrawn.map((id) => Buffer.from(`${id}\n`))),
  )
}

/** The outcome for one resource: its projection, parsed, or the reason for withholding it. */
export function decide(resource: unknown, options?: Parameters<typeof filterOf>[0]): unknown {
  const text = typeof resource === 'string' ? resource : JSON.stringify(resource)
  return readable(filterOf(options).apply(Buffer.from(text)))
}

export function readable(outcome: Outcome): unknown {
  if (outcome.kind === 'withheld') return outcome.reason
  const { meta, ...rest } = JSON.parse(Buffer.from(outcome.line).toString())
  return rest
}

export function filterAll(
  bytes: Uint8Array,
  options?: Parameters<typeof filterOf>[0],
): { readonly lines: readonly string[]; readonly counts: Counts } {
  const filter = filterOf(options)
  const lines: string[] = []
  const splitter = createLineSplitter()
  const onLine: OnLine = (line) => {
    const outcome = filter.apply(line)
    if (outcome.kind === 'kept') lines.push(Buffer.from(outcome.line).toString())
  }
  splitter.push(bytes, onLine)
  splitter.end(onLine)
  return { lines, counts: filter.counts() }
}

const FIXTURES = new URL('../../../../shared/fixtures/health/fhir/', import.meta.url)

/** The NDJSON files of a folder of fixtures; empty if the fixtures are absent. */
export function fixtures(folder: string): readonly { readonly file: string; readonly bytes: Buffer }[] {
  const place = new URL(`${folder}/`, FIXTURES)
  if (!existsSync(place)) return []
  return readdirSync(place)
    .filter((file) => file.endsWith('.ndjson') && file !== 'log.ndjson')
    .map((file) => ({ file: `${folder}/${file}`, bytes: readFileSync(new URL(file, place)) }))
}
export const NO_FIXTURES = existsSync(FIXTURES) ? false : 'the shared fixtures are not there'
