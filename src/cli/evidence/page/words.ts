/** Events, outcomes and reasons in the words of a reader who did not build this. */
import type { ReleaseStatus } from '#core/evidence/audit/report.ts'
import type { Entry } from '#core/evidence/entry.ts'

export const STATUS: Readonly<Record<ReleaseStatus, string>> = {
  visible: 'result delivered',
  superseded: 'another worker had delivered the same result',
  foreign: 'a result was there that no registered worker signed',
  failed: 'the work failed',
  returned: 'the work failed and was put back',
  'dead-lettered': 'the work failed and was set aside',
  abandoned: 'the worker ended before it delivered a result',
  undelivered: 'the worker did not confirm the key',
  withheld: 'decided, but the key was not issued',
  interrupted: 'the Verifier ended before it issued the key',
  unended: 'decided, without an end in the log',
}

/** The outcomes that need no one's attention. */
export const GOOD: ReadonlySet<ReleaseStatus> = new Set(['visible', 'superseded'])

/** The reasons of the filter (core/fhir/filter.ts). */
export const WITHHELD: ReadonlyMap<string, string> = new Map([
  ['scope', 'no permission for this kind of record'],
  ['malformed', 'not a readable record'],
  ['type', 'a kind of record that the minimal view does not have'],
  ['modifier', 'it has a part that changes its meaning and would be lost'],
  ['criteria', 'permitted kind, but not this record'],
  ['sensitive', 'a sensitive category'],
])

export const EVENT: Readonly<Record<Entry['event'], string>> = {
  'log.opened': 'The log begins',
  'log.closed': 'The log ends in order',
  'policy.loaded': 'The Verifier loads a policy',
  'boot.registered': 'The Verifier registers the worker',
  'worker.accepted': 'The Verifier accepts the machine',
  'worker.refused': 'The Verifier refuses the machine',
  'release.decided': 'The Verifier allows the release, and records it before the key is opened',
  'release.issued': 'The Verifier issues the key to this worker only',
  'release.failed': 'The Verifier could not issue the key',
  'release.interrupted': 'A later Verifier records that the first one ended before it issued the key',
  'release.refused': 'The Verifier refuses the release',
  'requests.refused': 'The Verifier turns away requests of no known client',
  'permit.refused': 'The Verifier does not permit a result to become visible',
  'key.received': 'The worker receives the key, and records it before it opens anything',
  'release.denied': 'The worker is told that it was refused',
  'result.intent': 'The worker announces the result',
  'result.visible': 'The result is delivered',
  'result.superseded': 'The result was there already, by another registered worker',
  'result.foreign': 'The worker finds a result that no registered worker signed',
  'job.failed': 'The work fails',
  'job.returned': 'The work is put back',
  'job.dead-lettered': 'The work is set aside for people',
}
