/**
 * An entry as a FHIR R4 AuditEvent, as far as IHE's Basic Audit Log Patterns describe such events: decisions
 * as authorisation decisions, the use of a key as an export, a result as an import. No patient is named, since
 * the logs name none.
 */
import type { AnyLogged } from '#core/evidence/audit/log/log.ts'
import type { Entry } from '#core/evidence/entry.ts'
import { toRfc3339, toUnixSeconds } from '#core/time.ts'
import type { Facts } from './facts.ts'

const DICOM = 'http://dicom.nema.org/resources/ontology/DCM'
const PURPOSE = 'http://terminology.hl7.org/CodeSystem/v3-ActReason'
const SOURCE = 'http://terminology.hl7.org/CodeSystem/security-source-type'
const ENTITY = 'http://terminology.hl7.org/CodeSystem/audit-entity-type'
/** Our own names: `urn:confidential-worker:<kind>`. */
const OWN = 'urn:confidential-worker'

const TYPES = {
  application: ['110100', 'Application Activity'],
  exported: ['110106', 'Export'],
  imported: ['110107', 'Import'],
  security: ['110113', 'Security Alert'],
} as const

/** The kind of activity, what was done (create, read, execute), and whether it succeeded. */
type Kind = readonly [keyof typeof TYPES, 'C' | 'R' | 'E', 'success' | 'failure']

const KINDS: Readonly<Record<Entry['event'], Kind>> = {
  'log.opened': ['application', 'E', 'success'],
  'log.closed': ['application', 'E', 'success'],
  'policy.loaded': ['application', 'E', 'success'],
  'boot.registered': ['security', 'E', 'success'],
  'worker.accepted': ['security', 'E', 'success'],
  'worker.refused': ['security', 'E', 'failure'],
  'release.decided': ['security', 'E', 'success'],
  'release.issued': ['exported', 'R', 'success'],
  'release.failed': ['exported', 'R', 'failure'],
  'release.interrupted': ['exported', 'R', 'failure'],
  'release.refused': ['security', 'E', 'failure'],
  'requests.refused': ['security', 'E', 'failure'],
  'permit.refused': ['security', 'E', 'failure'],
  'key.received': ['exported', 'R', 'success'],
  'release.denied': ['security', 'E', 'failure'],
  'result.intent': ['imported', 'C', 'success'],
  'result.visible': ['imported', 'C', 'success'],
  'result.superseded': ['imported', 'C', 'success'],
  'result.foreign': ['security', 'C', 'failure'],
  'job.failed': ['application', 'E', 'failure'],
  'job.returned': ['application', 'E', 'failure'],
  'job.dead-lettered': ['application', 'E', 'failure'],
}

/** The fields that do not identify anything by themselves go into the details of the entry's own entity. */
const MAX_DETAIL = 1000

export function auditEventOf({ role, boot, index, entry }: AnyLogged, facts: Facts): object {
  const { event, time, v: _v, ...fields } = entry
  const [type, action, outcome] = KINDS[event]
  const [code, display] = TYPES[type]
  const [client] = facts.client
  return {
    resourceType: 'AuditEvent',
    // The place of the entry, which is unique for ever.
    id: `${boot}-${index}`,
    type: { system: DICOM, code, display },
    subtype: [{ system: `${OWN}:event`, code: event }],
    action,
    recorded: toRfc3339(toUnixSeconds(time)),
    // 4: the action was refused or failed, and no more went wrong.
    outcome: outcome === 'success' ? '0' : '4',
    ...(facts.code.size === 0 ? {} : { outcomeDesc: [...facts.code].join(', ') }),
    ...(facts.purpose.size === 0 ? {} : { purposeOfEvent: [...facts.purpose].map(purposeOf) }),
    agent: [
      ...(client === undefined
        ? []
        : [
            {
              type: coding(DICOM, '110152', 'Destination Role ID'),
              who: identified('client', client),
              requestor: true,
            },
          ]),
      {
        type: coding(DICOM, '110150', 'Application'),
        who: identified('boot', boot),
        requestor: client === undefined,
      },
    ],
    source: {
      observer: identified('boot', boot),
      type: [
        {
          system: SOURCE,
          code: role === 'verifier' ? '6' : '4',
          display: role === 'verifier' ? 'Security Server' : 'Application Server',
        },
      ],
    },
    entity: [
      ...[...facts.dataset].map((dataset) => entityOf('dataset', dataset)),
      ...[...facts.permission].map((permission) => entityOf('permission', permission)),
      ...[...facts.trace].map((trace) => entityOf('trace', trace)),
      {
        ...entityOf('entry', `${boot}/${index}`),
        detail: Object.entries(fields).map(([name, value]) => ({
          type: name,
          valueString: (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, MAX_DETAIL),
        })),
      },
    ],
  }
}

function identified(kind: string, value: string) {
  return { identifier: { system: `${OWN}:${kind}`, value } }
}

function entityOf(kind: string, value: string) {
  return { what: identified(kind, value), type: { system: ENTITY, code: '2', display: 'System Object' } }
}

function coding(system: string, code: string, display: string) {
  return { coding: [{ system, code, display }] }
}

function purposeOf(code: string) {
  return { coding: [{ system: PURPOSE, code }] }
}
