/** From the options of `approve` to reference values and output. */
import { systemClock } from '#adapters/system/clock.ts'
import { readFileUpTo, replaceFile } from '#adapters/system/files.ts'
import { isPlaceholder } from '#cli/policy/form.ts'
import { daysOf } from '#cli/policy/initOptions.ts'
import { verifyReportFile } from '#cli/report/verify.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { parseJson } from '#core/canonical.ts'
import { CodedError, under } from '#core/errors.ts'
import { name, sha256Digest } from '#core/fields.ts'
import type { PolicyReference } from '#core/policy/referenceSchema.ts'
import type { DescribedReport } from '#core/snp/describedReport.ts'
import { approvalOf, likeMachine } from './approval.ts'

export type ApproveOptions = {
  readonly report: string
  readonly cert?: string
  readonly certs?: string
  readonly roots?: string
  readonly crl: readonly string[]
  readonly id: string
  readonly trust: readonly string[]
  readonly measurement?: string
  readonly assurance: string
  readonly days: string
  readonly sameFirmware?: boolean
  readonly sameChip?: boolean
  readonly into?: string
  readonly json?: boolean
}

const MAX_DRAFT_BYTES = 2 * 1024 * 1024

/** Throws the code for which the report is refused. */
export async function approve(options: ApproveOptions, { terminal }: CommandContext): Promise<void> {
  const { id, trust, assurance, into } = options
  const days = daysOf(options.days)
  if (!name.safeParse(id).success) throw usage('--id', id, 'a name of a-z, 0-9, "." and "-"')
  const wrong = trust.find((digest) => !sha256Digest.safeParse(digest).success)
  if (wrong !== undefined) throw usage('--trust', wrong, 'a SHA-256 in base64url')
  if (assurance !== 'measured' && assurance !== 'platform')
    throw usage('--assurance', assurance, 'measured or platform')
  const now = systemClock.now()
  if (options.roots !== undefined)
    terminal.warn(
      `--roots: ${options.roots} replaces AMD's pinned roots; the owner of these can forge any report`,
    )
  const report = await acceptedReport(options)
  const { sameFirmware = false, sameChip = false } = options
  const approval = approvalOf({ id, assurance, measurement: report.measurement, trust, now, days })
  const reference = likeMachine(approval, report, { sameFirmware, sameChip })
  if (into !== undefined) await putInto(into, reference)
  if (options.measurement === undefined)
    terminal.warn(
      `--measurement: nothing was expected; compare ${report.measurement} with what "measure" prints`,
    )
  if (into === undefined)
    terminal.print(`${JSON.stringify(reference, undefined, options.json === true ? 0 : 2)}\n`)
  else if (options.json === true) terminal.printJson({ file: into, reference })
  else terminal.print(`approved  ${id}, in ${into}\n`)
}

async function acceptedReport(options: ApproveOptions): Promise<DescribedReport> {
  const { report, cert, certs, roots, crl } = options
  const { exit, result } = await verifyReportFile(
    { report, cert, certs, roots, crl, authenticOnly: false },
    systemClock.now(),
  )
  const [reason] = result.reasons
  if (exit !== 0 || result.report === null)
    throw new CodedError(
      reason?.code ?? 'report.malformed',
      `${report}: ${reason?.field} is ${reason?.actual}, expected ${reason?.expected}`,
    )
  const { measurement } = result.report
  if (options.measurement !== undefined && measurement !== options.measurement)
    throw new CodedError(
      'measurement.unknown',
      `the report's is ${measurement}, expected ${options.measurement}`,
    )
  return result.report
}

/** A draft may still have other placeholders; the one for reference values goes. */
async function putInto(path: string, reference: PolicyReference): Promise<void> {
  const bytes = await readFileUpTo(path, MAX_DRAFT_BYTES, 'input.unreadable')
  const draft = under('policy.malformed', () => parseJson(bytes, path))
  if (!isDraft(draft)) throw new CodedError('policy.malformed', `${path} is no draft of a policy`)
  const others = draft.referenceValues.filter(
    (other) => !isPlaceholder(other) && idOf(other) !== reference.id,
  )
  const next = { ...draft, referenceValues: [...others, reference] }
  await replaceFile(path, `${JSON.stringify(next, undefined, 2)}\n`)
}

function isDraft(value: unknown): value is { readonly referenceValues: readonly unknown[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'referenceValues' in value &&
    Array.isArray(value.referenceValues)
  )
}

function idOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined
}

function usage(option: string, found: string, expected: string): CodedError {
  return new CodedError('usage.invalid', `${option} is ${JSON.stringify(found)}, expected ${expected}`)
}
