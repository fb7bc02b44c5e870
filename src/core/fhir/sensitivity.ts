/**
 * The sensitive categories of a resource, by its labels (`meta.security`) and by every code anywhere in it.
 * An unknown label counts as a category that no permission can name.
 */
import { someElement } from './criteria.ts'
import {
  CONFIDENTIALITY_LABELS,
  ICD10_RANGES,
  LOINC_CODES,
  RXNORM_CODES,
  SENSITIVITY_LABELS,
  SNOMED_CODES,
} from './sensitiveCodes.ts'
import type { SliceScanner } from './slice.ts'
import { ESCAPED, STRING } from './tokens.ts'
import { WordTable } from './words.ts'

/** The category of an unknown label. No permission can name it, since it is longer than `CATEGORY` allows. */
const UNKNOWN = 'UNKNOWN-LABEL'
const CATEGORY = /^[A-Z]{2,12}$/
const ICD10_SHAPE = /^[A-Z][0-9][0-9A-Z]/

type CodeSystem = {
  /** All spellings in use: the URL, and the OID with or without `urn:oid:`. */
  readonly spelling: RegExp
  readonly categoriesOf: (code: string) => readonly string[]
}

const listed = (rows: readonly (readonly [string, string])[]): ReadonlyMap<string, readonly string[]> => {
  const map = new Map<string, string[]>()
  for (const [category, codes] of rows)
    for (const code of codes.split(' ')) map.set(code, [...(map.get(code) ?? []), category])
  return map
}

const SNOMED = listed(SNOMED_CODES)
const LOINC = listed(LOINC_CODES)
const RXNORM = listed(RXNORM_CODES)
const LABELS = listed(SENSITIVITY_LABELS.map((label) => [label, label]))
const CONFIDENTIALITY = listed(
  Object.entries(CONFIDENTIALITY_LABELS).map(([code, category]) => [category, code]),
)

const ACT_CODE = /v3[-/]ActCode$|2\.16\.840\.1\.113883\.5\.4$/
const CONFIDENTIALITY_SYSTEM = /v3[-/]Confidentiality$|2\.16\.840\.1\.113883\.5\.25$/
/** Marks of integrity and handling, and of test data. They say nothing about the person. */
const HARMLESS_SYSTEM = /v3[-/](?:ObservationValue|ActReason)$/
const HARMLESS_CONFIDENTIALITY: ReadonlySet<string> = new Set(['U', 'L', 'M', 'N'])

const SYSTEMS: readonly CodeSystem[] = [
  { spelling: /icd-?10|2\.16\.840\.1\.113883\.6\.(?:3|90)$/i, categoriesOf: icd10Categories },
  {
    spelling: /snomed|2\.16\.840\.1\.113883\.6\.96$/i,
    categoriesOf: (code) => SNOMED.get(code) ?? [],
  },
  { spelling: /loinc|2\.16\.840\.1\.113883\.6\.1$/i, categoriesOf: (code) => LOINC.get(code) ?? [] },
  { spelling: /rxnorm|2\.16\.840\.1\.113883\.6\.88$/i, categoriesOf: (code) => RXNORM.get(code) ?? [] },
  { spelling: ACT_CODE, categoriesOf: (code) => LABELS.get(code) ?? [] },
  { spelling: CONFIDENTIALITY_SYSTEM, categoriesOf: (code) => CONFIDENTIALITY.get(code) ?? [] },
]

/** The categories of one coding. Without a system, every system's list applies. */
export function categoriesOf(system: string | undefined, code: string): readonly string[] {
  const plain = code.trim()
  return SYSTEMS.filter(({ spelling }) => system === undefined || spelling.test(system.trim())).flatMap(
    (known) => known.categoriesOf(plain),
  )
}

/** The categories of one label of `meta.security`; empty for a label that restricts nothing. */
export function labelCategories(system: string | undefined, code: string | undefined): readonly string[] {
  if (system === undefined || code === undefined) return [UNKNOWN]
  if (HARMLESS_SYSTEM.test(system)) return []
  if (CONFIDENTIALITY_SYSTEM.test(system) && HARMLESS_CONFIDENTIALITY.has(code)) return []
  const categories = categoriesOf(system, code)
  if (categories.length > 0) return categories
  return ACT_CODE.test(system) && CATEGORY.test(code) ? [code] : [UNKNOWN]
}

export type SensitivityCheck = (resource: SliceScanner) => boolean

/**
 * True if the resource falls into a category that `permitted` does not name. The scanner must mark `code`.
 */
export function compileSensitivity(permitted: readonly string[], names: WordTable): SensitivityCheck {
  const allowed: ReadonlySet<string> = new Set(permitted.filter((category) => CATEGORY.test(category)))
  const isForbidden = (categories: readonly string[]) => categories.some((category) => !allowed.has(category))
  const known = new WordTable([
    ...[SNOMED, LOINC, RXNORM, LABELS, CONFIDENTIALITY].flatMap((map) => [...map.keys()]),
  ])
  const [meta, security, systemName, codeName] = ['meta', 'security', 'system', 'code'].map((name) =>
    names.idOf(name),
  )
  const textAt = (resource: SliceScanner, parent: number, name = 0): string | undefined => {
    const value = resource.member(parent, name)
    return value >= 0 && resource.isText(value) ? resource.text(value) : undefined
  }
  const hasForbiddenLabel = (resource: SliceScanner): boolean =>
    resource.occurs[security ?? 0] === 1 &&
    someElement(resource, resource.member(0, meta ?? 0), (found) =>
      someElement(resource, resource.member(found, security ?? 0), (label) =>
        isForbidden(labelCategories(textAt(resource, label, systemName), textAt(resource, label, codeName))),
      ),
    )
  const hasForbiddenCode = (resource: SliceScanner): boolean => {
    for (const coding of resource.marked) {
      const code = resource.member(coding, codeName ?? 0)
      // Nearly every code fails this test of its bytes, and costs no string.
      if (!mayBeSensitive(resource, code, known)) continue
      if (isForbidden(categoriesOf(textAt(resource, coding, systemName), resource.text(code)))) return true
    }
    return false
  }
  return (resource) => hasForbiddenLabel(resource) || hasForbiddenCode(resource)
}

function mayBeSensitive(resource: SliceScanner, code: number, known: WordTable): boolean {
  const kind = resource.kind[code]
  if (kind !== STRING) return kind === ESCAPED
  const { bytes } = resource
  const start = resource.start[code] ?? 0
  const end = resource.end[code] ?? 0
  const first = (bytes[start] ?? 0) | 0x20
  const second = bytes[start + 1] ?? 0
  const looksLikeIcd10 = first >= 0x61 && first <= 0x7a && second >= 0x30 && second <= 0x39
  const isPadded = !isVisible(bytes[start]) || !isVisible(bytes[end - 1])
  return looksLikeIcd10 || isPadded || known.find(bytes, start, end) !== 0
}

/** False for any byte that `trim` might remove: every byte outside printable ASCII takes the slow path. */
function isVisible(byte: number | undefined): boolean {
  return byte !== undefined && byte > 0x20 && byte < 0x7f
}

function icd10Categories(code: string): readonly string[] {
  const upper = code.toUpperCase()
  if (!ICD10_SHAPE.test(upper)) return []
  const block = upper.slice(0, 3)
  return ICD10_RANGES.filter(([from, to]) => from <= block && block <= to).map(([, , category]) => category)
}
