/**
 * The minimal view: the elements of each resource type (FHIR R4 4.0.1) that pass, and their form. It keeps
 * mandatory and coded clinical elements, quantities, the year of dates, and the person and the encounter as
 * pseudonyms. No other element passes: names, identifiers, addresses, narrative, notes, extensions, contained
 * resources, attachments, displays and every text are dropped. A type without an entry has no minimal view.
 */
export type Form =
  /** A code of a required value set (`REQUIRED_CODES`). */
  | 'code'
  | 'boolean'
  /** A number, digit for digit. */
  | 'number'
  /** A date or dateTime, cut to its year. */
  | 'year'
  /** A Period of two years. */
  | 'period'
  /** System and code of a Coding or of a Quantity's unit, if the system is published (terminology.ts). */
  | 'coding'
  /** The codings of a CodeableConcept that pass. */
  | 'concept'
  /** Value, comparator, system and code, without the unit's text. */
  | 'quantity'
  /** A relative reference to a Patient or Group. */
  | 'person'
  /** A relative reference to an Encounter. */
  | 'encounter'
  /** The resource's own id, for the types that the references above point to. */
  | 'id'
  | Elements

export type Elements = { readonly [element: string]: Form }

export type TypeView = {
  readonly elements: Elements
  /** Modifier elements that the view does not carry. If one is present, the resource is withheld. */
  readonly modifiers?: readonly string[]
}

const RANGE: Elements = { low: 'quantity', high: 'quantity' }
const RATIO: Elements = { numerator: 'quantity', denominator: 'quantity' }
const VALUES: Elements = {
  valueQuantity: 'quantity',
  valueCodeableConcept: 'concept',
  valueBoolean: 'boolean',
  valueInteger: 'number',
  valueRange: RANGE,
  valueRatio: RATIO,
  valueDateTime: 'year',
  valuePeriod: 'period',
  dataAbsentReason: 'concept',
  interpretation: 'concept',
}

