/** The patients that a command names. No message quotes one: it says where it stands. */
import { readFileUpTo } from '#adapters/system/files.ts'
import { CodedError } from '#core/errors.ts'
import { isPatientId } from '#core/sealed/consentList.ts'

const MAX_FILE_BYTES = 64 * 1024 * 1024

/**
 * Of a file with one id per line, and of options; `Patient/` before an id is allowed, and blank lines. Throws
 * `usage.invalid` for what is no FHIR id, and if no patient is named.
 */
export async function patientsIn(
  file: string | undefined,
  options: readonly string[],
): Promise<ReadonlySet<string>> {
  const text =
    file === undefined ? '' : (await readFileUpTo(file, MAX_FILE_BYTES, 'input.unreadable')).toString()
  const named = [
    ...text.split('\n').map((line, index) => ({ line: line.trim(), where: `line ${index + 1} of ${file}` })),
    ...options.map((line, index) => ({ line: line.trim(), where: `--patient number ${index + 1}` })),
  ]
  const patients = new Set<string>()
  for (const { line, where } of named) {
    if (line === '') continue
    const id = line.replace(/^Patient\//, '')
    if (!isPatientId(id))
      throw new CodedError(
        'usage.invalid',
        `${where} is no id of a Patient: A-Z, a-z, 0-9, "." and "-", at most 64`,
      )
    patients.add(id)
  }
  return patients
}

/** Throws `usage.invalid` for none. */
export function expectPatients(patients: ReadonlySet<string>): void {
  if (patients.size === 0)
    throw new CodedError(
      'usage.invalid',
      'no patient is named: give a file with one id per line, or --patient',
    )
}
