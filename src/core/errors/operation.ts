/**
 * The codes of commands, of content, of jobs, of evidence and of the platform. Only custody and witness are
 * steps of the Verifier.
 */
import { type ErrorRow, rowsOf } from './coded.ts'

const { refused, malformed, later, misconfigured, fatal } = rowsOf(null)
const custody = rowsOf('custody')
const witness = rowsOf('witness')

export const COMMAND_ERRORS = {
  'usage.invalid': malformed(
    'the command line does not say what to do',
    'add --help to the command to see its options',
  ),
  'input.unreadable': malformed(
    'a file named on the command line cannot be read',
    'check the path and its permission',
  ),
  'input.changed': malformed(
    'the content does not have the announced length',
    'run the command again when nothing writes to the file any more',
  ),
  'export.malformed': malformed(
    'the manifest of the bulk export does not follow its schema',
    'name the JSON that the FHIR server answered when the export was complete',
  ),
  'export.incomplete': malformed(
    "the files are not exactly those of the export's manifest, with its types, sizes and counts",
    'fetch the missing or differing files again, and seal the set anew',
  ),
  'output.exists': malformed(
    'the output exists already and is never overwritten',
    'name another output, or move the existing one away',
  ),
  'output.unwritable': malformed(
    'the output cannot be written',
    'check the path, its permission and the free space',
  ),
  'config.invalid': misconfigured(
    'the configuration file is absent, unreadable or does not follow its schema',
    'correct the fields that the message names; --help shows an example; the unit stays stopped until then',
  ),
  'internal.fault': custody.fatal(
    'a fault without a code of its own; the cause is in the log',
    'keep the log and report the defect, by SECURITY.md if patient data may be concerned',
  ),
  'process.interrupted': later(
    'a signal ended the command before it was done',
    'run the same command again; nothing that is half done counts',
  ),
} as const satisfies Record<string, ErrorRow>

export const ENROLMENT_ERRORS = {
  'enrolment.malformed': malformed(
    'the certificate request or certificate does not follow its format',
    'make the request with enrol request, or with another tool and a P-256 or P-384 key',
  ),
  'enrolment.unproved': refused(
    'the certificate request is not signed by the key that it contains',
    'ask for the request again: its sender does not have the key, or someone changed it',
  ),
  'enrolment.unknown': refused(
    'the authority has not issued this certificate',
    'name the configuration of the authority that issued it; enrol list shows its certificates',
  ),
  'enrolment.revoked': refused(
    'the certificate or its key is revoked',
    'make a new key with enrol request and have a certificate issued for it',
  ),
} as const satisfies Record<string, ErrorRow>

export const GOVERNANCE_ERRORS = {
  'policy.malformed': malformed(
    'the file is not a policy, signed or not, in the form of this version',
    'correct the fields that "policy check" names; "policy init" writes a form to fill in',
  ),
  'policy.unsuitable': refused(
    'the document breaks a rule, or does not follow from what is in force',
    'correct what the message names, and have the document signed again',
  ),
  'policy.unsigned': refused(
    'fewer persons have signed than the quorum requires',
    'have the other signers add their signatures with "policy sign"',
  ),
  'signer.unknown': refused(
    'the key is of no signer of the provider root, or of one who is excluded',
    'sign with a key that trust.providerRoot of the configuration lists, or correct the configuration',
  ),
  'signer.unusable': malformed(
    'the key cannot sign',
    'use an Ed25519 or P-384 key in PEM, an unencrypted ed25519 key of ssh, or the OCID of a P-384 Vault key',
  ),
  'signing.declined': refused(
    'the signer did not agree',
    'nothing was signed; run the command again, with --yes in a script',
  ),
} as const satisfies Record<string, ErrorRow>

export const CONTENT_ERRORS = {
  'resource.malformed': malformed(
    'a line is not one FHIR resource in strict JSON',
    'export FHIR R4 resources as NDJSON, one per line, and seal them again',
  ),
  'resource.modifier': refused(
    'a resource carries a modifier whose removal would change its meaning',
    'do nothing unless the resource is needed; it is withheld',
  ),
  'workload.unknown': refused(
    'the grant names a workload or a table of sensitive codes that this worker does not carry',
    'run a worker that carries them with these digests, or have the policy name others',
  ),
  'workload.failed': malformed(
    'the workload ended without a result',
    "seal smaller objects; the input exceeds the workload's limits",
  ),
  'output.violated': refused(
    'the output breaks the output contract of the grant',
    'change the workload or the contract so that they fit; nothing left the worker',
  ),
} as const satisfies Record<string, ErrorRow>

export const JOB_ERRORS = {
  'event.malformed': malformed(
    'the event is not an Object Storage event of the accepted type and version',
    'compare the event rule with the accepted type and version',
  ),
  'event.unauthorised': refused(
    'the event names a bucket or object that this function does not serve',
    "restrict the event rule to the buckets of the function's configuration",
  ),
  'event.of-member': refused(
    'the event is about a member of a set, and only the set record makes a job',
    'none: the event rule may pass over names that begin with set/',
  ),
  'job.malformed': malformed(
    'the message is not a job',
    'find out who else writes to the stream; the message is in the dead-letter stream',
  ),
  'job.expired': refused(
    'the job waited for seven days and is set aside',
    'renew the permission or quota that it waited for, then run dead-letters retry',
  ),
  'job.exhausted': refused(
    'the job was tried three times and is set aside',
    "read the workers' logs of its three attempts, remove the cause, then run dead-letters retry",
  ),
  'job.overtaken': refused(
    'the job was set aside, and its object has a result',
    'do nothing: read the result with open',
  ),
  'job.spent': refused(
    'the job was retried nine times, which is the limit',
    'seal and upload the object again, which makes a new job',
  ),
  'letter.missing': refused(
    'the dead-letter stream has no job of this id',
    'list the dead letters; the stream keeps them for its retention time only',
  ),
} as const satisfies Record<string, ErrorRow>

