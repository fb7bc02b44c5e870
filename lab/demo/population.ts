/**
 * A synthetic hospital's bulk export: FHIR R4 NDJSON of patients with their encounters, conditions,
 * observations and notes, the same bytes for the same seed. No patient in it exists. It is full of content
 * that a filter must remove, and of words that show whether the filter did (`POPULATION_CANARIES`).
 */

/** A number of patients, or a number of bytes that the last patient reaches or exceeds. */
export type PopulationSize = { readonly patients: number } | { readonly bytes: number }

/** Names, addresses, record numbers and note texts. None of them may appear outside the sealed object. */
export const POPULATION_CANARIES = {
  given: [
    'Wilhelmette',
    'Ozymandra',
    'Thistlewyn',
    'Bartolemius',
    'Quenevere',
    'Ignatzio',
    'Marigolda',
    'Peregrino',
  ],
  family: [
    'Quillfeather',
    'Brackenwold',
    'Ashgrovely',
    'Van der Mirkwoud',
    'Oxenstierne',
    'Larkspurrow',
    'Hollowmere',
  ],
  street: ['Larkspurgate', 'Candlewickstraat', 'Mossbeckrow', 'Saltpanterrace'],
  recordNumber: ['MRN7Q'],
  phone: ['555-0142-'],
  practitioner: ['Dr. Aurelianna Fennimorecote'],
  practitionerNumber: ['us-npi|99999'],
  note: ['sleeps badly since the fire at the ropeworks', 'asks that the parish priest is not told'],
} as const

const CHUNK_BYTES = 256 * 1024
const FIRST_YEAR = 2016
const YEARS = 10
const LOINC = 'http://loinc.org'
const SNOMED = 'http://snomed.info/sct'
const HL7 = 'http://terminology.hl7.org/CodeSystem/'

type Coded = readonly [code: string, display: string]
type Measured = readonly [code: string, display: string, unit: string, mean: number, spread: number]

const CONDITIONS: readonly Coded[] = [
  ['444814009', 'Viral sinusitis (disorder)'],
  ['195662009', 'Acute viral pharyngitis (disorder)'],
  ['59621000', 'Essential hypertension (disorder)'],
  ['15777000', 'Prediabetes'],
  ['162864005', 'Body mass index 30+ - obesity (finding)'],
  ['55822004', 'Hyperlipidemia'],
  ['44465007', 'Sprain of ankle'],
  ['65363002', 'Otitis media'],
  ['128613002', 'Seizure disorder'],
]
/** Conditions whose code alone makes them sensitive. */
const SENSITIVE_CONDITIONS: readonly Coded[] = [
  ['361055000', 'Misuses drugs (finding)'],
  ['706893006', 'Victim of intimate partner abuse (finding)'],
  ['86406008', 'Human immunodeficiency virus infection (disorder)'],
  ['370143000', 'Major depressive disorder'],
  ['19169002', 'Miscarriage in first trimester'],
]
const LABELS: readonly Coded[] = [
  ['v3-Confidentiality', 'R'],
  ['v3-Confidentiality', 'V'],
  ['v3-ActCode', 'PSY'],
  ['v3-ActCode', 'SUD'],
]
const MEASUREMENTS: readonly Measured[] = [
  ['8302-2', 'Body Height', 'cm', 168, 25],
  ['29463-7', 'Body Weight', 'kg', 75, 35],
  ['39156-5', 'Body Mass Index', 'kg/m2', 27, 9],
  ['8867-4', 'Heart rate', '/min', 75, 30],
  ['2339-0', 'Glucose', 'mg/dL', 95, 40],
  ['4548-4', 'Hemoglobin A1c/Hemoglobin.total in Blood', '%', 5.8, 2],
  ['2093-3', 'Cholesterol [Mass/volume] in Serum or Plasma', 'mg/dL', 190, 60],
]
const VISITS: readonly Coded[] = [
  ['185345009', 'Encounter for symptom'],
  ['162673000', 'General examination of patient (procedure)'],
  ['185349003', 'Encounter for check up (procedure)'],
  ['50849002', 'Emergency room admission (procedure)'],
]

