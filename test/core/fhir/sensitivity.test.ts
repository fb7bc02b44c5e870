import assert from 'node:assert/strict'
import { test } from 'node:test'
import { categoriesOf, labelCategories } from '#core/fhir/sensitivity.ts'
import { decide } from './grantedFilter.ts'

const SNOMED = 'http://snomed.info/sct'
const ICD10 = 'http://hl7.org/fhir/sid/icd-10-cm'
const HL7 = 'http://terminology.hl7.org/CodeSystem/'

const codes: readonly (readonly [system: string | undefined, code: string, categories: string[]])[] = [
  [SNOMED, '361055000', ['SUD']],
  [SNOMED, '706893006', ['SDV']],
  [SNOMED, '19169002', ['SEX']],
  [SNOMED, '266948004', ['TBOO']],
  [SNOMED, '444814009', []],
  ['urn:oid:2.16.840.1.113883.6.96', '361055000', ['SUD']],
  [ICD10, 'F10.10', ['ETH']],
  [ICD10, 'F11.20', ['SUD']],
  [ICD10, 'f1120', ['SUD']],
  [ICD10, 'F20', ['PSY']],
  [ICD10, 'F99', ['PSY']],
  [ICD10, 'F09', []],
  [ICD10, 'G00', []],
  [ICD10, 'B20', ['HIV']],
  [ICD10, 'B25', []],
  [ICD10, 'Z21', ['HIV']],
  [ICD10, 'O03.9', ['SEX']],
  [ICD10, 'O9A.211', ['PREGNANT']],
  [ICD10, 'T74.11XA', ['SDV']],
  [ICD10, 'J01.90', []],
  ['urn:oid:2.16.840.1.113883.6.90', 'F11.20', ['SUD']],
  ['http://fhir.de/CodeSystem/bfarm/icd-10-gm', 'F11.2', ['SUD']],
  ['http://loinc.org', '44261-6', ['PSY']],
  ['http://www.nlm.nih.gov/research/umls/rxnorm', '1010600', ['SUD']],
  ['http://unitsofmeasure.org', 'F20', []],
  // Without a system, every list applies.
  [undefined, '361055000', ['SUD']],
  [undefined, ' F20 ', ['PSY']],
]
for (const [system, code, categories] of codes)
  test(`${system ?? 'no system'} ${code}: ${categories.join() || 'not sensitive'}`, () =>
    assert.deepEqual(categoriesOf(system, code), categories))

const labels: readonly (readonly [
  system: string | undefined,
  code: string | undefined,
  categories: string[],
])[] = [
  [`${HL7}v3-Confidentiality`, 'N', []],
  [`${HL7}v3-Confidentiality`, 'L', []],
  [`${HL7}v3-Confidentiality`, 'R', ['RESTRICTED']],
  [`${HL7}v3-Confidentiality`, 'V', ['VRESTRICTED']],
  [`${HL7}v3-Confidentiality`, 'X', ['UNKNOWN-LABEL']],
  ['http://hl7.org/fhir/v3/Confidentiality', 'R', ['RESTRICTED']],
  [`${HL7}v3-ActCode`, 'HIV', ['HIV']],
  [`${HL7}v3-ActCode`, 'TBOO', ['TBOO']],
  [`${HL7}v3-ActCode`, 'NEWCODE', ['NEWCODE']],
  [`${HL7}v3-ActCode`, 'PROCESSINLINELABEL', ['UNKNOWN-LABEL']],
  [`${HL7}v3-ObservationValue`, 'SUBSETTED', []],
  [`${HL7}v3-ActReason`, 'HTEST', []],
  ['http://hospital.example/labels', 'vip', ['UNKNOWN-LABEL']],
  [undefined, 'R', ['UNKNOWN-LABEL']],
  [`${HL7}v3-ActCode`, undefined, ['UNKNOWN-LABEL']],
]
for (const [system, code, categories] of labels)
  test(`label ${system ?? '-'} ${code ?? '-'}: ${categories.join() || 'harmless'}`, () =>
    assert.deepEqual(labelCategories(system, code), categories))

