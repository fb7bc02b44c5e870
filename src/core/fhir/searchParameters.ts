/**
 * The search parameters that a scope may narrow by, each with the path of its value (FHIR R4 SearchParameter
 * expressions, token type only). A scope with any other parameter is refused: to ignore the parameter would
 * widen a scope that was meant to be narrow.
 */
export type SearchParameter = {
  /** Element names from the resource's root. */
  readonly path: readonly string[]
  /**
   * A Coding, a CodeableConcept, or a code with a required value set (which then takes no system in a scope).
   */
  readonly type: 'coding' | 'concept' | 'code'
}

const concept = (...path: string[]): SearchParameter => ({ path, type: 'concept' })
const coding = (...path: string[]): SearchParameter => ({ path, type: 'coding' })
const code = (...path: string[]): SearchParameter => ({ path, type: 'code' })

/** Parameters of every type, and the only ones allowed with `*`. */
const COMMON = { _security: coding('meta', 'security'), _tag: coding('meta', 'tag') }

const BY_TYPE: Readonly<Record<string, Readonly<Record<string, SearchParameter>>>> = {
  AllergyIntolerance: {
    category: code('category'),
    'clinical-status': concept('clinicalStatus'),
    code: concept('code'),
    criticality: code('criticality'),
    type: code('type'),
    'verification-status': concept('verificationStatus'),
  },
  Condition: {
    category: concept('category'),
    'clinical-status': concept('clinicalStatus'),
    code: concept('code'),
    severity: concept('severity'),
    'verification-status': concept('verificationStatus'),
  },
  DiagnosticReport: {
    category: concept('category'),
    code: concept('code'),
    status: code('status'),
  },
  DocumentReference: {
    category: concept('category'),
    status: code('status'),
    type: concept('type'),
  },
  Encounter: { class: coding('class'), status: code('status'), type: concept('type') },
  ImagingStudy: { modality: coding('series', 'modality'), status: code('status') },
  Immunization: { status: code('status'), 'vaccine-code': concept('vaccineCode') },
  MedicationRequest: {
    category: concept('category'),
    code: concept('medicationCodeableConcept'),
    intent: code('intent'),
    status: code('status'),
  },
  Observation: {
    category: concept('category'),
    code: concept('code'),
    status: code('status'),
    'value-concept': concept('valueCodeableConcept'),
  },
  Patient: { gender: code('gender') },
  Procedure: { category: concept('category'), code: concept('code'), status: code('status') },
  ServiceRequest: {
    category: concept('category'),
    code: concept('code'),
    intent: code('intent'),
    status: code('status'),
  },
  Specimen: { status: code('status'), type: concept('type') },
}

/** The parameter of this name for a type (or `*`), if a scope may use it. */
export function searchParameter(type: string, name: string): SearchParameter | undefined {
  for (const table of [COMMON, Object.hasOwn(BY_TYPE, type) ? BY_TYPE[type] : undefined])
    if (table !== undefined && Object.hasOwn(table, name)) return new Map(Object.entries(table)).get(name)
  return undefined
}

/** The element names of all paths. */
export const SEARCH_ELEMENTS: readonly string[] = [COMMON, ...Object.values(BY_TYPE)].flatMap((table) =>
  Object.values(table).flatMap(({ path }) => path),
)
