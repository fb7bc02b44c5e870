/**
 * The code systems that a minimal view may carry, each with the shape of its codes. A code of a published
 * system is medical knowledge. A code of a hospital's own system, or a text under the name of a published
 * one, can contain anything and is dropped.
 */
import type { SliceScanner } from './slice.ts'
import { SliceCache } from './sliceCache.ts'
import { STRING } from './tokens.ts'
import { WordTable } from './words.ts'

const HL7 = 'http://terminology.hl7.org/CodeSystem/'
/** The two spellings of HL7 codes: v3 and v2 mnemonics, and words joined by hyphens. */
const HL7_CODE = /^(?:[A-Z][A-Z0-9_]{0,15}|[0-9]{1,4}|[a-z][a-z0-9-]{1,39})$/
const ICD = /^[A-Z0-9][0-9][0-9A-Z](?:\.?[0-9A-Z]{1,4})?$/
const OID_URN = 'urn:oid:2.16.840.1.113883.6.'

const SYSTEMS: readonly (readonly [system: string, code: RegExp])[] = [
  ['http://snomed.info/sct', /^[0-9]{6,18}$/],
  ['http://loinc.org', /^(?:L[APGL])?[0-9]{1,7}-[0-9]$/],
  ['http://www.nlm.nih.gov/research/umls/rxnorm', /^[0-9]{1,8}$/],
  ['http://hl7.org/fhir/sid/cvx', /^[0-9]{2,4}$/],
  ['http://hl7.org/fhir/sid/icd-10', ICD],
  ['http://hl7.org/fhir/sid/icd-10-cm', ICD],
  ['http://www.cms.gov/Medicare/Coding/ICD10', /^[0-9A-HJ-NP-Z]{7}$/],
  ['http://hl7.org/fhir/sid/icd-9-cm', /^[EV]?[0-9]{2,3}(?:\.[0-9]{1,2})?$/],
  ['http://www.ama-assn.org/go/cpt', /^[0-9]{4}[0-9FTU]$/],
  ['http://hl7.org/fhir/sid/ndc', /^[0-9]{4,5}-?[0-9]{3,4}-?[0-9]{1,2}$/],
  ['http://www.whocc.no/atc', /^[A-Z](?:[0-9]{2}(?:[A-Z](?:[A-Z](?:[0-9]{2})?)?)?)?$/],
  ['http://unitsofmeasure.org', /^[A-Za-z0-9[\]{}()./*^%'"#+_-]{1,32}$/],
  ['http://dicom.nema.org/resources/ontology/DCM', /^[A-Z0-9]{2,16}$/],
  ['urn:ietf:bcp:47', /^[a-z]{2,3}(?:-[A-Z]{2})?$/],
  [`${OID_URN}96`, /^[0-9]{6,18}$/],
  [`${OID_URN}1`, /^(?:L[APGL])?[0-9]{1,7}-[0-9]$/],
  [`${OID_URN}90`, ICD],
  ['http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category', HL7_CODE],
  ['http://hl7.org/fhir/us/core/CodeSystem/condition-category', HL7_CODE],
  ...`admit-source allergyintolerance-clinical allergyintolerance-verification condition-category condition-clinical
  condition-ver-status data-absent-reason diagnosis-role discharge-disposition dose-rate-type
  medicationrequest-category medicationrequest-course-of-therapy medication-admin-category observation-category
  service-type v2-0074 v2-0078 v2-0092 v2-0487 v3-ActCode v3-ActPriority v3-ActSite v3-NullFlavor
  v3-ObservationInterpretation v3-RouteOfAdministration`
    .split(/\s+/)
    .map((name): readonly [string, RegExp] => [HL7 + name, HL7_CODE]),
]

const NAMES = new WordTable(SYSTEMS.map(([system]) => system))
const SHAPES: readonly (RegExp | undefined)[] = [undefined, ...SYSTEMS.map(([, shape]) => shape)]
/** At least as long as any code of the shapes above. */
const MAX_CODE_LENGTH = 64

/** True if the two values are the texts of a system of the table and of a code of its shape. */
export type PublishedCodeCheck = (resource: SliceScanner, system: number, code: number) => boolean

const REMEMBERED = 4096
const NO_VALUE = new Uint8Array(0)

/** The check has a cache of the codes that passed, since a file repeats a few thousand of them. */
export function createPublishedCodeCheck(): PublishedCodeCheck {
  const passed = new SliceCache(REMEMBERED, MAX_CODE_LENGTH, 0)
  return (resource, system, code) => {
    if (system < 0 || code < 0) return false
    const { bytes, kind, start, end } = resource
    if (kind[system] !== STRING || kind[code] !== STRING) return isPublishedText(resource, system, code)
    const id = NAMES.find(bytes, start[system] ?? 0, end[system] ?? 0)
    const from = start[code] ?? 0
    const to = end[code] ?? 0
    if (id === 0 || to - from > MAX_CODE_LENGTH) return false
    if (passed.find(id, bytes, from, to) >= 0) return true
    if (SHAPES[id]?.test(resource.text(code)) !== true) return false
    passed.put(id, bytes, from, to, NO_VALUE)
    return true
  }
}

/** The same check for strings with escapes, which some exporters use for every slash. */
function isPublishedText(resource: SliceScanner, system: number, code: number): boolean {
  if (!resource.isText(system) || !resource.isText(code)) return false
  const shape = SHAPES[NAMES.idOf(resource.text(system))]
  const text = resource.text(code)
  return shape !== undefined && text.length <= MAX_CODE_LENGTH && shape.test(text)
}
