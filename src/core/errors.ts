/**
 * Every way to say no or to fail, in one table. A refusal is a value (`Refusal`), a fault is an exception
 * (`CodedError`); both carry a code of this table. docs/errors.md is tested against it.
 *
 * - `retry`: the same request may succeed later; nothing is lost by waiting.
 * - `reject`: this input will never succeed; record it, set it aside, go on.
 * - `stop`: the process can no longer vouch for its own state; end it and let recovery start from what is durable.
 */
export type Disposition = 'retry' | 'reject' | 'stop'

/** 1 refused, 2 malformed input or usage, 75 try again (EX_TEMPFAIL), 78 configuration (EX_CONFIG). */
export type ExitCode = 1 | 2 | 75 | 78

type Row = {
  readonly disposition: Disposition
  readonly http: number
  readonly exit: ExitCode
  readonly meaning: string
}

const refused = (meaning: string): Row => ({ disposition: 'reject', http: 403, exit: 1, meaning })
const malformed = (meaning: string): Row => ({ disposition: 'reject', http: 400, exit: 2, meaning })
const later = (meaning: string): Row => ({ disposition: 'retry', http: 503, exit: 75, meaning })
const misconfigured = (meaning: string): Row => ({ disposition: 'stop', http: 500, exit: 78, meaning })
const fatal = (meaning: string): Row => ({ disposition: 'stop', http: 500, exit: 75, meaning })