const condition = { resourceType: 'Condition', subject: { reference: 'Patient/p' } }
const coded = (code: string, system?: string) => ({ ...condition, code: { coding: [{ system, code }] } })
const labelled = (security: unknown) => ({ ...condition, meta: { security } })

const withheld: readonly (readonly [why: string, resource: unknown])[] = [
  ['a code', coded('361055000', SNOMED)],
  ['a code without a system', coded('361055000')],
  [
    'a code among others',
    {
      ...condition,
      code: {
        coding: [
          { system: 'http://x', code: 'y' },
          { system: ICD10, code: 'F20' },
        ],
      },
    },
  ],
  [
    'a code in an element that the view drops',
    { ...condition, stage: [{ summary: { coding: [{ system: SNOMED, code: '361055000' }] } }] },
  ],
  ['a code in a contained resource', { ...condition, contained: [coded('86406008', SNOMED)] }],
  ['a code with escapes', JSON.stringify(coded('361055000', SNOMED)).replace('361055000', '36105500\\u0030')],
  ['a system with escapes', JSON.stringify(coded('361055000', SNOMED)).replaceAll('/', '\\/')],
  ['a code with white space', coded('\u00a0361055000', SNOMED)],
  ['a label', labelled([{ system: `${HL7}v3-ActCode`, code: 'HIV' }])],
  ['a label that is not an array', labelled({ system: `${HL7}v3-ActCode`, code: 'HIV' })],
  ['a label without a code', labelled([{ system: `${HL7}v3-ActCode` }])],
  ['a confidentiality', labelled([{ system: `${HL7}v3-Confidentiality`, code: 'R' }])],
  [
    'a label after a harmless one',
    labelled([
      { system: `${HL7}v3-Confidentiality`, code: 'N' },
      { system: 'http://x', code: 'vip' },
    ]),
  ],
  ['an inline label', labelled([{ system: `${HL7}v3-ActCode`, code: 'PROCESSINLINELABEL' }])],
  [
    'a label on an element, without an inline label',
    {
      ...condition,
      onsetDateTime: '2020',
      _onsetDateTime: { extension: [{ valueCoding: { system: `${HL7}v3-Confidentiality`, code: 'R' } }] },
    },
  ],
]
for (const [why, resource] of withheld)
  test(`withholds by ${why}`, () => assert.equal(decide(resource), 'sensitive'))

const permitted: readonly (readonly [resource: unknown, sensitive: string[], passes: boolean])[] = [
  [coded('361055000', SNOMED), ['SUD'], true],
  [coded('361055000', SNOMED), ['ETH', 'PSY'], false],
  [labelled([{ system: `${HL7}v3-Confidentiality`, code: 'R' }]), ['RESTRICTED'], true],
  [labelled([{ system: `${HL7}v3-Confidentiality`, code: 'V' }]), ['RESTRICTED'], false],
  [labelled([{ system: `${HL7}v3-ActCode`, code: 'NEWCODE' }]), ['NEWCODE'], true],
  [
    labelled([
      { system: `${HL7}v3-ActCode`, code: 'HIV' },
      { system: `${HL7}v3-ActCode`, code: 'SUD' },
    ]),
    ['HIV'],
    false,
  ],
  [
    labelled([
      { system: `${HL7}v3-ActCode`, code: 'HIV' },
      { system: `${HL7}v3-ActCode`, code: 'SUD' },
    ]),
    ['HIV', 'SUD'],
    true,
  ],
  [labelled([{ system: 'http://x', code: 'vip' }]), ['UNKNOWN-LABEL'], false],
]
for (const [resource, sensitive, passes] of permitted)
  test(`${sensitive.join()} ${passes ? 'lets through' : 'does not let through'} ${JSON.stringify(resource)}`, () =>
    assert.equal(typeof decide(resource, { sensitive }), passes ? 'object' : 'string'))

test('a harmless label passes', () =>
  assert.equal(
    typeof decide(labelled([{ system: `${HL7}v3-ObservationValue`, code: 'SUBSETTED' }])),
    'object',
  ))
