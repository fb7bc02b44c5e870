/** The commands `report take`, `report verify`, `report show` and `report conformance`. */
import type { Command } from 'commander'
import type { CommandContext } from '#cli/terminal.ts'
import type { ReportResult } from '#core/appraisal/reportResult.ts'
import { CodedError } from '#core/errors.ts'
import type { ReportOptions } from './verify.ts'

type ReportArguments = ReportOptions & {
  readonly json?: boolean
  readonly ear?: boolean
  readonly earKey?: string
}

export function addReportCommands(program: Command, context: CommandContext): void {
  const report = program
    .command('report')
    .helpCommand(false)
    .summary('take, read and judge an SEV-SNP attestation report')
    .description('Takes, reads and judges an SEV-SNP attestation report.')
  addTake(report, context)
  addVerify(report, context)
  addShow(report, context)
  addConformance(report, context)
}

function addTake(report: Command, context: CommandContext): void {
  report
    .command('take')
    .summary("take a report of this machine, for the provider's approve")
    .description(
      "Asks this machine's firmware for a report, by the source in a worker's configuration, and writes it with its certificates into a new folder. Its REPORT_DATA is zero, so it answers no challenge and gets no key.",
    )
    .requiredOption('--config <file>', "the worker's configuration")
    .requiredOption('--out <dir>', 'a new folder: report.bin, leaf.der (VCEK or VLEK), issuer-*.der')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker report take --config worker.json --out machine
  confidential-worker approve --report machine/report.bin --certs machine …

Exit codes
  0   taken
  2   the folder exists already
  75  there is no source of reports here, or firmware or AMD does not answer
  78  the configuration must be changed first`,
    )
    .action(async (options: { readonly config: string; readonly out: string; readonly json?: boolean }) => {
      const { takeReport } = await import('./take.ts')
      const taken = await takeReport(options)
      if (options.json === true) context.terminal.printJson(taken)
      else context.terminal.print(`${[taken.report, ...taken.certificates].join('\n')}\n`)
    })
}

function addVerify(report: Command, context: CommandContext): void {
  report
    .command('verify')
    .summary('judge whether a report is authentic and acceptable')
    .description(
      "Reads an SEV-SNP attestation report, verifies its signature and certificates up to AMD's pinned roots, and compares it with the reference values of a policy or, without --policy, with strict built-in ones. Needs no network. Revocation is checked only by the lists that --crl gives.",
    )
    .requiredOption('--report <file>', 'the report, 1184 bytes')
    .option('--cert <file>', 'the VCEK or VLEK in DER or PEM; a PEM file may contain ASK and ARK too')
    .option('--certs <dir>', 'a folder with such files')
    .option('--roots <dir>', "roots to trust instead of AMD's: <Product>/{ark,ask,asvk}.der")
    .option('--crl <file>', 'an AMD revocation list in DER or PEM; may be repeated', collect, [])
    .option(
      '--policy <file>',
      'compare with the reference values of this policy; its signatures are not checked',
    )
    .option('--at <time>', 'judge as of this time, for example 2026-01-31T12:00:00Z (default: now)')
    .option('--authentic-only', 'stop once the report is known to be genuine', false)
    .option('--json', 'print the result as one line of JSON')
    .option('--ear', 'print the result as the claims of an EAT Attestation Result (draft-ietf-rats-ear-04)')
    .option('--ear-key <file>', 'print that as a JWT, signed by this Ed25519 or P-384 key in PEM')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker report verify --report report.bin --cert vcek.der
  confidential-worker report verify --report report.bin --cert vcek.der --ear-key signing.pem
  confidential-worker report verify --report report.bin --cert vcek.der --crl crl.der --json

Exit codes
  0   accepted, or authentic with --authentic-only
  1   refused
  2   malformed input or a wrong command line`,
    )
    .action(async (options: ReportArguments) => {
      const [{ verifyReportFile }, { renderReport }, { systemClock }] = await Promise.all([
        import('./verify.ts'),
        import('./text.ts'),
        import('#adapters/system/clock.ts'),
      ])
      if (options.roots !== undefined)
        context.terminal.warn(
          `--roots: ${options.roots} replaces AMD's pinned roots; the owner of these roots can forge any report`,
        )
      const { exit, result } = await verifyReportFile(options, systemClock.now())
      if (options.ear === true || options.earKey !== undefined) await printEar(result, options, context)
      else if (options.json === true) context.terminal.printJson(result)
      else context.terminal.print(renderReport(result))
      context.exit(exit)
    })
}

/** A claims set is for people and tools; only a JWT may be relied on by someone else. */
async function printEar(
  result: ReportResult,
  { json, earKey }: ReportArguments,
  { terminal }: CommandContext,
): Promise<void> {
  if (json === true) throw new CodedError('usage.invalid', 'give --json or --ear, not both')
  const [{ earOf, signEar }, { openSigner }, { systemClock }, { softwareName }] = await Promise.all([
    import('./ear.ts'),
    import('#cli/services.ts'),
    import('#adapters/system/clock.ts'),
    import('#adapters/system/software.ts'),
  ])
  const ear = earOf(result, systemClock.now(), softwareName())
  if (earKey === undefined) {
    terminal.printJson(ear)
    return
  }
  const signer = await openSigner({ kind: 'file', path: earKey }, '--ear-key', () => {
    throw new CodedError('internal.fault', 'a key in a file needs no Vault')
  })
  terminal.print(`${await signEar(ear, signer)}\n`)
}

function addShow(report: Command, context: CommandContext): void {
  report
    .command('show')
    .summary('print every field of a report with its meaning; verify nothing')
    .description(
      'Prints every field of an SEV-SNP attestation report with offset, value and meaning. It prints what the bytes claim and verifies nothing.',
    )
    .argument('<file>', 'the report, 1184 bytes')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker report show report.bin

Exit codes
  0   printed
  1   printed, but a value is not allowed by the SEV-SNP ABI
  2   not a report`,
    )
    .action(async (file: string, { json }: { readonly json?: boolean }) => {
      const [{ readInput }, { showReport }, { renderShown }] = await Promise.all([
        import('#adapters/sev/reportFiles.ts'),
        import('#core/snp/shownReport.ts'),
        import('./showText.ts'),
      ])
      const shown = showReport(await readInput(file))
      if (json === true) context.terminal.printJson(shown)
      else context.terminal.print(renderShown(shown))
      context.exit(shown.problem === null ? 0 : 1)
    })
}

function addConformance(report: Command, context: CommandContext): void {
  report
    .command('conformance')
    .summary('judge a JSON case from stdin, for test suites in any language')
    .description(
      'Reads a case from stdin: report, certificates, roots, revocation lists, reference values and time in one JSON value. Prints the verdict as one line of JSON, like "report verify --json". docs/conformance.md specifies the form.',
    )
    .option('--lines', 'read one case per line, print one verdict per line')
    .addHelpText(
      'after',
      `
Example
  confidential-worker report conformance < case.json

Exit codes
  0   accepted or authentic; with --lines: every line was a case
  1   refused (never with --lines)
  2   the case or a part of it is malformed; with --lines: a line was not a case`,
    )
    .action(async ({ lines }: { readonly lines?: boolean }) => {
      const { runCase, runLines } = await import('./conformance.ts')
      context.exit(await (lines === true ? runLines : runCase)(process.stdin, process.stdout))
    })
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
