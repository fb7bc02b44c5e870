/** `report verify`, as it is typed. */
import type { Command } from 'commander'
import type { ReportOptions } from './report.ts'
import type { CommandContext } from './terminal.ts'

type ReportArguments = ReportOptions & { readonly json?: boolean }

export function addReportCommands(program: Command, context: CommandContext): void {
  program
    .command('report')
    .helpCommand(false)
    .description('An SEV-SNP attestation report, read and judged.')
    .command('verify')
    .summary('say what a report claims, whether it is authentic, and acceptable')
    .description(
      'Reads an SEV-SNP attestation report, checks signature and certificates up to a pinned AMD root, and judges it by a policy or, without one, by strict built-in rules. Needs no network; revocation is not checked.',
    )
    .requiredOption('--report <file>', 'the report, 1184 bytes')
    .option('--cert <file>', 'VCEK or VLEK, DER or PEM; a PEM file may hold ASK and ARK too')
    .option('--certs <dir>', 'a folder with them')
    .option('--roots <dir>', 'other roots than AMD’s: <Product>/{ark,ask,asvk}.der')
    .option('--policy <file>', 'a signed policy, to judge by its reference values')
    .option('--at <time>', 'judge as of this time, such as 2026-01-31T12:00:00Z (default: now)')
    .option('--authentic-only', 'stop where the report is known to be genuine', false)
    .option('--json', 'print the result as one line of JSON')
    .addHelpText(
      'after',
      `
Example
  confidential-worker report verify --report report.bin --cert vcek.der

Exit codes
  0 accepted (or authentic, with --authentic-only)   1 refused   2 a file is not what it should be`,
    )
    .action(async (options: ReportArguments) => {
      const [{ verifyReportFile }, { renderReport }, { systemClock }] = await Promise.all([
        import('./report.ts'),
        import('./reportText.ts'),
        import('#adapters/system/clock.ts'),
      ])
      const { exit, result } = await verifyReportFile(options, systemClock.now())
      if (options.json === true) context.terminal.printJson(result)
      else context.terminal.print(renderReport(result))
      context.exit(exit)
    })
}