export const EVIDENCE_LOG_ERRORS = {
  'evidence.malformed': malformed(
    'an entry, tile, checkpoint or proof does not follow its format',
    'compare it with docs/formats/evidence.md, and copy it again',
  ),
  'evidence.inconsistent': refused(
    'the evidence contradicts itself or was changed',
    'do not trust this evidence; find out who could write to the bucket',
  ),
  'evidence.simulated': refused(
    'the evidence comes from a simulated root',
    'nothing on a simulated machine is confidential; for a demo, set trust.simulation',
  ),
  'evidence.conflict': fatal(
    'another writer wrote under this log name',
    'find the other process or writer of the evidence bucket; the worker restarts with a new boot',
  ),
  'evidence.overdue': fatal(
    'a decided release got no stored end in time, so its log is written no more',
    'do nothing unless it is frequent: the Verifier starts again, and its next boot tells what was interrupted',
  ),
  'denial.missing': refused(
    'the evidence has no denial of this id',
    'copy the evidence again; if the request was refused before it was authentic, only the log of the Verifier has the id',
  ),
  'evidence.unavailable': later(
    'evidence cannot be written, so no key may be released',
    "wait: work is kept; check Object Storage and the evidence bucket's permission",
  ),
} as const satisfies Record<string, ErrorRow>

export const WITNESS_ERRORS = {
  'boot.unregistered': {
    ...witness.refused(
      'the log is of no boot that is registered as a worker',
      'do nothing unless it persists: a worker is registered with its first accepted request',
    ),
    http: 404,
  },
  'checkpoint.unsigned': witness.refused(
    "the checkpoint is not signed by the boot's evidence key, or is of another log",
    'find out who sends it; a worker sends only what it signed',
  ),
  'checkpoint.behind': {
    ...witness.refused(
      'a checkpoint of this log is cosigned that has more entries',
      'do nothing if it is rare: a later checkpoint followed; otherwise two processes write one log',
    ),
    http: 409,
  },
  'checkpoint.forked': {
    ...witness.refused(
      'the checkpoint does not continue what was cosigned of its log, or not the entries that are stored',
      'look for an attack: the worker, or who has its key, tells two stories; revoke the boot and keep its log',
    ),
    http: 422,
  },
  'checkpoint.unreadable': witness.later(
    'the entries under the checkpoint cannot be read in the bucket of the logs',
    "wait: the worker asks again; check the bucket and the Verifier's permission to read it",
  ),
  'intent.mismatched': witness.refused(
    'the entry announces no result of this grant',
    'look for a defect or an attack in the worker: it asks for what its log does not announce',
  ),
  'result.committed': {
    ...witness.refused(
      'another output of this result is committed',
      'look for an attack, or for a workload that is not deterministic; only a higher edition asks anew',
    ),
    http: 409,
  },
} as const satisfies Record<string, ErrorRow>

export const PLATFORM_ERRORS = {
  'crl.superseded': refused(
    'the revocation list is older than the one in force',
    'fetch the list over another path; a cache or an attacker serves an old one, and the newer one stays in force',
  ),
  'sev.unavailable': fatal(
    'no source of attestation reports is present or permitted',
    'run in an SEV-SNP guest, with permission on /dev/sev-guest and the addon; the message says what is missing, and the unit starts the worker again',
  ),
  'sev.busy': later(
    'the attestation device did not accept the request',
    'wait: the request is repeated; the host throttles reports',
  ),
  'sev.failed': fatal(
    'the attestation device gave no usable answer',
    'replace the guest if it happens again; the message says what the device answered',
  ),
  'sev.lost': fatal(
    "the guest's key to its firmware is gone; the guest must be launched again",
    'replace the guest: only a new launch helps; ETIMEDOUT means that the host throttled reports',
  ),
  'memory.unlocked': misconfigured(
    'keys cannot be kept in locked memory',
    'build the addon, or let the worker lock 16 KiB per concurrent job (LimitMEMLOCK= in the unit, ulimit -l elsewhere)',
  ),
  'kds.unavailable': later(
    "AMD's key distribution service does not answer, throttles, or answers garbage",
    'wait: the request is repeated at the pace that the service asks for; otherwise fill the folder of docs/endorsements.md',
  ),
  'kds.unknown': {
    stage: null,
    disposition: 'retry',
    http: 404,
    exit: 75,
    meaning: "AMD's key distribution service has no certificate for this chip and TCB",
    remedy:
      "wait: it is asked again after ten minutes; if AMD does not know the chip or its TCB, ask the host's operator",
  },
  'service.unavailable': custody.later(
    'an OCI service does not answer or throttles',
    "run the same command again, which keeps what was done; a program waits; check OCI's status and limits",
  ),
  'service.denied': {
    stage: 'custody',
    disposition: 'stop',
    http: 502,
    exit: 75,
    meaning: 'an OCI policy does not allow this call',
    remedy: "compare the tenancy's policies with infra/policies",
  },
  'service.conflict': custody.refused(
    'the object exists already or has changed',
    'find out who else writes the object; a program that can go on gives another code',
  ),
  'service.missing': custody.refused(
    'the object or key does not exist, or may not be seen',
    'check names and OCIDs, and that a policy allows you to see it',
  ),
  'service.failed': custody.later(
    'an OCI service answered with an unexpected error',
    'take the request id from the log and ask OCI',
  ),
  'lease.lost': later(
    'the stream partition belongs to another consumer now',
    'do nothing: the other worker goes on; if it happens often, batches take longer than the reservation',
  ),
} as const satisfies Record<string, ErrorRow>
