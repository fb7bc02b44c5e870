/**
 * Every way to refuse or to fail, in one table. A refusal is a value (`Refusal`), a fault is an exception
 * (`CodedError`); both carry a code of this table. docs/errors.md is generated from it (`npm run docs`).
 */
import { Coded, type CodedClass, type ErrorRow, type RefusalOf } from './errors/coded.ts'
import {
  COMMAND_ERRORS,
  CONTENT_ERRORS,
  ENROLMENT_ERRORS,
  EVIDENCE_LOG_ERRORS,
  GOVERNANCE_ERRORS,
  JOB_ERRORS,
  PLATFORM_ERRORS,
  WITNESS_ERRORS,
} from './errors/operation.ts'
import { RELEASE_ERRORS, SEALED_ERRORS } from './errors/protocol.ts'
import { APPRAISAL_ERRORS, ENCODING_ERRORS, EVIDENCE_ERRORS, LAUNCH_ERRORS } from './errors/report.ts'

/** The table by section, in the order of docs/errors.md. */
export const ERROR_SECTIONS: readonly {
  readonly title: string
  readonly rows: Readonly<Record<string, ErrorRow>>
}[] = [
  { title: 'General', rows: { ...ENCODING_ERRORS, ...COMMAND_ERRORS } },
  { title: 'SEV-SNP report and certificates (core/snp)', rows: EVIDENCE_ERRORS },
  { title: 'Launch digest (core/snp/launch)', rows: LAUNCH_ERRORS },
  { title: 'Appraisal (core/appraisal)', rows: APPRAISAL_ERRORS },
  { title: 'Release (core/release)', rows: RELEASE_ERRORS },
  { title: 'Sealed objects and results (core/sealed)', rows: SEALED_ERRORS },
  { title: 'Minimum necessary (core/fhir, core/egress)', rows: CONTENT_ERRORS },
  { title: 'Jobs and ingestion (core/job, function, worker)', rows: JOB_ERRORS },
  { title: 'Evidence (core/evidence)', rows: EVIDENCE_LOG_ERRORS },
  { title: 'Witness (core/evidence/witness)', rows: WITNESS_ERRORS },
  { title: 'Enrolment (cli/enrol)', rows: ENROLMENT_ERRORS },
  { title: 'Governance (cli/policy)', rows: GOVERNANCE_ERRORS },
  { title: 'Platform (adapters)', rows: PLATFORM_ERRORS },
]

export const ERRORS = {
  ...ENCODING_ERRORS,
  ...COMMAND_ERRORS,
  ...EVIDENCE_ERRORS,
  ...LAUNCH_ERRORS,
  ...APPRAISAL_ERRORS,
  ...RELEASE_ERRORS,
  ...SEALED_ERRORS,
  ...CONTENT_ERRORS,
  ...JOB_ERRORS,
  ...EVIDENCE_LOG_ERRORS,
  ...WITNESS_ERRORS,
  ...ENROLMENT_ERRORS,
  ...GOVERNANCE_ERRORS,
  ...PLATFORM_ERRORS,
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS
export type ExitCode = ErrorRow['exit']

export const CodedError: CodedClass<ErrorCode> = Coded
export type CodedError = Coded<ErrorCode>

export type Refusal = RefusalOf<ErrorCode>

export function errorRow(code: ErrorCode): ErrorRow {
  return ERRORS[code]
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code)
}

/** The code of anything thrown; an error without a code is a fault of our own. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof CodedError ? error.code : 'internal.fault'
}

/** Rethrows any coded error under `code`, for a decoder that speaks for the decoders that it calls. */
export function under<T>(code: ErrorCode, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (cause instanceof CodedError && cause.code !== code)
      throw new CodedError(code, cause.message, { cause })
    throw cause
  }
}
