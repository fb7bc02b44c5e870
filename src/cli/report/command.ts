/** `report verify`, `report show` and `report conformance`, as they are typed. */
import type { Command } from 'commander'
import type { CommandContext } from '#cli/terminal.ts'
import type { ReportOptions } from './verify.ts'

type ReportArguments = ReportOptions & { readonly json?: boolean }

export function addReportCommands(program: Command, context: CommandContext): void {
  const report = program
    .command('report')
    .helpCommand(false)
    .description('An SEV-SNP attestation report, read and judged.')
  addVerify(report, context)
  addShow(report, context)
  addConformance(report, context)
}

function addVerify(report: Command, context: CommandContext): void {
  report
    .command('verify')
    .summary('say what a report claims, whether it is authentic, and acceptable')
    .description(
      "Reads an SEV-SNP attestation report, checks signature and certificates up to AMD's pinned roots, and judges it by a policy or, without one, by strict built-in reference values. Needs no network; revocation is checked by the lists that are given.",
    )
    .requiredOption('--report <file>', 'the report, 1184 bytes')
    .option('--cert <file>', 'VCEK or VLEK, DER or PEM; a PEM file may hold ASK and ARK too')
    .option('--certs <dir>', 'a folder with them')
    .option('--roots <dir>', "other roots than AMD's: <Product>/{ark,ask,asvk}.der")
    .option('--crl <file>', "a revocation list of AMD's, DER or PEM; may be given several times", collect, [])
    .option('--policy <file>', 'a signed policy, to judge by its reference values')
    .option('--at <time>', 'judge as of this time, such as 2026-01-31T12:00:00Z (default: now)')
    .option('--authentic-only', 'stop where the report is known to be genuine', false)
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Examples
  confidential-worker report verify --report report.bin --cert vcek.der
  confidential-worker report verify --report report.bin --cert vcek.der --crl crl.der --json

Exit codes
  0 accepted (or authentic, with --authentic-only)   1 refused   2 a file is not what it should be`,
    )
    .action(async (options: ReportArguments) => {
      const [{ verifyReportFile }, { renderReport }, { systemClock }] = await Promise.all([
        import('./verify.ts'),
        import('./text.ts'),
        import('#adapters/system/clock.ts'),
      ])
      if (options.roots !== undefined)
        context.terminal.warn(
          `--roots: AMD's pinned roots are replaced by those in ${options.roots} for this run; whoever made them can make any report`,
        )
      const { exit, result } = await verifyReportFile(options, systemClock.now())
      if (options.json === true) context.terminal.printJson(result)
      else context.terminal.print(renderReport(result))
      context.exit(exit)
    })
}

function addShow(report: Command, context: CommandContext): void {
  report
    .command('show')
    .summary('every field of a report with its meaning; nothing is verified')
    .description(
      'Prints every field of an SEV-SNP attestation report: its offset, its value and what that means. It is what the bytes claim: nothing is verified.',
    )
    .argument('<file>', 'the report, 1184 bytes')
    .option('--json', 'print it as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker report show report.bin

Exit codes
  0 shown   1 shown, but the SEV-SNP ABI does not allow it   2 not a report`,
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
    .summary('judge one JSON case from stdin, for suites in any language')
    .description(
      'Reads a case (report, certificates, roots, revocation lists, reference values and time in one JSON value) from stdin and prints the verdict as one line of JSON, as "report verify --json" does. docs/conformance.md has the form.',
    )
    .option('--lines', 'one case a line, one verdict a line')
    .addHelpText(
      'after',
      `
Example
  confidential-worker report conformance < case.json

Exit codes
  0 accepted or authentic   1 refused   2 the case or something in it is malformed
  With --lines: 0, or 2 where a line is not a case`,
    )
    .action(async ({ lines }: { readonly lines?: boolean }) => {
      const { runCase, runLines } = await import('./conformance.ts')
      context.exit(await (lines === true ? runLines : runCase)(process.stdin, process.stdout))
    })
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