export const ERRORS = {
  // General
  'encoding.invalid': malformed('a text or byte string is not in the one form its format allows'),
  'usage.invalid': malformed('the command line does not say what to do'),
  'case.malformed': malformed('a conformance case is not of its form'),
  'input.unreadable': malformed('a file named on the command line cannot be read'),
  'input.changed': malformed('the content is not as long as was announced'),
  'output.exists': malformed('the output exists already and is never overwritten'),
  'output.unwritable': malformed('the output cannot be written where it was asked for'),
  'config.invalid': misconfigured('the configuration file is absent, unreadable or not of its schema'),
  'internal.fault': fatal('a fault without a code of its own; the cause is in the log'),
  'process.interrupted': later('a signal ended the command before it was done'),

  // SEV-SNP report and certificates (core/snp)
  'report.malformed': malformed('the file is not an attestation report of version 2 to 5'),
  'report.invalid': refused('a field of the report has a value that the SEV-SNP ABI does not allow'),
  'report.signature': refused('the report is not signed by the endorsed key'),
  'report.data-mismatch': refused('REPORT_DATA does not bind this request'),
  'certificate-table.malformed': malformed("the host's certificate table is not of the GHCB's form"),
  'chain.missing': refused('the evidence holds no certificate of the key that signed the report'),
  'chain.malformed': malformed('an endorsement certificate is not the DER that AMD issues'),
  'chain.untrusted': refused('the endorsement key does not chain to a trusted AMD root'),
  'chain.expired': refused('a certificate of the chain is outside its validity'),
  'chain.revoked': refused('the ASK or ASVK of the chain is on a revocation list of its root'),
  'chain.kind-mismatch': refused(
    'the report was signed with a VCEK and certified with a VLEK, or the reverse',
  ),
  'chain.tcb-mismatch': refused("the endorsement key's TCB is not the reported TCB"),
  'chain.chip-mismatch': refused("the endorsement key's hardware id is not the report's chip id"),
  'chain.product-mismatch': refused("the report's CPUID names another product than its certificate"),
  'crl.malformed': malformed('a certificate revocation list is not the DER that AMD issues'),
  'crl.untrusted': refused('a certificate revocation list is not signed by a trusted AMD root'),
  'crl.superseded': refused('the revocation list is older than the one that is held'),

  // Launch digest (core/snp/launch)
  'firmware.malformed': malformed('the firmware is not an OVMF whose launch can be measured'),
  'launch.impossible': malformed('no SEV-SNP guest can be launched from these inputs'),
  'launch.unsettled': malformed('how this hypervisor launches a guest is not settled, and is not guessed'),

  // Appraisal (core/appraisal)
  'measurement.unknown': refused('no reference values have this launch measurement'),
  'reference.expired': refused('the matching reference values have expired or are not yet valid'),
  'reference.revoked': refused('the matching reference values are revoked'),
  'product.excluded': refused('the processor product or stepping is not approved'),
  'root.untrusted': refused('the chain ends at a root that the policy does not trust'),
  'signing-key.excluded': refused(
    'the report is signed with a kind of key that the reference values do not accept',
  ),
  'crl.missing': refused('the reference values require a revocation list, and none was checked'),
  'crl.stale': refused('the revocation list is older than the reference values allow'),
  'tcb.inconsistent': refused('the TCB versions contradict each other'),
  'tcb.below-floor': refused('a TCB component is below its floor'),
  'tcb.provisional': refused('the host runs firmware that it has not committed'),
  'firmware.below-floor': refused('the firmware version is below its floor'),
  'mitigations.missing': refused('the report does not state a mitigation that the reference values require'),
  'guest-policy.debug': refused('the guest was launched with debugging allowed'),
  'guest-policy.migration': refused('the guest was launched with a migration agent allowed'),
  'guest-policy.violated': refused('a guest policy bit is not as the reference values require'),
  'guest-svn.below-floor': refused('the guest security version is below its floor'),
  'platform-info.violated': refused('a platform information bit is not as the reference values require'),
  'vmpl.violated': refused('the report was not requested at the demanded VMPL'),
  'id-key.unknown': refused('no approved key signed the ID block'),
  'author-key.unknown': refused('no approved key signed the ID key'),
  'family-id.unknown': refused('the family id is not in the reference values'),
  'image-id.unknown': refused('the image id is not in the reference values'),
  'host-data.unknown': refused('the host data is not in the reference values'),
  'chip.unknown': refused('the chip id is not on the allow-list'),
  'trust.unknown': refused("the worker's trust digest is not in the reference values"),
  'assurance.insufficient': refused(
    'the dataset demands a higher level of assurance than the reference values give',
  ),

  // Release (core/release)
  'request.malformed': malformed('the release request is not of its schema or exceeds a limit'),
  'nonce.invalid': refused('the nonce was not issued by this Verifier for this audience'),
  'nonce.expired': {
    disposition: 'retry',
    http: 403,
    exit: 75,
    meaning: 'the nonce is older than five minutes',
  },
  'nonce.spent': { disposition: 'retry', http: 409, exit: 75, meaning: 'the nonce was used before' },
  'assertion.invalid': refused('the client assertion is not a valid private_key_jwt of a registered client'),
  'boot.mismatch': refused('the boot is registered with another evidence key or is revoked'),
  'permission.none': refused('no permission covers this object for this client and purpose'),
  'permission.expired': refused('the permission is outside its time window'),
  'grant.expired': refused('the grant is outside its time window'),
  'grant.invalid': refused('the grant, its key or its certificate does not verify under the provider root'),
  'scope.invalid': refused('a SMART scope is not of the grammar or asks for what cannot be granted'),
  'scope.exceeded': refused('a requested scope is not covered by the granted scopes'),
  'quota.exceeded': refused('the grant allows no further run in this window'),
  'object.withdrawn': refused('the object has been withdrawn by the provider'),
  'policy.none': later('no valid policy is in force'),
  'policy.stale': later('the policy has not been confirmed for more than 30 seconds'),
  'policy.invalid': misconfigured('a policy object does not verify or is not of its schema'),
  'verifier.unavailable': later('the Verifier does not answer'),
  'verifier.untrusted': refused('the answer does not verify under the provider root'),

  // Sealed objects and results (core/sealed)
  'object.malformed': malformed('the object does not begin with a sealed-object header'),
  'object.unsigned': refused('the header is not signed by a sealing key of its dataset'),
  'object.unopened': refused(
    'the object does not open: it was cut, changed, or sealed under another key or header',
  ),
  'object.misplaced': refused('the object is not stored under the name that its header signs'),
  'object.changed': refused('the object is no longer the version that was decided on'),
  'key.unopened': refused('the wrapped key does not open with this key'),
  'record.malformed': malformed('a seal record, a manifest or another signed record is not of its schema'),
  'result.foreign': refused('the result name holds a manifest that no registered worker signed'),

  // Minimum necessary (core/fhir, core/egress)
  'resource.malformed': malformed('a line is not one FHIR resource in strict JSON'),
  'resource.modifier': refused('a resource carries a modifier whose removal would change its meaning'),
  'workload.unknown': refused('the grant names a workload that this worker does not carry'),
  'workload.failed': malformed('the workload ended without a result'),
  'output.violated': refused('the output breaks the output contract of the grant'),

  // Jobs and ingestion (core/job, function, worker)
  'event.malformed': malformed('the event is not an Object Storage event of the accepted type and version'),
  'event.unauthorised': refused('the event names a bucket or object that this function does not serve'),
  'job.malformed': malformed('the message is not a job'),
  'job.exhausted': refused('the job was tried three times and is set aside'),

  // Evidence (core/evidence)
  'evidence.malformed': malformed('an entry, tile, checkpoint or proof is not of its format'),
  'evidence.inconsistent': refused('the evidence contradicts itself or was changed'),
  'evidence.simulated': refused('the evidence comes from a simulated root'),
  'evidence.conflict': fatal('another writer wrote under this log name'),
  'evidence.unavailable': later('evidence cannot be written, so nothing may be released'),

  // Platform (adapters)
  'sev.unavailable': misconfigured('no source of attestation reports is present or permitted'),
  'sev.busy': later('the attestation device did not take the request'),
  'sev.failed': fatal('the attestation device gave no answer that can be used'),
  'sev.lost': misconfigured("the guest's key to its firmware is gone; the guest must be relaunched"),
  'memory.unlocked': misconfigured('keys cannot be kept in memory that is locked'),
  'kds.unavailable': later("AMD's key distribution service does not answer, throttles, or answers nonsense"),
  'kds.unknown': {
    disposition: 'retry',
    http: 404,
    exit: 75,
    meaning: "AMD's key distribution service has no certificate for this chip and TCB",
  },
  'service.unavailable': later('an OCI service does not answer or throttles'),
  'service.denied': {
    disposition: 'stop',
    http: 502,
    exit: 78,
    meaning: 'an OCI policy does not allow this call',
  },
  'service.conflict': refused('the object exists already or has changed'),
  'service.missing': refused('the object or key does not exist, or may not be seen'),
  'service.failed': later('an OCI service answered with an unexpected error'),
  'lease.lost': later('the stream partition belongs to another consumer now'),
} as const satisfies Record<string, Row>

export type ErrorCode = keyof typeof ERRORS

export class CodedError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'CodedError'
    this.code = code
  }
}

/** A no, as a value: what was decided, about which field, and (for the provider only) why and what to do. */
export type Refusal = {
  readonly code: ErrorCode
  readonly field: string
  readonly expected: string
  readonly actual: string
  readonly remedy: string
}

export function errorRow(code: ErrorCode): Row {
  return ERRORS[code]
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code)
}

/** The code of anything thrown; what has none is a fault of our own. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof CodedError ? error.code : 'internal.fault'
}

/** For the places where a decoder's code must speak for what it calls: rethrows any coded error under `code`. */
export function under<T>(code: ErrorCode, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (cause instanceof CodedError && cause.code !== code)
      throw new CodedError(code, cause.message, { cause })
    throw cause
  }
}