export const MINIMAL_VIEW: Readonly<Record<string, TypeView>> = {
  AllergyIntolerance: {
    elements: {
      clinicalStatus: 'concept',
      verificationStatus: 'concept',
      type: 'code',
      category: 'code',
      criticality: 'code',
      code: 'concept',
      patient: 'person',
      encounter: 'encounter',
      onsetDateTime: 'year',
      onsetPeriod: 'period',
      recordedDate: 'year',
      reaction: { substance: 'concept', manifestation: 'concept', severity: 'code' },
    },
  },
  Condition: {
    elements: {
      clinicalStatus: 'concept',
      verificationStatus: 'concept',
      category: 'concept',
      severity: 'concept',
      code: 'concept',
      bodySite: 'concept',
      subject: 'person',
      encounter: 'encounter',
      onsetDateTime: 'year',
      onsetPeriod: 'period',
      abatementDateTime: 'year',
      abatementPeriod: 'period',
      recordedDate: 'year',
    },
  },
  DiagnosticReport: {
    elements: {
      status: 'code',
      category: 'concept',
      code: 'concept',
      subject: 'person',
      encounter: 'encounter',
      effectiveDateTime: 'year',
      effectivePeriod: 'period',
      conclusionCode: 'concept',
    },
  },
  DocumentReference: {
    elements: {
      status: 'code',
      docStatus: 'code',
      type: 'concept',
      category: 'concept',
      subject: 'person',
      context: {
        encounter: 'encounter',
        event: 'concept',
        period: 'period',
        facilityType: 'concept',
        practiceSetting: 'concept',
      },
    },
  },
  Encounter: {
    elements: {
      id: 'id',
      status: 'code',
      class: 'coding',
      type: 'concept',
      serviceType: 'concept',
      priority: 'concept',
      subject: 'person',
      period: 'period',
      reasonCode: 'concept',
      hospitalization: { admitSource: 'concept', dischargeDisposition: 'concept' },
    },
  },
  ImagingStudy: {
    elements: {
      status: 'code',
      modality: 'coding',
      subject: 'person',
      encounter: 'encounter',
      started: 'year',
      numberOfSeries: 'number',
      numberOfInstances: 'number',
      procedureCode: 'concept',
      reasonCode: 'concept',
      series: { modality: 'coding', numberOfInstances: 'number', bodySite: 'coding', laterality: 'coding' },
    },
  },
  Immunization: {
    elements: {
      status: 'code',
      statusReason: 'concept',
      vaccineCode: 'concept',
      patient: 'person',
      encounter: 'encounter',
      occurrenceDateTime: 'year',
      primarySource: 'boolean',
      site: 'concept',
      route: 'concept',
      doseQuantity: 'quantity',
      reasonCode: 'concept',
      isSubpotent: 'boolean',
    },
  },
  MedicationAdministration: {
    elements: {
      status: 'code',
      category: 'concept',
      medicationCodeableConcept: 'concept',
      subject: 'person',
      context: 'encounter',
      effectiveDateTime: 'year',
      effectivePeriod: 'period',
      reasonCode: 'concept',
    },
  },
  MedicationRequest: {
    elements: {
      status: 'code',
      statusReason: 'concept',
      intent: 'code',
      category: 'concept',
      priority: 'code',
      doNotPerform: 'boolean',
      medicationCodeableConcept: 'concept',
      subject: 'person',
      encounter: 'encounter',
      authoredOn: 'year',
      reasonCode: 'concept',
      courseOfTherapyType: 'concept',
    },
  },
  Observation: {
    elements: {
      status: 'code',
      category: 'concept',
      code: 'concept',
      subject: 'person',
      encounter: 'encounter',
      effectiveDateTime: 'year',
      effectivePeriod: 'period',
      ...VALUES,
      bodySite: 'concept',
      method: 'concept',
      component: { code: 'concept', ...VALUES },
    },
  },
  Patient: {
    elements: {
      id: 'id',
      active: 'boolean',
      gender: 'code',
      birthDate: 'year',
      deceasedBoolean: 'boolean',
      deceasedDateTime: 'year',
    },
    modifiers: ['link'],
  },
  Procedure: {
    elements: {
      status: 'code',
      statusReason: 'concept',
      category: 'concept',
      code: 'concept',
      subject: 'person',
      encounter: 'encounter',
      performedDateTime: 'year',
      performedPeriod: 'period',
      reasonCode: 'concept',
      bodySite: 'concept',
      outcome: 'concept',
      complication: 'concept',
    },
  },
  ServiceRequest: {
    elements: {
      status: 'code',
      intent: 'code',
      category: 'concept',
      priority: 'code',
      doNotPerform: 'boolean',
      code: 'concept',
      subject: 'person',
      encounter: 'encounter',
      occurrenceDateTime: 'year',
      occurrencePeriod: 'period',
      authoredOn: 'year',
      reasonCode: 'concept',
      bodySite: 'concept',
    },
  },
  Specimen: {
    elements: {
      status: 'code',
      type: 'concept',
      subject: 'person',
      collection: {
        collectedDateTime: 'year',
        collectedPeriod: 'period',
        method: 'concept',
        bodySite: 'concept',
      },
    },
  },
}

/**
 * The codes allowed in elements of the form `code`: the required R4 value sets of those elements, in one
 * list.
 */
export const REQUIRED_CODES: readonly string[] = [
  // status, docStatus, intent, priority of all types above
  'registered preliminary final amended corrected appended cancelled entered-in-error unknown partial',
  'planned arrived triaged in-progress onleave finished available completed not-done preparation on-hold stopped',
  'active draft revoked current superseded unavailable unsatisfactory',
  'proposal plan directive order original-order reflex-order filler-order instance-order option',
  'routine urgent asap stat',
  // AllergyIntolerance
  'allergy intolerance food medication environment biologic low high unable-to-assess mild moderate severe',
  // Patient.gender; unknown is above
  'male female other',
  // Quantity.comparator
  '< <= >= >',
].flatMap((row) => row.split(' '))