/** Yields chunks of about 256 KiB on demand, so memory does not grow with the size. */
export async function* generatePopulation(
  options: { readonly seed: string } & PopulationSize,
): AsyncGenerator<Buffer, void, void> {
  const random = createRandom(options.seed)
  let text = ''
  let bytes = 0
  for (let patients = 0; isShort(options, patients, bytes + text.length); patients++) {
    text += writePatient(random)
    if (text.length < CHUNK_BYTES) continue
    // The text is ASCII: characters are bytes.
    yield Buffer.from(text, 'latin1')
    bytes += text.length
    text = ''
  }
  if (text !== '') yield Buffer.from(text, 'latin1')
}

function isShort(size: PopulationSize, patients: number, bytes: number): boolean {
  return 'patients' in size ? patients < size.patients : bytes < size.bytes
}

type Random = {
  /** An integer from 0 to `limit` - 1. */
  readonly below: (limit: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <T>(from: readonly [T, ...T[]] | readonly T[]) => T
  readonly id: () => string
}

type Person = { readonly id: string; readonly name: string; readonly visits: number }

function writePatient(random: Random): string {
  const { given, family } = POPULATION_CANARIES
  const person = {
    id: random.id(),
    name: `${random.pick(given)} ${random.pick(family)}`,
    visits: 1 + random.below(8),
  }
  let text = patientLine(random, person)
  for (let visit = 0; visit < person.visits; visit++) text += writeVisit(random, person)
  return text
}

function writeVisit(random: Random, person: Person): string {
  const visit = {
    id: random.id(),
    at: `${FIRST_YEAR + random.below(YEARS)}-${two(1 + random.below(12))}-${two(1 + random.below(28))}T${two(8 + random.below(10))}:${two(random.below(60))}:00+01:00`,
  }
  let text = encounterLine(random, person, visit)
  if (random.chance(0.6)) text += conditionLine(random, person, visit)
  for (let measured = random.below(9); measured > 0; measured--)
    text += observationLine(random, person, visit)
  if (random.chance(0.3)) text += noteLine(random, person, visit)
  return text
}

type Visit = { readonly id: string; readonly at: string }

function patientLine(random: Random, { id, name }: Person): string {
  const [first = '', ...rest] = name.split(' ')
  const { recordNumber, phone, street } = POPULATION_CANARIES
  return `{"resourceType":"Patient","id":"${id}","text":{"status":"generated","div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\">${name}, known to the house</div>"},"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"${random.pick(POPULATION_CANARIES.family)}"}],"identifier":[{"type":{"coding":[{"system":"${HL7}v2-0203","code":"MR"}]},"system":"http://hospital.example/mrn","value":"${recordNumber[0]}${String(random.below(10_000_000)).padStart(7, '0')}"}],"name":[{"use":"official","family":"${rest.join(' ')}","given":["${first}"]}],"telecom":[{"system":"phone","value":"${phone[0]}${random.below(10_000)}","use":"home"}],"gender":"${random.pick(['female', 'male'])}","birthDate":"${1930 + random.below(90)}-${two(1 + random.below(12))}-${two(1 + random.below(28))}","address":[{"line":["${1 + random.below(300)} ${random.pick(street)}"],"city":"Example","postalCode":"${10_000 + random.below(90_000)}"}]${random.chance(0.01) ? `,"link":[{"other":{"reference":"Patient/${random.id()}"},"type":"replaced-by"}]` : ''}}\n`
}

function encounterLine(random: Random, person: Person, visit: Visit): string {
  const [code, display] = random.pick(VISITS)
  const number = `${POPULATION_CANARIES.practitionerNumber[0]}${String(random.below(100_000)).padStart(5, '0')}`
  return `{"resourceType":"Encounter","id":"${visit.id}","status":"finished","class":{"system":"${HL7}v3-ActCode","code":"AMB"},"type":[{"coding":[{"system":"${SNOMED}","code":"${code}","display":"${display}"}],"text":"${display}"}],"subject":{"reference":"Patient/${person.id}","display":"${person.name}"},"participant":[{"individual":{"reference":"Practitioner?identifier=http://hl7.org/fhir/sid/${number}","display":"${POPULATION_CANARIES.practitioner[0]}"}}],"period":{"start":"${visit.at}","end":"${visit.at}"}}\n`
}

function conditionLine(random: Random, person: Person, visit: Visit): string {
  const [code, display] = random.pick(random.chance(0.08) ? SENSITIVE_CONDITIONS : CONDITIONS)
  const [system, label] = random.pick(LABELS)
  const meta = random.chance(0.03)
    ? `"meta":{"security":[{"system":"${HL7}${system}","code":"${label}"}]},`
    : ''
  const modifier = random.chance(0.005)
    ? '"modifierExtension":[{"url":"http://hospital.example/only-suspected","valueBoolean":true}],'
    : ''
  return `{"resourceType":"Condition","id":"${random.id()}",${meta}${modifier}"clinicalStatus":{"coding":[{"system":"${HL7}condition-clinical","code":"${random.pick(['active', 'resolved'])}"}]},"verificationStatus":{"coding":[{"system":"${HL7}condition-ver-status","code":"confirmed"}]},"category":[{"coding":[{"system":"${HL7}condition-category","code":"encounter-diagnosis","display":"Encounter Diagnosis"}]}],"code":{"coding":[{"system":"${SNOMED}","code":"${code}","display":"${display}"}],"text":"${display}"},"subject":{"reference":"Patient/${person.id}","display":"${person.name}"},"encounter":{"reference":"Encounter/${visit.id}"},"onsetDateTime":"${visit.at}","recordedDate":"${visit.at}"${noteOf(random, person, 0.2)}}\n`
}

function observationLine(random: Random, person: Person, visit: Visit): string {
  const [code, display, unit, mean, spread] = random.pick(MEASUREMENTS)
  // Two decimal places, the last often zero: a filter must not shorten them.
  const value = (mean + (random.below(201) / 200 - 0.5) * spread).toFixed(2)
  const contained = random.chance(0.01)
    ? `"contained":[{"resourceType":"Patient","id":"p","name":[{"text":"${person.name}"}]}],`
    : ''
  return `{"resourceType":"Observation","id":"${random.id()}",${contained}"status":"final","category":[{"coding":[{"system":"${HL7}observation-category","code":"${unit === '%' || unit === 'mg/dL' ? 'laboratory' : 'vital-signs'}"}]}],"code":{"coding":[{"system":"${LOINC}","code":"${code}","display":"${display}"}],"text":"${display}"},"subject":{"reference":"Patient/${person.id}"},"encounter":{"reference":"Encounter/${visit.id}"},"effectiveDateTime":"${visit.at}","issued":"${visit.at.replace('+', '.000+')}","valueQuantity":{"value":${value},"unit":"${unit}","system":"http://unitsofmeasure.org","code":"${unit}"}${noteOf(random, person, 0.05)}}\n`
}

/** A clinical document whose content is an attachment. */
function noteLine(random: Random, person: Person, visit: Visit): string {
  const data = Buffer.from(`${person.name} ${random.pick(POPULATION_CANARIES.note)}.\n`).toString('base64')
  return `{"resourceType":"DocumentReference","id":"${random.id()}","status":"current","type":{"coding":[{"system":"${LOINC}","code":"34117-2","display":"History and physical note"}]},"subject":{"reference":"Patient/${person.id}"},"date":"${visit.at}","content":[{"attachment":{"contentType":"text/plain","data":"${data}","title":"${person.name}"}}],"context":{"encounter":[{"reference":"Encounter/${visit.id}"}],"period":{"start":"${visit.at}"}}}\n`
}

function noteOf(random: Random, { name }: Person, probability: number): string {
  return random.chance(probability)
    ? `,"note":[{"text":"${name} ${random.pick(POPULATION_CANARIES.note)}"}]`
    : ''
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** sfc32 (C. Doty-Humphrey, PractRand): small and fast. For synthetic data, never for secrets. */
function createRandom(seed: string): Random {
  let [a, b, c, counter] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1]
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + sum) | 0
    return sum >>> 0
  }
  for (const byte of Buffer.from(seed, 'utf8')) {
    a ^= byte
    next()
  }
  for (let round = 0; round < 16; round++) next()

  const below = (limit: number) => Math.floor((next() / 0x1_0000_0000) * limit)
  const hex8 = (): string => {
    const bits = next()
    return `${HEX[bits >>> 24]}${HEX[(bits >>> 16) & 255]}${HEX[(bits >>> 8) & 255]}${HEX[bits & 255]}`
  }
  return {
    below,
    chance: (probability) => next() < probability * 0x1_0000_0000,
    pick: <T>(from: readonly T[]): T => {
      const picked = from[below(from.length)]
      if (picked === undefined) throw new RangeError('nothing to pick from')
      return picked
    },
    id: () => {
      const [one, other] = [hex8(), hex8()]
      return `${hex8()}-${one.slice(0, 4)}-4${one.slice(5)}-a${other.slice(1, 4)}-${other.slice(4)}${hex8()}`
    },
  }
}
