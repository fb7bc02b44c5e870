/** The names of everything in the demo's two tenancies: readable, and the same on every run. */

export const REGION = 'eu-frankfurt-1'

/** A hospital that provides data, and a research organisation that computes on it. */
export const PROVIDER = { tenancy: 'ocid1.tenancy.oc1..hospital', namespace: 'hospital' } as const
export const CONSUMER = { tenancy: 'ocid1.tenancy.oc1..research', namespace: 'research' } as const
export type Tenancy = typeof PROVIDER | typeof CONSUMER

/** `ocidOf('key', 'dataset')` is `ocid1.key.oc1.eu-frankfurt-1.dataset`. */
export function ocidOf(kind: string, name: string): string {
  return `ocid1.${kind}.oc1.${REGION}.${name}`
}

export function compartmentOf({ namespace }: Tenancy, name: string): string {
  return ocidOf('compartment', `${namespace}-${name}`)
}

export const KEYS = {
  dataset: ocidOf('key', 'dataset'),
  identity: ocidOf('key', 'identity'),
  consent: ocidOf('key', 'consent'),
  sealing: ocidOf('key', 'sealing'),
  grantCa: ocidOf('key', 'grant-ca'),
  workersCa: ocidOf('key', 'workers-ca'),
  verifiersCa: ocidOf('key', 'verifiers-ca'),
  client: ocidOf('key', 'client'),
  result: ocidOf('key', 'result'),
} as const
export const MAC_SECRET = ocidOf('vaultsecret', 'nonce-mac')
export const STREAMS = {
  jobs: ocidOf('stream', 'jobs'),
  deadLetters: ocidOf('stream', 'dead-letters'),
} as const
export const FUNCTION = ocidOf('fnfunc', 'ingest')

/** `verifier`, `verifier-2`, …: replicas with one identity, each a process of its own. */
export function verifierName(index: number): string {
  return index === 0 ? 'verifier' : `verifier-${index + 1}`
}

/** People with API keys. Each name is also a profile of the OCI config file. */
export const USERS = {
  sealer: { tenancy: PROVIDER, group: 'sealing' },
  freshness: { tenancy: PROVIDER, group: 'freshness' },
  governor: { tenancy: PROVIDER, group: 'governance' },
  enroller: { tenancy: PROVIDER, group: 'enrolment' },
  privacy: { tenancy: PROVIDER, group: 'privacy' },
  auditor: { tenancy: PROVIDER, group: 'auditors' },
  researcher: { tenancy: CONSUMER, group: 'researchers' },
  operator: { tenancy: CONSUMER, group: 'operators' },
} as const
export type UserName = keyof typeof USERS

/** The provider's policy signers. A policy needs both signatures. */
export const SIGNERS = ['privacy-officer', 'security-officer'] as const

export const TENANT = 'hospital'
export const DATASET = 'cohort'
export const CLIENT = 'research'
export const PURPOSE = 'HRESCH'
export const GROUP = 'workers'
export const AUDIENCE = 'https://verifier.hospital.example'
/** Every clinical type that has a minimal view. Documents and their text are withheld. */
export const SCOPES = [
  'AllergyIntolerance',
  'Condition',
  'DiagnosticReport',
  'Encounter',
  'ImagingStudy',
  'Immunization',
  'MedicationAdministration',
  'MedicationRequest',
  'Observation',
  'Patient',
  'Procedure',
  'ServiceRequest',
  'Specimen',
].map((type) => `system/${type}.rs`)
